//go:build !unix

package wsconn

// canNonblock is false where syscall.RawConn is no descriptor to read from:
// all connections are then read by blocking calls and written by the flusher.
const canNonblock = false

func (c *Conn) readNow(uintptr) bool { return true }

func (c *Conn) writeNow(uintptr) bool { return true }
