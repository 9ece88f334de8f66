//go:build unix

package ilphttp

import (
	"net"
	"syscall"
)

// socket is what can be asked of a connection of the system's, besides what
// net.Conn has. It is for one goroutine at a time.
type socket struct {
	raw syscall.RawConn
	// bare says that nothing stands between a net.Conn and the socket, which
	// may only be written to then.
	bare bool

	// Of the write that is under way.
	packet []byte
	n      int
	err    error
	try    func(fd uintptr) bool // s.writeSome, so that a write takes no memory
}

// newSocket gives the socket of conn; nil: it has none.
func newSocket(conn net.Conn) *socket {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.try = s.writeSome
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		s.bare = true
	}
	return s
}

func (s *socket) isBare() bool { return s.bare }

// isAlive reports whether nothing has come on an idle connection: neither its
// end, nor bytes that nobody asked for. A packet is not sent on one that the
// server has closed in the meantime.
func (s *socket) isAlive() bool {
	alive := false
	err := s.raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		alive = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return err == nil && alive
}

// write writes what the buffer of the system has room for, and waits for
// nothing. With an error it gives how much it has written.
func (s *socket) write(p []byte) (int, error) {
	s.packet, s.n, s.err = p, 0, nil
	err := s.raw.Write(s.try)
	s.packet = nil
	if err == nil {
		err = s.err
	}
	return s.n, err
}

func (s *socket) writeSome(fd uintptr) bool {
	for s.n < len(s.packet) && s.err == nil {
		n, err := syscall.Write(int(fd), s.packet[s.n:])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			s.err = err
		default:
			s.n += n
		}
	}
	return true
}
