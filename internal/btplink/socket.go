package btplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
)

// Socket is one WebSocket connection that speaks BTP. Both sides are equal
// once it is authenticated (BTP-22), so client and server have it in common.
// One goroutine authenticates and then serves it; SendPrepare, Request and End
// may be called by any.
//
// All fields may be used by any goroutine, but for those at the end, which
// are of the one that reads.
type Socket struct {
	link       *Link // nil on a server until the client is authenticated
	key        any   // that it was let in by
	conn       *wsconn.Conn
	tls        *tls.ConnectionState // on a server, until the client is authenticated
	maxPending int                  // bytes that may wait to be written
	pending    pending
	incoming   incoming
	held       atomic.Bool // frames wait for the end of a burst that will flush them
	place      place       // of the Acceptor

	endMu sync.Mutex // guards what follows
	group *Group     // that it is in; nil on a client
	cause error      // why it ended, or is about to

	burst   *plugin.Burst
	refused int    // packets of the burst that were refused; see pause
	packet  Packet // what has been decoded last; used again for the next
	prepare ilp.Prepare
	fulfill ilp.Fulfill
	reject  ilp.Reject
}

var (
	_ plugin.Replier = (*Socket)(nil)
	_ plugin.Flusher = (*Socket)(nil)
)

// Dial connects a socket of link, which is not authenticated yet. The options
// o are completed by the link's limits.
func Dial(ctx context.Context, link *Link, url string, o wsconn.Options) (*Socket, error) {
	s := newSocket(link.Limits)
	s.link = link
	conn, err := wsconn.Dial(ctx, url, link.Limits.options(s, o))
	if err != nil {
		return nil, fmt.Errorf("btp: %w", err)
	}
	s.conn = conn
	return s, nil
}

// accept makes a socket of a request for a WebSocket. After an error the
// request has been answered.
func accept(w http.ResponseWriter, r *http.Request, limits Limits) (*Socket, error) {
	s := newSocket(limits)
	conn, err := wsconn.Accept(w, r, limits.options(s, wsconn.Options{}))
	if err != nil {
		return nil, err
	}
	s.conn, s.tls = conn, r.TLS
	return s, nil
}

// newSocket makes a socket without a connection.
func newSocket(limits Limits) *Socket {
	s := &Socket{burst: plugin.NewBurst(context.Background())}
	s.pending.limit, s.pending.late, s.pending.next = limits.MaxOutstanding, limits.LateWindow, never
	s.maxPending = limits.MaxPending
	return s
}

// onIdle ends the burst, before the reader waits. Nothing is kept that
// points into the memory the burst was read into.
func (s *Socket) onIdle() {
	s.burst.Flush()
	s.pause()
	s.prepare, s.fulfill, s.reject = ilp.Prepare{}, ilp.Fulfill{}, ilp.Reject{}
	if cap(s.packet.Entries) > maxKeptEntries {
		s.packet.Entries = nil
	}
	clear(s.packet.Entries[:cap(s.packet.Entries)])
	s.packet = Packet{Entries: s.packet.Entries[:0]}
}

// What it costs a counterparty to send more than it may: at most 4,000 packets
// in a second are refused to a socket.
const (
	refusalPause = 250 * time.Microsecond // for each packet that is refused
	maxPause     = 100 * time.Millisecond // for what one read has brought
)

// refuses reports whether a reply says that the packet is one too many of its
// sender's: T03 or T05, within the burst that has brought it, so that it is
// this node that says so; and not because a next hop is busy, for which those
// to other next hops should not have to wait.
func (s *Socket) refuses(ctx context.Context, reply ilp.Reply) bool {
	reject, ok := reply.(*ilp.Reject)
	return ok && (reject.Code == ilp.T03ConnectorBusy || reject.Code == ilp.T05RateLimited) &&
		plugin.BurstFrom(ctx) == s.burst && !errors.Is(reject.Cause, plugin.ErrBusy)
}

