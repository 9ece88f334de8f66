// Package wsconn is one WebSocket connection (RFC 6455) made for a great many
// small binary messages, as BTP sends them.
//
// What it costs to move a packet of some hundred bytes is decided by the
// number of system calls, not by the framing. So buffers are handled here and
// not in a library; the handshake, the masking and the rules of frame headers
// are those of gobwas/ws.
//
// # Reading
//
// [Conn.ReadMessage] reads from the network straight into a slab, parses and
// unmasks the frames where they lie, and returns a piece of the slab. A slab
// is never written twice: packets point into it for as long as they live, and
// the garbage collector takes it afterwards. Slabs grow while reads fill them
// and shrink when they do not.
//
// Before ReadMessage waits for the network it calls Options.OnIdle. Everything
// that arrived together has been returned by then, so that is where a caller
// writes what the burst has led to. No timer is needed to find its end.
//
// # Writing
//
// A message is encoded into the buffer of the connection itself, between
// [Conn.Begin] and [Conn.End]; [Conn.Flush] writes what has gathered in one
// system call, on the caller's goroutine and without waiting. What the kernel
// does not take at once, and everything on a connection that offers no such
// call (TLS, net.Pipe), goes to a goroutine that lives until the buffer is
// empty. A peer that does not read costs a bounded number of bytes, and then
// its connection.
//
// # Ends
//
// A connection ends by [Conn.Close], which waits for its goroutines; by the
// peer, or by a violation of the protocol, as an error of ReadMessage; or by
// silence after a ping. The first cause is the one that every later call
// reports.
package wsconn
