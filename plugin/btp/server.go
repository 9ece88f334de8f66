package btp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/interledger-go/connector/internal/btplink"
)

// Defaults of [ServerOptions].
const (
	DefaultMaxUnauthenticated = btplink.DefaultMaxUnauthenticated
	DefaultMaxSockets         = btplink.DefaultMaxSockets
)

// Policy is what happens when a second socket is authenticated for an
// account.
type Policy int

const (
	// Replace ends the older socket. Two clients that both come back, with
	// the credentials of one account, end each other's for ever.
	Replace = Policy(btplink.Replace)
	// Newest keeps both, and sends packets over the newer one.
	Newest = Policy(btplink.Newest)
	// RoundRobin keeps both, and sends packets over them in turn.
	RoundRobin = Policy(btplink.RoundRobin)
)

// ServerOptions of a Server. The zero value is useful.
type ServerOptions struct {
	// Sockets is the policy for further sockets of an account.
	Sockets Policy
	// MaxSockets is how many sockets an account may have, where the policy
	// keeps them; then the oldest is ended. 0 means DefaultMaxSockets.
	MaxSockets int
	// MaxUnauthenticated is how many sockets may be open that have not shown
	// whose they are. Past it the one that has been silent for longest is
	// ended, and where all are being authenticated, the one that comes is
	// refused. 0 means DefaultMaxUnauthenticated.
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
	limits   btplink.Limits // no zero values
	log      *slog.Logger
	accounts registry
	acceptor *btplink.Acceptor
}

var _ http.Handler = (*Server)(nil)

var errServerClosed = fmt.Errorf("btp: the server is closed: %w", net.ErrClosed)

// NewServer makes a Server without accounts.
func NewServer(o ServerOptions) *Server {
	s := &Server{options: o, limits: btplink.Limits(o.Limits).WithDefaults(), log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.acceptor = btplink.NewAcceptor(btplink.AcceptorOptions{
		Authenticate:       s.authenticate,
		Limits:             s.limits,
		MaxUnauthenticated: o.MaxUnauthenticated,
		Log:                s.log,
	})
	return s
}

// Account adds an account. Its Peer lets clients in from Open to Close. An
// error says what is wrong with the credentials, or that the server has been
// closed.
func (srv *Server) Account(c Credentials) (*Peer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if srv.acceptor.Closed() {
		return nil, errServerClosed
	}
	known := c.certificates()
	p := &Peer{
		server:       srv,
		named:        c.Username != "",
		username:     sha256.Sum256([]byte(c.Username)),
		hasToken:     c.Token != "",
		token:        sha256.Sum256([]byte(c.Token)),
		certificates: known.Marks(),
		certified:    c.RequireCertificate,
	}
	p.group.Init(cmp.Or(c.Username, "(no user name)"), srv.limits, srv.log, btplink.Policy(srv.options.Sockets), srv.options.MaxSockets)
	if err := srv.accounts.add(p); err != nil {
		return nil, err
	}
	return p, nil
}

// ServeHTTP takes a WebSocket connection. It returns when the handshake is
// over; the connection is served until it ends or Close is called. A request
// that asks for no WebSocket is answered with 426, one too many with 503.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	srv.acceptor.ServeHTTP(w, r)
}

// authenticate finds the account of a client's credentials. It keeps a client
// that is early until its account is open: a program often listens before it
// runs its connector, and some clients give up for good when they are refused
// once.
func (srv *Server) authenticate(ctx context.Context, shown btplink.Shown) (btplink.Admission, error) {
	p := srv.accounts.find(shown, time.Now())
	if p == nil {
		return btplink.Admission{}, errCredentials
	}
	select {
	case <-p.group.Ready():
	case <-ctx.Done():
	}
	return btplink.Admission{Group: &p.group}, nil
}

// Refused is the number of sockets whose authentication was refused.
func (srv *Server) Refused() uint64 { return srv.acceptor.Refused() }

// Close ends all sockets and waits for their goroutines. No new ones are
// taken. What is outstanding on them is answered with an error that wraps
// plugin.ErrUnknownOutcome. The accounts stay, disconnected, until their
// Peers are closed. Close is idempotent and must not be called from a Handler.
func (srv *Server) Close() error {
	srv.acceptor.Close()
	return nil
}

// Shutdown takes no new sockets, waits until no request is unanswered in
// either direction, and closes the server. When ctx ends first, it closes the
// server at once and returns the cause.
func (srv *Server) Shutdown(ctx context.Context) error { return srv.acceptor.Shutdown(ctx) }
