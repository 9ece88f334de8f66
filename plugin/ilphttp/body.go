package ilphttp

import (
	"errors"
	"io"
	"sync"
)

// body is the body of one attempt to send a request. It knows whether the
// request can have arrived: a server that has not got the last byte has no
// packet. As long as that byte was not given to the transport, the attempt
// can be revoked, and then certainly nothing was sent, whatever the transport
// still does.
//
// A transport may close a body while it reads it, and read it after that, on a
// goroutine that it has left behind. So each attempt has a body of its own, and
// nothing is read once it has been closed: the memory of the packet may be used
// again then.
type body struct {
	mu     sync.Mutex // held for no longer than it takes to copy some bytes
	packet []byte     // not yet read
	state  bodyState
	closed bool
	ended  func() // when the transport has closed it
}

type bodyState int

const (
	bodyKept    bodyState = iota // the last byte is still here
	bodyTaken                    // the transport has it
	bodyRevoked                  // nobody gets it any more
)

var (
	_ io.ReadCloser = (*body)(nil)

	errRevoked    = errors.New("ilphttp: the request was given up before it was sent")
	errBodyClosed = errors.New("ilphttp: the body was closed")
)

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, errBodyClosed
	case b.state == bodyRevoked:
		return 0, errRevoked
	case len(b.packet) == 0:
		return 0, io.EOF
	}
	n := copy(p, b.packet)
	if b.packet = b.packet[n:]; len(b.packet) == 0 {
		b.state = bodyTaken
	}
	return n, nil
}

// Close is called by the transport, at times after the request has ended.
func (b *body) Close() error {
	b.mu.Lock()
	again := b.closed
	b.closed, b.packet = true, nil
	b.mu.Unlock()
	if !again {
		b.ended()
	}
	return nil
}

// revoke reports whether the request has certainly not been sent.
func (b *body) revoke() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == bodyKept {
		b.state = bodyRevoked
	}
	return b.state == bodyRevoked
}
