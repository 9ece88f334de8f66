package ilphttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Peer is an account of a Server: both directions of a link. It implements
// plugin.Plugin. If it has an outgoing URL it is connected from Open to Close:
// there is nothing that would tell before a packet is sent whether the
// counterparty is there. Otherwise it never is. All methods may be called
// concurrently.
type Peer struct {
	lifecycle
	server   *Server
	limits   Limits  // of the server
	out      *sender // nil without an outgoing URL
	replyURL *url.URL

	inFlight  atomic.Int64 // packets from the counterparty
	reading   atomic.Int64 // bodies
	answering atomic.Int64 // answers that a Listener writes
	requests  requestIDs
	waiters   waiters
	prepares  sync.Pool // of *ilp.Prepare: they are the handler's for a call
	abandoned atomic.Uint64

	identityMu sync.Mutex           // held while identities change
	identities map[string]*identity // by the name of the user; "": the account
}

var _ plugin.Plugin = (*Peer)(nil)

func newPeer(srv *Server, o AccountOptions) (*Peer, error) {
	p := &Peer{lifecycle: newLifecycle(), server: srv, limits: srv.limits, identities: make(map[string]*identity)}
	var err error
	if o.Outgoing.URL != "" {
		if o.Outgoing.Logger == nil {
			o.Outgoing.Logger = srv.log
		}
		if p.out, err = newSender(o.Outgoing, &p.lifecycle); err != nil {
			return nil, err
		}
	} else if o.Outgoing.Async || o.ReplyURL != "" {
		return nil, errNoOutgoing
	}
	if o.ReplyURL != "" {
		if p.replyURL, err = parseURL(o.ReplyURL); err != nil {
			return nil, fmt.Errorf("%w (replies)", err)
		}
	}
	return p, nil
}

// SetCredentials replaces how the counterparty's requests are known, from the
// next request on. After an error nothing has changed.
func (p *Peer) SetCredentials(c Credentials) error {
	return p.SetUser("", c)
}

// SetUser gives an account a user, or a known user other credentials: somebody
// who sends with credentials of its own, and who is told, when it asks for its
// address, that of the account and its name as the next segment. It is what a
// Delimiter is in the other direction. All users share the balance and the
// limits of the account. The empty name is the account itself.
func (p *Peer) SetUser(name string, c Credentials) error {
	if name != "" && !ilp.ValidSegment(name) {
		return fmt.Errorf("ilphttp: the name of a user is %q: it must be a segment of an address", name)
	}
	if err := c.check(); err != nil {
		return err
	}
	return p.setIdentity(name, c)
}

// RemoveUser makes the credentials of a user invalid.
func (p *Peer) RemoveUser(name string) {
	p.identityMu.Lock()
	defer p.identityMu.Unlock()
	if id := p.identities[name]; id != nil && name != "" {
		p.server.registry.remove(id)
		delete(p.identities, name)
	}
}

var errNoSuchAccount = errors.New("ilphttp: the account is closed")

func (p *Peer) setIdentity(user string, c Credentials) error {
	p.identityMu.Lock()
	defer p.identityMu.Unlock()
	if p.identities == nil {
		return errNoSuchAccount
	}
	id := newIdentity(p, user, c)
	if err := p.server.registry.replace(p.identities[user], id); err != nil {
		return err
	}
	p.identities[user] = id
	return nil
}

// Open lets requests in, and makes the link one that sends. It dials nothing.
func (p *Peer) Open(_ context.Context, h plugin.Handler) error {
	return p.open(h, p.out != nil)
}

// SendPrepare sends a packet to the counterparty; see plugin.Plugin.
func (p *Peer) SendPrepare(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
	if p.out != nil {
		p.out.sendPrepare(ctx, prepare, r)
		return
	}
	select {
	case <-p.closing:
		r.Fail(ctx, errClosed)
	default:
		r.Fail(ctx, plugin.ErrNotConnected)
	}
}

// Connected reports whether the link is open and there is a URL to send to.
func (p *Peer) Connected() bool { return p.up.Load() }

// Stats counts what has happened.
func (p *Peer) Stats() Stats {
	s := Stats{Unanswered: int(p.inFlight.Load()), Abandoned: p.abandoned.Load(), Unexpected: p.requests.unexpected.Load()}
	if p.out != nil {
		p.out.count(&s)
	}
	return s
}

// Close takes the account from the server, ends its requests in both
// directions, and waits for those that it has sent and for calls into the
// handler. What is outstanding is answered with an error that wraps
// net.ErrClosed. Clients that wait for an answer get status 504, though the
// packet may still have an effect. An account with the same credentials may be
// added then. Close is idempotent and must not be called from a Handler.
func (p *Peer) Close() error {
	if !p.shut() {
		return nil
	}
	p.identityMu.Lock()
	for _, id := range p.identities {
		p.server.registry.remove(id)
	}
	p.identities = nil
	p.identityMu.Unlock()
	if p.out != nil {
		p.out.close()
	}
	p.finish()
	return nil
}

func errAttr(err error) slog.Attr     { return slog.Any("error", err) }
func statusAttr(status int) slog.Attr { return slog.Int("status", status) }

// sameOrigin reports whether two URLs have the same scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && canonicalHost(a) == canonicalHost(b)
}

func canonicalHost(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
