package btplink

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"math/bits"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// DefaultMaxUnauthenticated is how many sockets may be open that have not
// shown whose they are, unless the server is told otherwise. Past it the one
// that has been silent for longest is ended.
const DefaultMaxUnauthenticated = 1000

// AcceptorOptions are the parts of an Acceptor. Authenticate is needed.
type AcceptorOptions struct {
	// Authenticate says whose socket it is that has shown these credentials.
	// It runs on the goroutine of the socket, may block while ctx lasts, which
	// is for AuthTimeout, and must not keep the slices. Of an error the client
	// is told all: an *Error as it is, others with F00.
	Authenticate func(ctx context.Context, s Shown) (Admission, error)
	// Leave is called, unless it is nil, once for each Admission that
	// Authenticate has given, when the socket has ended.
	Leave func(Admission)

	Limits             Limits // no zero values
	MaxUnauthenticated int    // 0: DefaultMaxUnauthenticated
	MaxConnections     int    // sockets, authenticated or not; 0: any number
	Log                *slog.Logger
}

// Shown is what a client has shown of who it is.
type Shown struct {
	Username, Token []byte
	TLS             *tls.ConnectionState // nil without TLS
}

// Admission is what a socket is let in by.
type Admission struct {
	// Group is where it belongs.
	Group *Group
	// Key is for Group.Admits and Group.End, and nobody else's business.
	Key any
}

// Acceptor is the http.Handler that takes the connections of clients and
// brings each into the Group of its counterparty. All methods may be called
// concurrently.
type Acceptor struct {
	options AcceptorOptions
	refused atomic.Uint64

	running context.Context // ends when no new sockets are taken
	stopped context.CancelFunc

	mu      sync.Mutex // guards what follows
	waiting waiting
	sockets map[*Socket]struct{}

	serving sync.WaitGroup // the goroutines of the sockets
}

var _ http.Handler = (*Acceptor)(nil)

var (
	errGoingAway = errors.New("btp: the server is going away")
	errNotReady  = errors.New("the account is not ready")
	errGaveWay   = errors.New("btp: gave way to another socket before it had authenticated")
)

// NewAcceptor makes an Acceptor.
func NewAcceptor(o AcceptorOptions) *Acceptor {
	if o.MaxUnauthenticated <= 0 {
		o.MaxUnauthenticated = DefaultMaxUnauthenticated
	}
	a := &Acceptor{options: o, waiting: waiting{max: o.MaxUnauthenticated}, sockets: make(map[*Socket]struct{})}
	a.running, a.stopped = context.WithCancel(context.Background())
	return a
}

// ServeHTTP takes a WebSocket connection. It returns when the handshake is
// over; the connection is served until it ends or Close is called. A request
// that asks for no WebSocket is answered with 426, one too many with 503.
func (a *Acceptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wsconn.IsUpgrade(r) && !a.enter() {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "no further connections are taken now", http.StatusServiceUnavailable)
		return
	}
	s, err := accept(w, r, a.options.Limits)
	if err != nil {
		if wsconn.IsUpgrade(r) {
			a.forgo()
		}
		return
	}
	a.serve(s)
}

// enter takes a place among the sockets that are not authenticated.
func (a *Acceptor) enter() bool {
	a.mu.Lock()
	most := a.options.MaxConnections
	if a.running.Err() != nil || most > 0 && len(a.sockets) >= most {
		a.mu.Unlock()
		return false
	}
	out, ok := a.waiting.enter()
	a.mu.Unlock()
	if out != nil {
		out.conn.Abort(errGaveWay)
	}
	return ok
}

// forgo gives back a place that no socket was made for.
func (a *Acceptor) forgo() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting.taken--
}

// leave gives back the place of a socket.
func (a *Acceptor) leave(s *Socket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting.leave(s)
}

// heard reports whether s, which has shown its credentials, still has its
// place.
func (a *Acceptor) heard(s *Socket) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting.hear(s)
}

// dismiss lets s give way to others while it is being refused.
func (a *Acceptor) dismiss(s *Socket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting.dismiss(s)
}

// serve starts the goroutine of s, unless the server has been closed.
func (a *Acceptor) serve(s *Socket) {
	a.mu.Lock()
	if a.running.Err() != nil {
		a.waiting.leave(s)
		a.mu.Unlock()
		s.Close()
		return
	}
	defer a.mu.Unlock()
	a.waiting.listen(s)
	a.sockets[s] = struct{}{}
	a.serving.Go(func() {
		a.run(s)
		a.mu.Lock()
		delete(a.sockets, s)
		a.mu.Unlock()
	})
}

