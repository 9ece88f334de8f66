package btp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
)

// Defaults of [ClientOptions].
const (
	DefaultMinBackoff  = 100 * time.Millisecond
	DefaultMaxBackoff  = 30 * time.Second
	DefaultStableAfter = time.Minute
	DefaultDialTimeout = 30 * time.Second
)

// ClientOptions say where a Client connects to, and how. URL is needed.
type ClientOptions struct {
	// URL is btp+ws://user:token@host[:port][/path], or btp+wss for TLS, with
	// user and token percent-encoded (BTP-41).
	URL string
	// Username and Token replace those of the URL if either is not empty; the
	// URL must have none then.
	Username, Token string
	// AuthEntries are sent besides the credentials, to a server that asks for
	// more. Most servers do not look at them.
	AuthEntries []Entry

	// TLS is used for btp+wss; nil means the zero configuration.
	TLS *tls.Config
	// NetDial replaces the net.Dialer if it is not nil.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger gets changes of the connection. nil: no log. No token is logged.
	Logger *slog.Logger

	// DialTimeout bounds one attempt to connect, before authentication.
	// 0 means DefaultDialTimeout.
	DialTimeout time.Duration
	// MinBackoff is about how long the client waits before it dials again;
	// after each failure it waits twice as long, up to MaxBackoff. Once a
	// connection has lasted for StableAfter it starts at MinBackoff again.
	// 0 means the defaults.
	MinBackoff, MaxBackoff, StableAfter time.Duration

	Limits Limits
}

// State is what a Client is at.
type State int32

// The states of a Client: it goes from connecting to authenticating to
// connected, from each of these to waiting when that fails or ends, and from
// there to connecting again.
const (
	StateNew            State = iota // Open was not called
	StateConnecting                  // dialling, up to the end of the WebSocket handshake
	StateAuthenticating              // waiting for the answer to the token
	StateConnected
	StateWaiting // to dial again
	StateClosed
)

// String gives the name of the state in lower case.
func (s State) String() string {
	switch s {
	case StateNew:
		return "new"
	case StateConnecting:
		return "connecting"
	case StateAuthenticating:
		return "authenticating"
	case StateConnected:
		return "connected"
	case StateWaiting:
		return "waiting"
	case StateClosed:
		return "closed"
	}
	return fmt.Sprintf("state %d", int32(s))
}

// Client is the side of a BTP link that dials. It implements plugin.Plugin:
// from Open to Close it keeps one connection, and makes a new one when that
// is lost. All methods may be called concurrently.
type Client struct {
	link    btplink.Link
	options ClientOptions
	target  target
	auth    btplink.Auth
	invalid error // what is wrong with the options

	state atomic.Int32
	live  atomic.Pointer[btplink.Socket] // the connected one; nil without

	mu      sync.Mutex // guards what follows
	opened  bool
	closed  bool
	cancel  context.CancelFunc
	current *btplink.Socket // also while it authenticates

	running sync.WaitGroup // the goroutine of the client
}

var _ plugin.Plugin = (*Client)(nil)

// Dial makes a Client for a URL such as
// btp+wss://alice:token@bob.example/ilp. Nothing is dialled before Open,
// which also reports an unusable URL.
func Dial(url string) *Client { return NewClient(ClientOptions{URL: url}) }

// NewClient makes a Client. Nothing is dialled before Open, which also
// reports unusable options.
func NewClient(o ClientOptions) *Client {
	c := &Client{options: o}
	c.target, c.auth, c.invalid = o.target()
	orDefault(&c.options.DialTimeout, DefaultDialTimeout)
	orDefault(&c.options.MinBackoff, DefaultMinBackoff)
	orDefault(&c.options.MaxBackoff, DefaultMaxBackoff)
	orDefault(&c.options.StableAfter, DefaultStableAfter)
	c.link.Limits = btplink.Limits(o.Limits).WithDefaults()
	c.link.Name = c.target.username + "@" + c.target.host
	c.link.Log = o.Logger
	if c.link.Log == nil {
		c.link.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate says what is wrong with the options, as Open does. The error never
// holds the token.
func (o *ClientOptions) Validate() error {
	_, _, err := o.target()
	return err
}

// target gives where the client connects to, and what it shows there.
func (o *ClientOptions) target() (to target, auth btplink.Auth, err error) {
	if to, err = parseURL(o.URL); err != nil {
		return to, auth, err
	}
	if o.Username != "" || o.Token != "" {
		if to.username != "" || to.token != "" {
			return to, auth, errors.New("btp: credentials are in the URL and in the options: give one of them")
		}
		to.username, to.token = o.Username, o.Token
	}
	auth = btplink.Auth{Username: to.username, Token: to.token, More: slices.Clone(o.AuthEntries)}
	return to, auth, auth.Check()
}

func orDefault(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

// Open starts the client's goroutine, which dials, and returns at once. An
// error says what is wrong with the options; it never holds the token.
func (c *Client) Open(_ context.Context, h plugin.Handler) error {
	if c.invalid != nil {
		return c.invalid
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return btplink.ErrClosed
	case c.opened:
		return btplink.ErrOpenedBefore
	}
	c.opened = true
	c.link.Handler = h
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.running.Go(func() { c.run(ctx) })
	return nil
}

// SendPrepare sends p to the counterparty; see plugin.Plugin.
func (c *Client) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	s := c.live.Load()
	if s == nil && c.State() == StateClosed {
		r.Fail(ctx, btplink.ErrClosed)
		return
	}
	c.link.SendPrepare(ctx, s, p, r)
}

// Request sends a Message or a Transfer of p's entries (its RequestID is
// chosen here) and waits for the Response. When the counterparty answers with
// an Error, the error is an *Error. ctx ends the wait, with an error that
// wraps plugin.ErrUnknownOutcome. It must not be called from a Handler.
func (c *Client) Request(ctx context.Context, p *Packet) (Packet, error) {
	s := c.live.Load()
	if s == nil && c.State() == StateClosed {
		return Packet{}, btplink.ErrClosed
	}
	return c.link.Request(ctx, s, p)
}

// HandleRequests sets what takes requests without an ILP packet. It is called
// before Open.
func (c *Client) HandleRequests(h RequestHandler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link.Requests = h
}

// Connected reports whether there is an authenticated connection.
func (c *Client) Connected() bool { return c.live.Load() != nil }

// State is what the client is at.
func (c *Client) State() State { return State(c.state.Load()) }

// Stats counts what has happened.
func (c *Client) Stats() Stats {
	if s := c.live.Load(); s != nil {
		return Stats(c.link.Stats(s))
	}
	return Stats(c.link.Stats())
}

// Close ends the connection and waits for the client's goroutines. What is
// outstanding is answered with an error that wraps net.ErrClosed. Close is
// idempotent and must not be called from a Handler.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	s := c.current
	if c.cancel != nil {
		c.cancel()
	}
	c.mu.Unlock()
	if s != nil {
		s.End(btplink.ErrClosed, wsconn.CodeNormal)
	}
	c.running.Wait()
	c.state.Store(int32(StateClosed))
	return nil
}
