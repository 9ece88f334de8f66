package ilphttp

import (
	"errors"
	"io"
	"sync/atomic"
)

// body is the body of one attempt to send a request. It knows whether the
// request can have arrived: a server that has not got the last byte has no
// packet. As long as that byte was not given to the transport, the attempt
// can be revoked, and then certainly nothing was sent, whatever the transport
// still does.
type body struct {
	packet []byte
	offset int
	state  atomic.Int32
	closed atomic.Bool
	ended  func() // when the transport has closed it
}

// The states of a body.
const (
	bodyKept    = iota // the last byte is still here
	bodyTaken          // the transport has it
	bodyRevoked        // nobody gets it any more
)

var (
	_ io.ReadCloser = (*body)(nil)

	errRevoked = errors.New("ilphttp: the request was given up before it was sent")
)

func (b *body) Read(p []byte) (int, error) {
	rest := b.packet[b.offset:]
	if len(rest) == 0 {
		return 0, io.EOF
	}
	if len(p) >= len(rest) {
		b.state.CompareAndSwap(bodyKept, bodyTaken)
	}
	if b.state.Load() == bodyRevoked {
		return 0, errRevoked
	}
	n := copy(p, rest)
	b.offset += n
	return n, nil
}

// Close is called by the transport, at times after the request has ended.
func (b *body) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		b.ended()
	}
	return nil
}

// revoke reports whether the request has certainly not been sent.
func (b *body) revoke() bool {
	return b.state.CompareAndSwap(bodyKept, bodyRevoked) || b.state.Load() == bodyRevoked
}
