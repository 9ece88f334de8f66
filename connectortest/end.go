package connectortest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// giveUpAfter is how long after the expiry of a packet its answer is waited
// for.
const giveUpAfter = 5 * time.Second

// end is one end of a Link: the plugin of one account.
type end struct {
	link  *Link
	side  int
	calls sync.WaitGroup // into the handler, and to responders

	// told is guarded by link.state, all else by link.mu.
	told     bool
	handler  plugin.Handler // nil until Open
	closed   bool
	dead     bool // the connector has crashed
	id       uint32
	requests map[uint32]*request
	handling uint64 // amounts of packets that were got and are not answered
}

var _ plugin.Plugin = (*end)(nil)

// request is a packet that was sent.
type request struct {
	end       *end
	id        uint32
	responder plugin.Responder
	amount    uint64
	expires   time.Time
	giveUp    *time.Timer
	answered  bool // guarded by link.mu
}

// Open implements the method of [plugin.Plugin].
func (e *end) Open(_ context.Context, h plugin.Handler) error {
	var err error
	e.link.change(func() {
		switch {
		case e.closed:
			err = fmt.Errorf("connectortest: open: %w", net.ErrClosed)
		case e.handler != nil:
			err = errors.New("connectortest: open: the end is open: an end serves one account")
		default:
			e.handler = h
		}
	})
	return err
}

// usable reports whether the end can be part of a connection.
func (e *end) usable() bool { return e != nil && e.handler != nil && !e.closed }

// tell tells the handler whether the link is up, if that has changed.
func (e *end) tell(connected bool) {
	if e == nil || e.handler == nil || e.dead || e.told == (connected && !e.closed) {
		return
	}
	e.told = connected && !e.closed
	var reason error
	if !e.told {
		reason = errLost
	}
	e.handler.HandleState(e.told, reason)
}

var errLost = errors.New("connectortest: the link is down")

// Connected implements the method of [plugin.Plugin].
func (e *end) Connected() bool {
	e.link.mu.Lock()
	defer e.link.mu.Unlock()
	return !e.closed && e.link.conn != nil
}

// SendPrepare implements the method of [plugin.Plugin].
func (e *end) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	payload, err := p.AppendBinary(nil)
	if err != nil {
		r.Fail(ctx, fmt.Errorf("connectortest: %w: %w", plugin.ErrNotSent, err))
		return
	}
	if err := e.send(p, payload, r); err != nil {
		r.Fail(ctx, err)
	}
}

func (e *end) send(p *ilp.Prepare, payload []byte, r plugin.Responder) error {
	l := e.link
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.closed:
		return fmt.Errorf("connectortest: %w: %w", plugin.ErrNotSent, net.ErrClosed)
	case l.conn == nil:
		return plugin.ErrNotConnected
	}
	e.id++
	q := &request{end: e, id: e.id, responder: r, amount: p.Amount, expires: p.ExpiresAt}
	e.requests[q.id] = q
	q.giveUp = time.AfterFunc(min(max(time.Until(p.ExpiresAt), 0), math.MaxInt64-giveUpAfter)+giveUpAfter, q.abandon)
	l.sent.count(p.Destination.String(), p.Amount)
	l.transmit(frame{conn: l.conn, from: e.side, id: q.id, payload: payload, amount: p.Amount})
	return nil
}

// abandon answers that there was no answer.
func (q *request) abandon() {
	e := q.end
	e.link.mu.Lock()
	if q.answered {
		e.link.mu.Unlock()
		return
	}
	q.answered = true // and stays, for a response that is later still
	e.calls.Add(1)
	e.link.mu.Unlock()
	defer e.calls.Done()
	q.responder.Fail(background, plugin.ErrUnknownOutcome)
}

// lose gives the requests that will not be answered any more, each for one
// call of fail. The caller holds link.mu.
func (e *end) lose() (lost []*request) {
	if e == nil {
		return nil
	}
	for _, q := range e.requests {
		if !q.answered {
			q.answered = true
			q.giveUp.Stop()
			e.calls.Add(1)
			lost = append(lost, q)
		}
	}
	clear(e.requests)
	return lost
}

// fail answers a request that was lost.
func (q *request) fail(err error) {
	defer q.end.calls.Done()
	q.responder.Fail(background, err)
}

// inFlight is the amount of all packets, either way, that are not answered.
// The caller holds link.mu.
func (e *end) inFlight() uint64 {
	sum := e.handling
	for _, q := range e.requests {
		if !q.answered {
			sum += q.amount
		}
	}
	return sum
}

// request takes a packet that arrives, and gives what is to be done about it
// without link.mu.
func (e *end) request(f *frame) func() {
	i := &incoming{end: e, conn: f.conn, id: f.id, amount: f.amount, digest: digest(f.payload)}
	e.handling += f.amount
	handler := e.handler
	return func() {
		var p ilp.Prepare
		if err := p.Decode(f.payload); err != nil {
			handler.HandleMalformed(background, err, plugin.NewResponder(i, 0))
			return
		}
		handler.HandlePrepare(background, &p, plugin.NewResponder(i, 0))
	}
}

// response takes a response that arrives, and gives what is to be done about
// it without link.mu.
func (e *end) response(f *frame) func() {
	q := e.requests[f.id]
	if q == nil {
		return nil
	}
	var fulfill ilp.Fulfill
	var reject ilp.Reject
	reply, err := ilp.DecodeReply(f.payload, &fulfill, &reject)
	if err != nil || f.payload == nil {
		reply, err = nil, plugin.ErrUnknownOutcome
	}
	if _, ok := reply.(*ilp.Fulfill); ok && !q.answered && time.Now().Before(q.expires) {
		e.link.taken[e.side] += q.amount
	}
	q.answered = true
	q.giveUp.Stop()
	if e.link.faults.Duplication == 0 {
		delete(e.requests, q.id)
	}
	return func() {
		if reply == nil {
			q.responder.Fail(background, err)
			return
		}
		q.responder.Reply(background, reply)
	}
}

// incoming is a packet that was got. It takes the answer to it.
type incoming struct {
	end      *end
	conn     *conn
	id       uint32
	amount   uint64
	digest   uint64
	answered bool // guarded by link.mu
}

// Reply implements [plugin.Replier].
func (i *incoming) Reply(_ context.Context, _ uint64, reply ilp.Reply, _ error) {
	var payload []byte
	if reply != nil {
		payload, _ = reply.AppendBinary(nil) // nil if it cannot be written: no answer
	}
	l := i.end.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if i.answered || i.end.dead {
		return
	}
	i.answered = true
	i.end.handling -= i.amount
	if _, ok := reply.(*ilp.Fulfill); ok {
		l.given[1-i.end.side] += i.amount
	}
	if i.conn != l.conn {
		return // the connection is lost, and the answer with it
	}
	l.sent.Responses++
	l.transmit(frame{conn: i.conn, from: i.end.side, response: true, id: i.id, payload: payload,
		digest: digest(binary.BigEndian.AppendUint64(nil, i.digest))})
}

// Close implements the method of [plugin.Plugin].
func (e *end) Close() error {
	e.link.change(func() { e.closed = true })
	for _, q := range e.rest() {
		q.fail(plugin.ErrUnknownOutcome)
	}
	e.calls.Wait()
	return nil
}

// rest gives the requests that a connection before has left.
func (e *end) rest() []*request {
	e.link.mu.Lock()
	defer e.link.mu.Unlock()
	return e.lose()
}
