package ilphttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

var (
	errNoURL        = errors.New("ilphttp: there is no URL to send packets to")
	errAsyncClient  = errors.New("ilphttp: asynchronous replies come to a server: use Server.Account instead of NewClient")
	errMovedAway    = errors.New("ilphttp: the answer to a packet has a status of success and no packet")
	errNotRoutable  = errors.New("ilphttp: the destination is not behind this link")
	errNoConfigured = errors.New("ilphttp: the connector has not told the address of this account")
)

// sender sends the requests of one account.
type sender struct {
	options ClientOptions
	limits  Limits
	log     *slog.Logger
	link    *lifecycle
	target  *url.URL      // nil where each packet has its own
	request *http.Request // without what is of one packet
	// requestLine is the first line of all requests to target, and Host.
	requestLine []byte
	headers     *headers
	transport   transport
	replies     replies         // asynchronous ones that are waited for
	address     ownAddress      // of our account, for Delimiter
	trips       sync.Pool       // of *trip
	ctx         context.Context // ends when the link is closed
	cancel      context.CancelFunc

	mu       sync.Mutex // guards what follows
	closed   bool
	inFlight int
	running  sync.WaitGroup

	unknown, refused, undelivered atomic.Uint64
}

// newSender checks the options, and makes a sender for the link.
func newSender(o ClientOptions, link *lifecycle) (*sender, error) {
	orDefault(&o.DialTimeout, DefaultDialTimeout)
	orDefault(&o.IdleTimeout, DefaultIdleTimeout)
	s := &sender{options: o, limits: o.Limits.withDefaults(), log: o.logger(), link: link}
	var err error
	if s.headers, err = newHeaders(&o); err != nil {
		return nil, err
	}
	// With a delimiter any segment makes a URL that is as good as another.
	target, err := parseURL(s.urlFor("a"))
	if err != nil {
		return nil, err
	}
	if o.Delimiter != "" {
		if !strings.Contains(o.URL, o.Delimiter) {
			return nil, fmt.Errorf("ilphttp: the URL does not hold the delimiter %q", o.Delimiter)
		}
	} else {
		s.target = target
	}
	if o.CallbackURL != "" {
		if _, err := parseURL(o.CallbackURL); err != nil {
			return nil, fmt.Errorf("%w (callback)", err)
		}
	}
	s.request = &http.Request{Method: http.MethodPost, URL: target, Host: target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.trips.New = func() any { return newTrip(s) }
	s.requestLine = []byte("POST " + target.RequestURI() + " HTTP/1.1\r\nHost: " + target.Host + "\r\n")
	s.transport.init(s, target.Scheme == "https")
	return s, nil
}

// parseURL takes an absolute http or https URL without credentials. The error
// does not show the URL, which may hold some.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("ilphttp: the URL cannot be parsed")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("ilphttp: the scheme of the URL is %q, want https or http", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("ilphttp: the URL has no host")
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("ilphttp: the host of the URL is not ASCII: give it in its encoded form, xn--…")
	case strings.ContainsFunc(u.RequestURI(), func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("ilphttp: the query of the URL holds a space or what is not ASCII: give it in its encoded form, %20")
	case u.User != nil:
		return nil, errors.New("ilphttp: the URL has a user: give the token as an option")
	}
	return u, nil
}

// sendPrepare sends p: over a connection that waits for it, or else on a
// goroutine of its own.
func (s *sender) sendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if s.target != nil && !s.options.Async && s.transport.old.Load() {
		s.transport.carriers.send(ctx, p, r)
		return
	}
	t, err := s.begin(p)
	if err != nil {
		r.Fail(ctx, err)
		return
	}
	t.ctx, t.responder = plugin.Detach(ctx), r
	go t.run()
}

// begin takes a packet in, encoded.
func (s *sender) begin(p *ilp.Prepare) (*trip, error) {
	t := s.trips.Get().(*trip)
	var err error
	if t.packet, err = p.AppendBinary(t.packet[:0]); err != nil {
		s.trips.Put(t)
		return nil, fmt.Errorf("ilphttp: %w: %w", plugin.ErrNotSent, err)
	}
	if err := s.enter(); err != nil {
		s.trips.Put(t)
		return nil, err
	}
	t.expiry, t.destination = p.ExpiresAt, p.Destination
	return t, nil
}

// enter counts a packet in.
func (s *sender) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case !s.link.up.Load():
		return plugin.ErrNotConnected
	case s.inFlight >= s.limits.MaxInFlight:
		return plugin.ErrBusy
	}
	s.inFlight++
	s.running.Add(1)
	return nil
}

// leave makes room for another packet. The goroutine is still running.
func (s *sender) leave() {
	s.mu.Lock()
	s.inFlight--
	s.mu.Unlock()
}

// run starts f, unless the sender is closed.
func (s *sender) run(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(f)
	return true
}

// close ends all requests and waits until they are answered.
func (s *sender) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.transport.close()
	s.running.Wait()
}

// event counts something that goes to the log, the first time and each time
// that its number has doubled.
func (s *sender) event(n *atomic.Uint64, message string, attrs ...slog.Attr) {
	if times := n.Add(1); bits.OnesCount64(times) == 1 {
		attrs = append(attrs, slog.String("host", s.request.URL.Host), slog.Uint64("times", times))
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "ilphttp: "+message, attrs...)
	}
}

// count fills in what is this side's.
func (s *sender) count(stats *Stats) {
	s.mu.Lock()
	stats.Outstanding = s.inFlight
	s.mu.Unlock()
	stats.Unknown, stats.Refused, stats.Undelivered = s.unknown.Load(), s.refused.Load(), s.undelivered.Load()
}

// Stats counts what has happened on a link since it was made.
type Stats struct {
	Outstanding int // packets that the counterparty has not answered
	Unanswered  int // packets of the counterparty that are not answered

	Unknown     uint64 // packets sent whose outcome is not known
	Refused     uint64 // packets that were answered with a status of refusal
	Undelivered uint64 // asynchronous replies of ours that did not arrive
	Abandoned   uint64 // packets of the counterparty that nobody waited for any more
	Unexpected  uint64 // asynchronous replies that we did not wait for
}

// due is the time at which a trip is given up.
func (s *sender) due(expiry time.Time) time.Time { return s.limits.due(time.Now(), expiry) }
