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
	target  string

	mu      sync.Mutex
	down    bool                  // connections are ended as soon as they come
	carried map[net.Conn]net.Conn // from those who dialled to the target
	orphans []net.Conn            // to the target, whose other side is lost
	count   int                   // of connections that were carried
}

func newProxy(t *testing.T) *proxy {
	return &proxy{t: t, carried: make(map[net.Conn]net.Conn)}
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
		for _, c := range p.orphans {
			c.Close()
		}
		p.running.Wait()
	})
	return l.Addr().String()
}

// carry carries one connection until a side ends it.
func (p *proxy) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	if !p.enter(near, far) {
		far.Close()
		return
	}
	p.running.Go(func() {
		io.Copy(near, far)
		near.Close()
	})
	io.Copy(far, near)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ours := p.carried[near]; ours {
		delete(p.carried, near)
		far.Close()
	}
}

func (p *proxy) enter(near, far net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	p.carried[near] = far
	p.count++
	return true
}

// connections is how many there have been.
func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// cut ends all connections, and those that are tried from now on.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for near, far := range p.carried {
		near.Close()
		far.Close()
	}
}

// heal carries connections again.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// abandon ends connections for those who dialled alone, the way a firewall
// loses them: the target does not notice.
func (p *proxy) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for near, far := range p.carried {
		delete(p.carried, near)
		p.orphans = append(p.orphans, far)
		near.Close()
	}
}
