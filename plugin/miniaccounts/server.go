package miniaccounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/plugin"
)

// Server is the http.Handler that takes the connections of users, and the
// plugin.Plugin of the account that they are behind. The host mounts it at
// the path of its BTP URL and gives it to an account whose relation is Child;
// the connector opens and closes it. All methods may be called concurrently.
//
// An http.Server forgets connections that have become WebSockets: its
// Shutdown neither waits for them nor closes them. Close does.
type Server struct {
	options  Options // no zero values
	socket   btplink.Limits
	origins  origins
	log      *slog.Logger
	acceptor *btplink.Acceptor
	tokens   *tokens // nil without a Store
	users    registry
	flights  sync.Pool // of *flight
	counts   counters

	handler plugin.Handler // set before ready is closed
	ready   chan struct{}  // closed by the first Open that succeeds
	config  atomic.Pointer[config]

	mu     sync.Mutex // guards what follows; held while HandleState is called, for the order
	opened bool
	closed bool

	up atomic.Bool // what the handler was told last; changed with mu held
}

var (
	_ plugin.Plugin = (*Server)(nil)
	_ http.Handler  = (*Server)(nil)
)

// counters of a Server.
type counters struct {
	late, unexpected, origins, faults, malformed atomic.Uint64
}

// NewServer makes a Server, or says everything that is wrong with o.
func NewServer(o Options) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	srv := &Server{options: o, socket: btplink.Limits(o.Socket).WithDefaults(), log: o.Logger, ready: make(chan struct{})}
	var err error
	if srv.origins, err = newOrigins(o.AllowedOrigins, o.AllowedOriginPatterns); err != nil {
		return nil, err
	}
	if o.Store != nil {
		srv.tokens = newTokens(srv)
	}
	srv.users.init(srv)
	srv.flights.New = func() any { return &flight{srv: srv} }
	srv.acceptor = btplink.NewAcceptor(btplink.AcceptorOptions{
		Authenticate:       srv.authenticate,
		Leave:              func(a btplink.Admission) { a.Key.(*admission).user.release() },
		Limits:             srv.socket,
		MaxUnauthenticated: o.MaxUnauthenticated,
		MaxConnections:     o.MaxConnections,
		Log:                o.Logger,
	})
	return srv, nil
}

// ServeHTTP takes the WebSocket connection of a user. It returns when the
// handshake is over; the connection is served until it ends or Close is
// called. A request that asks for no WebSocket is answered with 426, one of a
// page that is not allowed to with 403, one too many with 503.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !srv.origins.allow(r) {
		srv.rarely(&srv.counts.origins, slog.LevelWarn, "miniaccounts: origin refused", slog.String("origin", brief(r.Header.Get("Origin"))))
		http.Error(w, "this origin may not connect", http.StatusForbidden)
		return
	}
	srv.acceptor.ServeHTTP(w, r)
}

// Open reads the tokens, asks the connector for the address of the account,
// and lets users in. It fails if the connector says for good that the account
// has no address; if it cannot say at the moment, users are let in later, and
// the server is not connected before.
func (srv *Server) Open(ctx context.Context, h plugin.Handler) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	switch {
	case srv.closed:
		return btplink.ErrClosed
	case srv.opened:
		return btplink.ErrOpenedBefore
	}
	srv.opened = true
	if srv.tokens != nil {
		if err := srv.tokens.load(ctx); err != nil {
			return fmt.Errorf("miniaccounts: reading the tokens: %w", err)
		}
	}
	srv.handler = h
	if err := srv.configure(ctx); err != nil {
		if final(err) {
			return fmt.Errorf("miniaccounts: the connector gives no address: its account must be a child: %w", err)
		}
		srv.log.LogAttrs(ctx, slog.LevelWarn, "miniaccounts: the connector has no address yet", slog.String("server", srv.options.Name), slog.Any("error", err))
	}
	close(srv.ready)
	srv.tellLocked()
	return nil
}

// tell tells the handler that packets can be sent, when that has become so.
func (srv *Server) tell() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.tellLocked()
}

func (srv *Server) tellLocked() {
	if up := srv.opened && !srv.closed && srv.config.Load() != nil; up != srv.up.Load() {
		srv.up.Store(up)
		srv.handler.HandleState(up, nil)
	}
}

