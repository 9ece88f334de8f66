//go:build unix

package ilphttp

import (
	"net"
	"syscall"
)

// isAlive reports whether nothing has come on an idle connection: neither its
// end, nor bytes that nobody asked for. A packet is not sent on one that the
// server has closed in the meantime.
func isAlive(conn net.Conn) bool {
	if c, ok := conn.(*connection); ok {
		conn = c.Conn
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	alive := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err == nil && alive
}
