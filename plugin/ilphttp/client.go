package ilphttp

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Defaults of [ClientOptions].
const (
	DefaultDialTimeout = 10 * time.Second
	// DefaultIdleTimeout is below the five seconds after which servers that
	// run on node close a connection: a request that is sent at this very
	// moment has an unknown outcome.
	DefaultIdleTimeout = 4 * time.Second
)

// ClientOptions say where packets are sent, and how.
type ClientOptions struct {
	// URL is that of the counterparty: https, or http without TLS, which lets
	// everybody on the way read the token and the packets.
	URL string
	// Token goes with every request to the host of URL, and to no other. JWT
	// has tokens made instead.
	Token string
	JWT   *SignedJWT
	// BareToken sends either without "Bearer" before it: ilp-plugin-http before
	// 1.6 takes no other.
	BareToken bool

	// Delimiter, where it is not empty, stands in URL for the segment of the
	// destination that follows the address of our account (which is asked of
	// the connector by ILDCP): one link for many endpoints. The reference's is
	// "%".
	Delimiter string
	// PeerName, where it is not empty, is sent as ILP-Peer-Name, which is
	// whom an ilp-plugin-http with the option multi takes us for.
	PeerName string

	// Async asks for the asynchronous form: the reply comes to our own Server,
	// so it is for accounts of one. CallbackURL is where that is, as the
	// counterparty sees it; empty: it knows.
	Async       bool
	CallbackURL string

	// TLS is used for https; nil means the zero configuration. A client
	// certificate in it may be what we are known by.
	TLS *tls.Config
	// HTTP1 keeps to HTTP/1.1, where otherwise the server may choose HTTP/2.
	HTTP1 bool
	// NetDial replaces the net.Dialer if it is not nil.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Logger gets what an operator should know. nil: no log. No token is
	// logged.
	Logger *slog.Logger

	// DialTimeout bounds one attempt to connect, and the TLS handshake. 0
	// means DefaultDialTimeout.
	DialTimeout time.Duration
	// IdleTimeout is how long a connection is kept that is not in use. 0 means
	// DefaultIdleTimeout.
	IdleTimeout time.Duration

	// Limits of outgoing packets.
	Limits Limits
}

// Client is a link that only sends: for a program that pays and has no
// Server. It implements plugin.Plugin. It is connected from Open to Close: there is
// nothing that would tell before a packet is sent. All methods may be called
// concurrently.
type Client struct {
	lifecycle
	out     *sender
	invalid error // what is wrong with the options
}

var _ plugin.Plugin = (*Client)(nil)

// Dial makes a Client for a URL and a bearer token. Nothing is dialled before
// a packet is sent; Open reports an unusable URL.
func Dial(url, token string) *Client { return NewClient(ClientOptions{URL: url, Token: token}) }

// NewClient makes a Client. Open reports unusable options.
func NewClient(o ClientOptions) *Client {
	c := &Client{lifecycle: newLifecycle()}
	switch {
	case o.URL == "":
		c.invalid = errNoURL
	case o.Async:
		c.invalid = errAsyncClient
	default:
		c.out, c.invalid = newSender(o, &c.lifecycle)
	}
	return c
}

// Open makes the link one that sends. It dials nothing.
func (c *Client) Open(_ context.Context, h plugin.Handler) error {
	if c.invalid != nil {
		return c.invalid
	}
	return c.open(h, true)
}

// SendPrepare sends p; see plugin.Plugin.
func (c *Client) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if c.invalid != nil {
		r.Fail(ctx, notSent(c.invalid))
		return
	}
	c.out.sendPrepare(ctx, p, r)
}

// Connected reports whether the link is open.
func (c *Client) Connected() bool { return c.up.Load() }

// Stats counts what has happened.
func (c *Client) Stats() Stats {
	var s Stats
	if c.out != nil {
		c.out.count(&s)
	}
	return s
}

// Close ends all requests, and waits for them. What is outstanding is answered
// with an error that wraps net.ErrClosed. Close is idempotent and must not be
// called from a Handler.
func (c *Client) Close() error {
	if !c.shut() {
		return nil
	}
	if c.out != nil {
		c.out.close()
	}
	c.finish()
	return nil
}

// dialer is o.NetDial, or that of the net package.
func (o *ClientOptions) dialer() dialFunc {
	if o.NetDial != nil {
		return o.NetDial
	}
	return (&net.Dialer{Timeout: o.DialTimeout, KeepAlive: 15 * time.Second}).DialContext
}

func (o *ClientOptions) logger() *slog.Logger { return cmp.Or(o.Logger, discard) }
