package settlement

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Options of an Engine. URL is required, and so is one of AcceptTokens,
// VerifyClient and LoopbackOnly.
type Options struct {
	// URL below which the engine has its API, such as
	// "http://127.0.0.1:3000". A user and password are refused: see
	// BearerToken.
	URL string
	// Client makes the requests; nil means http.DefaultClient. Its TLS
	// configuration is the place for a client certificate. Redirects are not
	// followed.
	Client *http.Client
	// BearerToken is shown to the engine; empty: none is.
	BearerToken string
	// Timeout bounds each request to the engine, and each message to a
	// counterparty. 0 means DefaultTimeout.
	Timeout time.Duration

	// Refused reports whether the answer to a settlement says that nothing was
	// paid under its key, by this request or a former one, and never will be.
	// The amount is put back into the balance then. It is asked about answers
	// that are no 2xx; body has at most 64 KiB. nil: no answer says so, and
	// the engine is asked again, for ever (SE-51).
	Refused func(status int, body []byte) bool

	// AcceptTokens are the tokens of which the engine shows one, as a bearer
	// token or as the password of any user. There may be several while they are
	// changed. They are kept as SHA-256 hashes.
	AcceptTokens []string
	// VerifyClient is given the engine's client certificate, which the host's
	// TLS configuration must have verified, and says why it is not the
	// engine's. If there are AcceptTokens, both are asked for.
	VerifyClient func(certificate *x509.Certificate) error
	// LoopbackOnly says that whoever is on this machine may speak as the
	// engine. Requests from elsewhere, or to another host name, are refused.
	// A proxy on this machine makes the whole world look as if it were here.
	LoopbackOnly bool

	// MaxRequests is how many requests of the engine are served at once; past
	// it there is no answer, or a 503 to a message. 0 means DefaultMaxRequests.
	MaxRequests int
	// MaxMessages is how many messages of one counterparty are with the engine
	// at once; past it they are rejected with T03. 0 means DefaultMaxMessages.
	MaxMessages int
	// MaxMessageRate is how many messages of one counterparty are taken in a
	// second; what comes beyond that is rejected with T05. The RateLimit of the
	// connector's account does not see them. 0 means DefaultMaxMessageRate.
	MaxMessageRate int

	// Logger takes what an operator should know; nil discards it. No token is
	// logged.
	Logger *slog.Logger
}

// What Options' fields of 0 mean.
const (
	DefaultTimeout        = 30 * time.Second
	DefaultMaxRequests    = 100
	DefaultMaxMessages    = 16
	DefaultMaxMessageRate = 100
)

// Engine is a settlement engine as its accounts see it, and, as an
// http.Handler, the accounting system that the engine reports to. All methods
// may be called concurrently.
type Engine struct {
	client      *client
	guard       guard
	timeout     time.Duration
	maxMessages int
	messageRate int
	requests    chan struct{} // holds one for each request that is served
	refused     events
	log         *slog.Logger

	mu       sync.Mutex // guards what follows
	accounts map[string]*Account
}

var _ http.Handler = (*Engine)(nil)

// NewEngine makes an Engine without accounts, or says everything that is wrong
// with the options. It asks nothing of the engine yet.
func NewEngine(o Options) (*Engine, error) {
	timeout := cmp.Or(o.Timeout, DefaultTimeout)
	client, clientErr := newClient(o, timeout)
	e := &Engine{
		client:      client,
		guard:       guard{verify: o.VerifyClient, loopback: o.LoopbackOnly},
		timeout:     timeout,
		maxMessages: cmp.Or(o.MaxMessages, DefaultMaxMessages),
		messageRate: cmp.Or(o.MaxMessageRate, DefaultMaxMessageRate),
		log:         o.Logger,
		accounts:    make(map[string]*Account),
	}
	var tokensErr error
	if len(o.AcceptTokens) > 0 {
		tokensErr = e.SetAcceptTokens(o.AcceptTokens...)
	}
	if err := errors.Join(clientErr, o.check(), tokensErr); err != nil {
		return nil, err
	}
	e.requests = make(chan struct{}, cmp.Or(o.MaxRequests, DefaultMaxRequests))
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	return e, nil
}

