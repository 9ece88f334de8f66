package ilphttp

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/internal/idleconns"
)

// maxHeaderBytes is the most that the headers of a request or response of
// this package need, and then some.
const maxHeaderBytes = 16 << 10

var discard = slog.New(slog.DiscardHandler)

// ServerOptions of a Server. The zero value is useful.
type ServerOptions struct {
	// AccountName says which account a request names; empty if none. nil: the
	// wildcard {account} of the pattern that the Server is mounted with, such
	// as "/accounts/{account}/ilp", or none. For clients of ilp-plugin-http,
	// which send a name, it may be the header ILP-Peer-Name. A name is no
	// proof: see Credentials.Name.
	AccountName func(*http.Request) string
	// Logger gets what an operator should know. nil: no log. No token is
	// logged.
	Logger *slog.Logger

	// Limits of incoming packets, for each account.
	Limits Limits
}

// Server is the http.Handler that takes the packets of any number of
// accounts. It has no goroutines of its own, and nothing to close: requests
// belong to the http.Server, accounts to whoever has their Peer. All methods
// may be called concurrently.
//
// Without TLS everybody on the way can read the tokens and the packets (RFC 35
// asks for it): serve plain HTTP only behind a proxy, or on loopback.
type Server struct {
	accountName func(*http.Request) string
	named       bool   // by a function of the host's
	limits      Limits // no zero values
	log         *slog.Logger
	registry    registry
	refused     atomic.Uint64
}

var _ http.Handler = (*Server)(nil)

// NewServer makes a Server without accounts.
func NewServer(o ServerOptions) *Server {
	s := &Server{accountName: o.AccountName, named: o.AccountName != nil, limits: o.Limits.withDefaults(), log: cmp.Or(o.Logger, discard)}
	if s.accountName == nil {
		s.accountName = func(r *http.Request) string { return r.PathValue("account") }
	}
	return s
}

// Bounds of the connections of an address, see [LimitConnections].
const (
	DefaultMaxUnauthenticated = idleconns.DefaultMaxFresh
	DefaultMaxConnections     = idleconns.DefaultMaxOpen
)

// NewHTTPServer makes an http.Server for h whose limits suit packets, where
// the zero http.Server has none: time for headers, for a request, for a body
// that nobody wants and for a response, size of headers, streams of an HTTP/2
// connection, and connections, as LimitConnections has them by default. A
// request that is held until its packet is answered has its own time for the
// response, see Limits.BodyTimeout. The host sets Addr, TLSConfig and the like.
// It suits WebSockets as well, which are none of its connections any more.
func NewHTTPServer(h http.Handler) *http.Server {
	web := &http.Server{
		Handler:           idleconns.EndBodies(h),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: DefaultMaxInFlight},
	}
	LimitConnections(web, 0, 0)
	return web
}

// LimitConnections bounds the connections of an http.Server, by its ConnState.
// Past unauthenticated ones that have sent no request yet, the one that has
// been silent for longest is closed; past open ones of all, one that is silent,
// or idle, and when all have a request that is being handled, the one that
// comes. 0 stands for DefaultMaxUnauthenticated and DefaultMaxConnections. For
// those that a Listener answers itself see Listener.LimitConnections.
func LimitConnections(web *http.Server, unauthenticated, open int) {
	web.ConnState = idleconns.New(unauthenticated, open).ConnState
}

// AccountOptions are those of one account of a Server. Incoming is needed.
type AccountOptions struct {
	// Incoming is how the counterparty's requests are known.
	Incoming Credentials
	// Outgoing says where packets to the counterparty go, and how. Without a
	// URL there are none: the link is never connected, and only takes packets.
	Outgoing ClientOptions
	// ReplyURL is where the replies to asynchronous requests go that name no
	// Callback-Url, because that has been agreed on. Its host may also be named
	// by a Callback-Url, besides that of Outgoing.URL; every other is refused,
	// since a counterparty that could choose one would have us send requests
	// into our own network, and our token to anybody.
	ReplyURL string
}

// Account adds an account. Its Peer takes requests from Open to Close. An
// error says what is wrong with the options.
func (srv *Server) Account(o AccountOptions) (*Peer, error) {
	if err := o.Incoming.check(); err != nil {
		return nil, err
	}
	p, err := newPeer(srv, o)
	if err != nil {
		return nil, err
	}
	if err := p.setIdentity("", o.Incoming); err != nil {
		return nil, err
	}
	return p, nil
}

// Refused is the number of requests whose authentication was refused.
func (srv *Server) Refused() uint64 { return srv.refused.Load() }

var errNoOutgoing = errors.New("ilphttp: the account has no outgoing URL")
