package testserver

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"
)

// Proxy stands between a client and a server, and fails as networks do: a
// request or a reply is held up for as long as the test likes, while the
// client goes away and comes back on a connection of its own, or all
// connections break.
//
// Its methods may be called concurrently.
type Proxy struct {
	listener net.Listener
	target   string
	done     sync.WaitGroup // its goroutines

	mu    sync.Mutex
	ended bool
	links map[*link]bool
	traps []*trap // those that wait for their request
}

// link is a connection of a client, and the one to the server that belongs to
// it. Proxy.mu guards the gates: a channel is a closed gate, until it is
// closed itself, and nil an open one.
type link struct {
	client, server    net.Conn
	requests, replies chan struct{}
}

// trap holds up the connection on which a request comes that contains part.
type trap struct {
	part  []byte
	reply bool // hold the replies, and let the request pass
	held  chan struct{}
}

// NewProxy starts a proxy in front of the server at target, on a port of the
// loopback interface. It ends with t.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, links: make(map[*link]bool)}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		p.end()
		p.done.Wait()
	})
	return p
}

// Addr returns the host and port at which the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// HoldRequest waits for a request that contains part, and from there on keeps
// what comes from that client from the server, until Release. The channel is
// closed when that has begun.
func (p *Proxy) HoldRequest(part string) (held <-chan struct{}) {
	return p.setTrap(&trap{part: []byte(part), held: make(chan struct{})})
}

// HoldReply waits for a request that contains part, lets it pass, and from
// there on keeps what the server says from that client, until Release. The
// channel is closed when that has begun.
func (p *Proxy) HoldReply(part string) (held <-chan struct{}) {
	return p.setTrap(&trap{part: []byte(part), reply: true, held: make(chan struct{})})
}

func (p *Proxy) setTrap(t *trap) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, t)
	return t.held
}

// Release passes on what has been held up, in both directions, even if the
// connection on the other side has gone.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
}

func (p *Proxy) release() {
	for l := range p.links {
		for _, gate := range []*chan struct{}{&l.requests, &l.replies} {
			if *gate != nil {
				close(*gate)
				*gate = nil
			}
		}
	}
}

// Break breaks the connections of all clients. Requests that are held up stay
// so.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		_ = l.client.Close()
	}
}

// end closes everything.
func (p *Proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	_ = p.listener.Close()
	for l := range p.links {
		_ = l.client.Close()
		_ = l.server.Close()
	}
	p.release()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close() // So does a client find out that the server is away.
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		if p.ended {
			_ = client.Close()
			_ = server.Close()
		}
		p.links[l] = true
		p.mu.Unlock()
		p.done.Go(func() { p.serve(l) })
	}
}

// serve returns when both directions have ended, each of which ends with its
// source.
func (p *Proxy) serve(l *link) {
	var replies sync.WaitGroup
	replies.Go(func() {
		p.pump(l.client, l.server, func([]byte) <-chan struct{} { return p.gate(&l.replies) })
		_ = l.client.Close()
	})
	p.pump(l.server, l.client, func(chunk []byte) <-chan struct{} {
		p.spring(l, chunk)
		return p.gate(&l.requests)
	})
	_ = l.server.Close()
	replies.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// pump copies chunk by chunk. A chunk waits at the gate that there is for it.
func (p *Proxy) pump(to, from net.Conn, gate func(chunk []byte) <-chan struct{}) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if closed := gate(buffer[:n]); closed != nil {
				<-closed
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) gate(of *chan struct{}) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *of
}

// spring closes a gate of l if a trap waits for this request.
func (p *Proxy) spring(l *link, request []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.traps, func(t *trap) bool { return bytes.Contains(request, t.part) })
	if i < 0 || p.ended {
		return
	}
	t := p.traps[i]
	p.traps = slices.Delete(p.traps, i, i+1)
	gate := &l.requests
	if t.reply {
		gate = &l.replies
	}
	if *gate == nil {
		*gate = make(chan struct{})
	}
	close(t.held)
}