// pause leaves the socket unread for a while after packets were refused. That
// costs about as much as to forward them, so a counterparty that sends without
// end would take the processor away from all others. It is read as fast as its
// limits allow, and slowly beyond them; the rest waits on its own side of the
// connection.
func (s *Socket) pause() {
	if s.refused == 0 {
		return
	}
	wait := min(time.Duration(s.refused)*refusalPause, maxPause)
	s.refused = 0
	time.Sleep(wait)
}

// maxKeptEntries is the number of entries that a socket keeps room for.
const maxKeptEntries = 8

// Flush writes what a burst has held back. It implements plugin.Flusher.
func (s *Socket) Flush() {
	s.held.Store(false)
	s.conn.Flush()
}

// flush writes what the caller has added: at the end of the burst that ctx
// belongs to, otherwise now.
func (s *Socket) flush(ctx context.Context) {
	b := plugin.BurstFrom(ctx)
	if b == nil {
		s.conn.Flush()
		return
	}
	// Whoever set held flushes after this frame was added: see Flush.
	if !s.held.Load() && s.held.CompareAndSwap(false, true) {
		b.Defer(s)
	}
}

// SendPrepare sends p as a Message (BTP-10). It has its own copy of p before
// there can be an answer: once there is, the sender may be about to use p
// again.
func (s *Socket) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	packet := *p
	due := packet.ExpiresAt.Add(s.pending.late).UnixMilli()
	id, err := s.pending.add(entry{responder: r, due: due})
	if err != nil {
		r.Fail(ctx, err)
		return
	}
	buf, err := s.beginILP(TypeMessage, id, packet.Size())
	if err == nil {
		buf, err = packet.AppendBinary(buf)
		err = s.finish(buf, err)
	}
	if err != nil {
		if _, v := s.pending.take(id); v == found {
			r.Fail(ctx, notSent(err))
		}
		return
	}
	s.flush(ctx)
}

// writeReply adds an ILP packet that is an answer to what is to be written.
func (s *Socket) writeReply(id uint32, reply ilp.Reply) error {
	buf, err := s.beginILP(TypeResponse, id, reply.Size())
	if err != nil {
		return err
	}
	buf, err = reply.AppendBinary(buf)
	return s.finish(buf, err)
}

// write adds any other packet.
func (s *Socket) write(p *Packet) error {
	buf, err := s.conn.BeginBelow(p.Size(), s.room(p.Type))
	if err != nil {
		return err
	}
	buf, err = p.AppendBinary(buf)
	return s.finish(buf, err)
}

// beginILP makes room for an ILP packet of n bytes in what is to be written,
// so that there is no buffer in between, and writes what goes before it. It is
// to be appended, and then finish called.
func (s *Socket) beginILP(t Type, id uint32, n int) ([]byte, error) {
	buf, err := s.conn.BeginBelow(ILPSize(n), s.room(t))
	if err != nil {
		return nil, err
	}
	return AppendILPHead(buf, t, id, n), nil
}

// finish ends a packet that was begun, unless appending to it has failed.
func (s *Socket) finish(buf []byte, err error) error {
	if err != nil {
		s.conn.Cancel()
		return err
	}
	return s.conn.End(buf)
}

// room is how many bytes may wait to be written when a packet is added. Half
// of them are for replies alone, so that requests to a slow counterparty do
// not end its socket for want of room for a reply.
func (s *Socket) room(t Type) int {
	if t == TypeMessage || t == TypeTransfer {
		return s.maxPending / 2
	}
	return s.maxPending
}

// notSent is the error for a request that could not be written.
func notSent(err error) error {
	switch {
	case errors.Is(err, wsconn.ErrBacklog):
		return plugin.ErrBusy
	case unsendable(err):
		return fmt.Errorf("btp: %w: %w", plugin.ErrNotSent, err)
	}
	return plugin.ErrNotConnected
}

// unsendable reports whether it is the packet that could not be written, on
// whatever connection.
func unsendable(err error) bool {
	return errors.Is(err, ilp.ErrInvalidPacket) || errors.Is(err, ErrInvalidPacket) || errors.Is(err, wsconn.ErrLength)
}