// Connected reports whether packets can be sent to users, if they are there:
// from Open to Close, once the connector has given an address.
func (srv *Server) Connected() bool { return srv.up.Load() }

// SendPrepare sends p to the user that the segment after the address of the
// account names; see plugin.Plugin. What is further on in the address is the
// user's business. An address of no user is rejected with F02; a user without
// a socket is an error that wraps plugin.ErrNotConnected and a reject, T01.
func (srv *Server) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	c := srv.config.Load()
	if c == nil {
		r.Fail(ctx, srv.absent())
		return
	}
	name, ok := c.user(p.Destination)
	if !ok {
		r.Reply(ctx, &ilp.Reject{Code: ilp.F02Unreachable, TriggeredBy: c.address, Message: fmt.Sprintf(
			"can't route packet that is not meant for one of my clients. destination=%s prefix=%s.", p.Destination, c.address)})
		return
	}
	u := srv.users.enter(name)
	if u == nil {
		srv.miss(ctx, c, name, r)
		return
	}
	u.send(ctx, p, r)
}

// miss answers a packet for a user that is not connected.
func (srv *Server) miss(ctx context.Context, c *config, name string, r plugin.Responder) {
	if err := srv.absent(); errors.Is(err, btplink.ErrClosed) {
		r.Fail(ctx, err)
		return
	}
	reject := &ilp.Reject{Code: ilp.F02Unreachable, TriggeredBy: c.address, Message: "No clients connected for account " + name}
	if !srv.known(name) {
		r.Reply(ctx, reject)
		return
	}
	reject.Code = ilp.T01PeerUnreachable
	r.Fail(ctx, &absentError{reject})
}

// absentError is the reject for a packet that was not sent, because its user
// has no socket.
type absentError struct{ reject *ilp.Reject }

func (e *absentError) Error() string   { return e.reject.Error() }
func (e *absentError) Unwrap() []error { return []error{e.reject, plugin.ErrNotConnected} }

// absent is why nobody can be sent a packet now.
func (srv *Server) absent() error {
	if srv.acceptor.Closed() {
		return btplink.ErrClosed
	}
	return plugin.ErrNotConnected
}

// Close ends the sockets of all users and waits for their goroutines. What is
// outstanding is answered with an error that wraps net.ErrClosed. Packets of
// users that the connector has not answered are booked when it does. Close is
// idempotent and must not be called from a Handler.
func (srv *Server) Close() error {
	srv.mu.Lock()
	srv.closed = true
	srv.mu.Unlock()
	srv.users.close()    // no packets to users from now on; sockets end as those of a link that is closed
	srv.acceptor.Close() // those that are not authenticated, too
	srv.users.drain()
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.tellLocked()
	return nil
}

// rarely logs an event the first time, and each time that its number has
// doubled.
func (srv *Server) rarely(n *atomic.Uint64, level slog.Level, message string, attrs ...slog.Attr) {
	if times := n.Add(1); bits.OnesCount64(times) == 1 {
		attrs = append(attrs, slog.String("server", srv.options.Name), slog.Uint64("times", times))
		srv.log.LogAttrs(context.Background(), level, message, attrs...)
	}
}

// brief is as much of a text of a client's as goes into a log.
func brief(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "?")
}

// Stats counts what has happened since the server was made.
type Stats struct {
	Users   int // in memory
	Sockets int // of users

	Refused           uint64 // sockets whose authentication was refused
	RefusedOrigins    uint64 // requests of pages that may not connect
	Malformed         uint64 // packets of users that are none
	LateFulfills      uint64 // fulfillments that came after the packet had expired
	UnexpectedReplies uint64 // other answers to packets that were answered
}

// Stats gives the figures of now.
func (srv *Server) Stats() Stats {
	s := Stats{
		Refused:           srv.acceptor.Refused(),
		RefusedOrigins:    srv.counts.origins.Load(),
		Malformed:         srv.counts.malformed.Load(),
		LateFulfills:      srv.counts.late.Load(),
		UnexpectedReplies: srv.counts.unexpected.Load(),
	}
	for _, u := range srv.users.all() {
		s.Users++
		s.Sockets += u.group.Sockets()
	}
	return s
}

// now is the connector's clock.
func (srv *Server) now() time.Time { return srv.options.Now() }