// run is the goroutine of a socket.
func (a *Acceptor) run(s *Socket) {
	admission, id, err := a.authenticate(s)
	g := admission.Group
	a.leave(s)
	if g != nil && a.options.Leave != nil {
		defer a.options.Leave(admission)
	}
	if err == nil && !g.attach(s, id, admission.Key) {
		err = a.refuse(s, id, Errorf(T00UnreachableError, "%v", errNotReady))
	}
	if err != nil {
		s.Close()
		return
	}
	g.detach(s, s.Serve())
}

// authenticate waits for the client's first packet, and gives what it is let
// in by, and its request id (BTP-20). On an error the client has been told,
// and s is at its end.
func (a *Acceptor) authenticate(s *Socket) (admission Admission, id uint32, err error) {
	s.conn.SetReadLimit(min(maxAuthMessage, a.options.Limits.MaxMessage))
	if err := s.conn.SetReadDeadline(time.Now().Add(a.options.Limits.AuthTimeout)); err != nil {
		return Admission{}, 0, err
	}
	message, err := s.conn.ReadMessage()
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.conn.Shutdown(wsconn.CodePolicy, "no authentication")
		}
		return Admission{}, 0, err
	}
	if !a.heard(s) {
		return Admission{}, 0, errGaveWay
	}
	if err := s.packet.Decode(message); err != nil {
		s.conn.Shutdown(wsconn.CodeInvalidPayload, "unreadable BTP packet")
		return Admission{}, 0, err // not answered (BTP-33)
	}
	id = s.packet.RequestID
	username, token, err := readAuth(&s.packet)
	if err == nil {
		ctx, cancel := context.WithTimeout(a.running, a.options.Limits.AuthTimeout)
		admission, err = a.options.Authenticate(ctx, Shown{username, token, s.tls})
		cancel()
		s.tls = nil // it is large, and not needed any more
	}
	if err != nil {
		reason, ok := errors.AsType[*Error](err)
		if !ok {
			reason = Errorf(F00NotAcceptedError, "%v", err)
		}
		a.dismiss(s)
		return Admission{}, id, a.refuse(s, id, reason)
	}
	s.conn.SetReadLimit(a.options.Limits.MaxMessage)
	return admission, id, s.conn.SetReadDeadline(time.Time{})
}

// refuse answers the first packet with an Error and closes (BTP-21). No other
// socket notices.
func (a *Acceptor) refuse(s *Socket, id uint32, reason *Error) error {
	text := printable(reason.Data)
	if n := a.refused.Add(1); bits.OnesCount64(n) == 1 { // the first, and each time their number doubled
		a.options.Log.Warn("btp: authentication refused", slog.String("reason", text),
			slog.String("remote", s.conn.RemoteAddr().String()), slog.Uint64("times", n))
	}
	if err := s.write(&Packet{Type: TypeError, RequestID: id, Error: *reason}); err != nil {
		return err
	}
	s.conn.Shutdown(wsconn.CodePolicy, text)
	// Until the client has closed too: what it has not been sent yet would be
	// lost if the connection were cut.
	for {
		if _, err := s.conn.ReadMessage(); err != nil {
			return err
		}
	}
}

// Closed reports whether Close or Shutdown has been called.
func (a *Acceptor) Closed() bool { return a.running.Err() != nil }

// Refused is the number of sockets whose authentication was refused.
func (a *Acceptor) Refused() uint64 { return a.refused.Load() }

// Close ends all sockets and waits for their goroutines. No new ones are
// taken. What is outstanding on them is answered with an error that wraps
// plugin.ErrUnknownOutcome. It is idempotent and must not be called from a
// Handler.
func (a *Acceptor) Close() {
	for _, s := range a.stop() {
		s.End(errGoingAway, wsconn.CodeGoingAway)
	}
	a.serving.Wait()
}

// Shutdown takes no new sockets, waits until no request is unanswered in
// either direction, and closes. When ctx ends first, it closes at once and
// returns the cause.
func (a *Acceptor) Shutdown(ctx context.Context) error {
	sockets := a.stop()
	tick := time.NewTicker(shutdownPoll)
	defer tick.Stop()
	var err error
	for err == nil && slices.ContainsFunc(sockets, (*Socket).busy) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	a.Close()
	return err
}

// shutdownPoll is how often Shutdown looks whether it can go on.
const shutdownPoll = 20 * time.Millisecond

// stop takes no new sockets, and gives those that there are.
func (a *Acceptor) stop() []*Socket {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped()
	return slices.Collect(maps.Keys(a.sockets))
}