// Reply answers the counterparty's request that token stands for. It
// implements plugin.Replier.
func (s *Socket) Reply(ctx context.Context, token uint64, reply ilp.Reply, err error) {
	id, ok := s.incoming.take(token)
	if !ok {
		s.link.count(&s.link.counters.repeated, "a request was answered twice")
		return
	}
	if reply == nil {
		if reject, ok := errors.AsType[*ilp.Reject](err); ok {
			reply = reject
		}
	}
	if s.refuses(ctx, reply) {
		s.refused++
	}
	if reply != nil {
		err = s.writeReply(id, reply)
		if err == nil || !unsendable(err) {
			s.replied(ctx, err)
			return
		}
		s.link.Log.LogAttrs(ctx, slog.LevelError, "btp: a reply could not be encoded",
			slog.String("account", s.link.Name), slog.Any("error", err))
	}
	s.replied(ctx, s.write(&Packet{Type: TypeError, RequestID: id, Error: *failure(err)}))
}

// replied finishes the writing of a reply.
func (s *Socket) replied(ctx context.Context, err error) {
	if err == nil {
		s.flush(ctx)
		return
	}
	s.link.counters.dropped.Add(1)
	if errors.Is(err, wsconn.ErrBacklog) {
		s.End(errNotReading, wsconn.CodePolicy)
	}
}

var errNotReading = errors.New("btp: the counterparty does not read its replies")

// failure is the Error for a request that got no reply. It does not repeat
// err, which speaks of the inside of this node.
func failure(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e.check() == nil {
		return e
	}
	if errors.Is(err, plugin.ErrNotSent) {
		return Errorf(T00UnreachableError, "the request could not be handled now")
	}
	// What may have had an effect must not be sent again.
	return Errorf(F00NotAcceptedError, "the request failed")
}

// join makes s a socket of g, unless it is at its end.
func (s *Socket) join(g *Group, key any) bool {
	s.endMu.Lock()
	defer s.endMu.Unlock()
	if s.cause != nil {
		return false
	}
	s.link, s.key, s.group = &g.Link, key, g
	return true
}

// End ends the socket from this side: it is sent no packets any more, what is
// outstanding fails at once, and the reader ends when the counterparty has
// closed too, or soon after. Only the first call has an effect.
func (s *Socket) End(cause error, code int) {
	s.endMu.Lock()
	first, g := s.cause == nil, s.group
	if first {
		s.cause = cause
	}
	s.endMu.Unlock()
	if !first {
		return
	}
	if g != nil {
		g.drop(s)
	}
	text := ""
	if code != wsconn.CodeNormal {
		text = cause.Error()
	}
	s.conn.Shutdown(code, text)
	s.fail(cause)
}

// fail answers everything outstanding.
func (s *Socket) fail(cause error) {
	if errors.Is(cause, ErrClosed) {
		s.pending.close(errClosing, ErrClosed)
		return
	}
	s.pending.close(lostError(cause), plugin.ErrNotConnected)
}

// busy reports whether a request is unanswered in either direction.
func (s *Socket) busy() bool {
	return s.pending.outstanding() > 0 || s.incoming.unanswered() > 0
}

// Serve handles what arrives until the socket ends, and returns why it did.
// Then nothing is outstanding on it, and its goroutines but this one are gone.
func (s *Socket) Serve() error {
	var err error
	for err == nil {
		var message []byte
		if message, err = s.conn.ReadMessage(); err == nil {
			err = s.handle(message)
		}
	}
	s.endMu.Lock()
	if s.cause == nil {
		s.cause = err
	}
	cause := s.cause
	s.endMu.Unlock()
	s.fail(cause)
	s.burst.Flush()
	s.conn.Close()
	s.pending.failing.Wait()
	return cause
}

// Close ends a socket that will not be served.
func (s *Socket) Close() { s.conn.Close() }
