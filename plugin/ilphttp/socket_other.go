//go:build !unix

package ilphttp

import "net"

// socket is what can be asked of a connection of the system's. Here that is
// nothing: a packet that is sent on a connection which the server has closed in
// the meantime has an unknown outcome, and each one is written on a goroutine
// of its own.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) isBare() bool { return false }

func (*socket) isAlive() bool { return true }

func (*socket) write([]byte) (int, error) { return 0, nil }
