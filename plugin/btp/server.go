package btp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// Defaults of [ServerOptions].
const (
	DefaultMaxUnauthenticated = 1000
	DefaultMaxSockets         = 16
)

// Policy is what happens when a second socket is authenticated for an
// account.
type Policy int

const (
	// Replace ends the older socket. Two clients that both come back, with
	// the credentials of one account, end each other's for ever.
	Replace Policy = iota
	// Newest keeps both, and sends packets over the newer one.
	Newest
	// RoundRobin keeps both, and sends packets over them in turn.
	RoundRobin
)

// ServerOptions of a Server. The zero value is useful.
type ServerOptions struct {
	// Sockets is the policy for further sockets of an account.
	Sockets Policy
	// MaxSockets is how many sockets an account may have, where the policy
	// keeps them; then the oldest is ended. 0 means DefaultMaxSockets.
	MaxSockets int
	// MaxUnauthenticated is how many sockets may be open that have not shown
	// whose they are. 0 means DefaultMaxUnauthenticated.
	MaxUnauthenticated int
	// Logger gets what an operator should know. nil: no log. No token is
	// logged.
	Logger *slog.Logger

	Limits Limits
}

// Server is the http.Handler that takes the connections of clients, for any
// number of accounts. The host mounts it at the path of its BTP URL. All
// methods may be called concurrently.
//
// An http.Server forgets connections that have become WebSockets: its
// Shutdown neither waits for them nor closes them. Call Close or Shutdown of
// this Server too, after that of the http.Server.
type Server struct {
	options  ServerOptions
	limits   Limits // no zero values
	log      *slog.Logger
	accounts registry
	refused  atomic.Uint64
	stopping chan struct{} // closed when closed is set

	mu      sync.Mutex // guards what follows
	closed  bool
	waiting int // sockets that are not authenticated
	sockets map[*socket]struct{}

	serving sync.WaitGroup // the goroutines of the sockets
}

var _ http.Handler = (*Server)(nil)

var (
	errReplaced     = errors.New("btp: replaced by a newer connection of the account")
	errGoingAway    = errors.New("btp: the server is going away")
	errServerClosed = fmt.Errorf("btp: the server is closed: %w", net.ErrClosed)
)

// NewServer makes a Server without accounts.
func NewServer(o ServerOptions) *Server {
	if o.MaxSockets <= 0 {
		o.MaxSockets = DefaultMaxSockets
	}
	if o.MaxUnauthenticated <= 0 {
		o.MaxUnauthenticated = DefaultMaxUnauthenticated
	}
	s := &Server{options: o, limits: o.Limits.withDefaults(), log: o.Logger,
		sockets: make(map[*socket]struct{}), stopping: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Account adds an account. Its Peer lets clients in from Open to Close. An
// error says what is wrong with the credentials, or that the server has been
// closed.
func (srv *Server) Account(c Credentials) (*Peer, error) {
	if c.Token == "" {
		return nil, errors.New("btp: an account needs a token: anybody could connect without one")
	}
	if srv.isClosed() {
		return nil, errServerClosed
	}
	p := &Peer{
		server:   srv,
		named:    c.Username != "",
		username: sha256.Sum256([]byte(c.Username)),
		token:    sha256.Sum256([]byte(c.Token)),
		ready:    make(chan struct{}),
	}
	p.name, p.limits, p.log = cmp.Or(c.Username, "(no user name)"), srv.limits, srv.log
	if err := srv.accounts.add(p); err != nil {
		return nil, err
	}
	return p, nil
}

func (srv *Server) isClosed() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.closed
}

// Refused is the number of sockets whose authentication was refused.
func (srv *Server) Refused() uint64 { return srv.refused.Load() }

// Close ends all sockets and waits for their goroutines. No new ones are
// taken. What is outstanding on them is answered with an error that wraps
// plugin.ErrUnknownOutcome. The accounts stay, disconnected, until their
// Peers are closed. Close is idempotent and must not be called from a Handler.
func (srv *Server) Close() error {
	for _, s := range srv.stop() {
		s.end(errGoingAway, wsconn.CodeGoingAway)
	}
	srv.serving.Wait()
	return nil
}

// Shutdown takes no new sockets, waits until no request is unanswered in
// either direction, and closes the server. When ctx ends first, it closes the
// server at once and returns the cause.
func (srv *Server) Shutdown(ctx context.Context) error {
	sockets := srv.stop()
	tick := time.NewTicker(shutdownPoll)
	defer tick.Stop()
	var err error
	for err == nil && slices.ContainsFunc(sockets, (*socket).busy) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	srv.Close()
	return err
}

// shutdownPoll is how often Shutdown looks whether it can go on.
const shutdownPoll = 20 * time.Millisecond

// stop takes no new sockets, and gives those that there are.
func (srv *Server) stop() []*socket {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if !srv.closed {
		srv.closed = true
		close(srv.stopping)
	}
	return slices.Collect(maps.Keys(srv.sockets))
}