func (o *Options) check() error {
	var faults []error
	if len(o.AcceptTokens) == 0 && o.VerifyClient == nil && !o.LoopbackOnly {
		faults = append(faults, errors.New("settlement: Options: anybody could say that money has arrived: set AcceptTokens or VerifyClient, or LoopbackOnly if nobody else can reach the listener"))
	}
	if o.Timeout < 0 {
		faults = append(faults, fmt.Errorf("settlement: Options.Timeout: is %v: it must be 0 (meaning %v) or more", o.Timeout, DefaultTimeout))
	}
	if o.MaxRequests < 0 {
		faults = append(faults, fmt.Errorf("settlement: Options.MaxRequests: is %d: it must be 0 (meaning %d) or more", o.MaxRequests, DefaultMaxRequests))
	}
	if o.MaxMessages < 0 {
		faults = append(faults, fmt.Errorf("settlement: Options.MaxMessages: is %d: it must be 0 (meaning %d) or more", o.MaxMessages, DefaultMaxMessages))
	}
	if o.MaxMessageRate < 0 {
		faults = append(faults, fmt.Errorf("settlement: Options.MaxMessageRate: is %d: it must be 0 (meaning %d) or more", o.MaxMessageRate, DefaultMaxMessageRate))
	}
	return errors.Join(faults...)
}

// SetAcceptTokens replaces Options.AcceptTokens. There must be at least one:
// an Engine that asks for tokens does so for ever.
func (e *Engine) SetAcceptTokens(tokens ...string) error { return e.guard.accept(tokens) }

// AccountOptions say what an account is to its engine.
type AccountOptions struct {
	// ID names the account to the engine, for ever (SE-06). It has 1 to
	// account.MaxIDLength of the characters A-Z a-z 0-9 - . _ ~ and is neither
	// "." nor "..".
	ID string
	// Asset is the unit of the account's amounts. It must be that of the
	// connector's account: see Join.
	Asset ilp.Asset
}

// Join gives a with its plugin joined to the engine, under the account's own
// id, which must be one that AccountOptions.ID can be. a itself is not
// changed.
func (e *Engine) Join(a account.Account) (account.Account, error) {
	joined, err := e.Account(a.Plugin, AccountOptions{ID: a.ID, Asset: a.Asset})
	if err != nil {
		return account.Account{}, err
	}
	a.Plugin = joined
	return a, nil
}

// Account joins inner, the link to a counterparty, to the engine. What it
// returns is to be used in the place of inner, which it opens and closes.
//
// The engine is told of the account when that is opened, again and again until
// it has heard. An id can be used again once its account was closed. An error
// says what is wrong with the options.
func (e *Engine) Account(inner plugin.Plugin, o AccountOptions) (*Account, error) {
	if inner == nil {
		return nil, fmt.Errorf("settlement: account %q: there is no plugin: give it the link to the counterparty", o.ID)
	}
	if !validID(o.ID) {
		return nil, fmt.Errorf("settlement: account %q: ID: it must have 1 to %d letters, digits, -, ., _ and ~, and be neither . nor .. (SE-06)", o.ID, account.MaxIDLength)
	}
	a := newAccount(e, inner, o)
	e.mu.Lock()
	defer e.mu.Unlock()
	if other := e.accounts[o.ID]; other != nil && !other.isClosed() {
		return nil, fmt.Errorf("settlement: account %q: ID: another account has it: close that one first, or choose another id", o.ID)
	}
	e.accounts[o.ID] = a
	return a, nil
}

// DeleteAccount tells the engine to forget an account, which must be closed,
// and forgets it too: the engine is told 404 from now on. Money that the
// engine still has to pay or to report is lost; settle first. Deleting one
// that the engine does not have is no error.
func (e *Engine) DeleteAccount(ctx context.Context, id string) error {
	if !validID(id) {
		return fmt.Errorf("settlement: account %q: no account can have this id", id)
	}
	a := e.account(id)
	if a != nil && !a.isClosed() {
		return fmt.Errorf("settlement: account %q: is in use: close it first", id)
	}
	if err := e.client.deleteAccount(ctx, id); err != nil {
		return fmt.Errorf("settlement: account %q: deleting it: %w", id, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.accounts[id] == a { // nobody has made another one meanwhile
		delete(e.accounts, id)
	}
	return nil
}

// account gives the account of this id, or nil. A closed one stays, so that
// its engine is not told that it never was.
func (e *Engine) account(id string) *Account {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.accounts[id]
}

// validID reports whether id is unreserved characters alone (SE-06), and stays
// what it is in the path of a URL.
func validID(id string) bool {
	if len(id) < 1 || len(id) > account.MaxIDLength || id == "." || id == ".." {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}
