//go:build unix

package wsconn

import (
	"io"
	"syscall"
)

// canNonblock says that syscall.RawConn gives a descriptor for read and write.
const canNonblock = true

// readNow reads what is there into the slab. It returns false when there is
// nothing yet: the runtime then waits and calls again.
func (c *Conn) readNow(fd uintptr) bool {
	c.endWait()
	n, err := retry(syscall.Read, fd, c.in.room())
	if err == syscall.EAGAIN {
		c.beginWait()
		return false
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	c.rn, c.rerr = max(n, 0), err
	return true
}

// writeNow writes what the kernel takes without waiting.
func (c *Conn) writeNow(fd uintptr) bool {
	n, err := retry(syscall.Write, fd, c.chunk)
	if err == syscall.EAGAIN {
		err = nil
	}
	c.wn, c.werr = max(n, 0), err
	return true
}

func retry(call func(int, []byte) (int, error), fd uintptr, b []byte) (int, error) {
	for {
		n, err := call(int(fd), b)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
