// Package replay has a connection of which something was read already, for
// somebody who wants to read it from the beginning.
package replay

import (
	"crypto/tls"
	"net"
)

// Conn is a connection that gives what was read of it before, once more, and
// then itself. As any net.Conn it may be read by one goroutine at a time.
type Conn struct {
	net.Conn
	read []byte // before, and not given again yet
}

// New makes a connection that begins with read, which it keeps. Over TLS it
// tells the state of that, as net/http asks it to.
func New(conn net.Conn, read []byte) net.Conn {
	c := &Conn{conn, read}
	if secure, ok := conn.(*tls.Conn); ok {
		return &secureConn{c, secure}
	}
	return c
}

// Read gives what was read before, and what comes after it.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	if c.read = c.read[n:]; len(c.read) == 0 {
		c.read = nil
	}
	return n, nil
}

type secureConn struct {
	*Conn
	secure *tls.Conn
}

func (c *secureConn) ConnectionState() tls.ConnectionState { return c.secure.ConnectionState() }

// Bare gives the connection behind conn, if all that had been read of it was
// given again; else, and for every other connection, conn itself.
func Bare(conn net.Conn) net.Conn {
	switch c := conn.(type) {
	case *Conn:
		if c.read == nil {
			return c.Conn
		}
	case *secureConn:
		if c.read == nil {
			return c.Conn.Conn
		}
	}
	return conn
}
