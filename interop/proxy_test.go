package interop_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy carries TCP connections that a test can cut.
type proxy struct {
	t       *testing.T
	running sync.WaitGroup

	mu     sync.Mutex
	target string
	closed bool // new connections are ended at once
	near   map[net.Conn]struct{}
	far    map[net.Conn]struct{}
}

func newProxy(t *testing.T) *proxy {
	return &proxy{t: t, near: make(map[net.Conn]struct{}), far: make(map[net.Conn]struct{})}
}

// start takes connections for target, and returns where.
func (p *proxy) start(target string) string {
	p.t.Helper()
	p.target = target
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.carry(c) })
		}
	})
	p.t.Cleanup(func() {
		l.Close()
		p.cut()
		p.abandoned()
		p.running.Wait()
	})
	return l.Addr().String()
}

// carry carries one connection until either side ends it.
func (p *proxy) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		far.Close()
		return
	}
	p.near[near], p.far[far] = struct{}{}, struct{}{}
	p.mu.Unlock()
	p.running.Go(func() {
		io.Copy(near, far)
		near.Close()
	})
	io.Copy(far, near)
	p.mu.Lock()
	_, kept := p.near[near]
	delete(p.near, near)
	if kept {
		delete(p.far, far)
	}
	p.mu.Unlock()
	if kept {
		far.Close()
	}
}

// cut ends all connections, and those that are tried from now on.
func (p *proxy) cut() { p.end(true, true) }

// heal carries connections again.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
}

// abandon ends connections for those who dialled, while the other side does
// not notice: the way a router or a firewall loses them.
func (p *proxy) abandon() { p.end(false, false) }

// abandoned ends what abandon has left.
func (p *proxy) abandoned() { p.end(true, true) }

func (p *proxy) end(both, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = closed
	for c := range p.near {
		if !both {
			delete(p.near, c)
		}
		c.Close()
	}
	if both {
		for c := range p.far {
			c.Close()
		}
	}
}
