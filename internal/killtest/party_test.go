package killtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// window is how many packets each party has in flight.
const window = 64

// party is a counterparty of the connector, with its bank.
type party struct {
	terms
	w     *world
	link  plugin.Plugin // to the connector: peer, or that of a user
	peer  *btp.Peer     // nil for a user
	bank  *plugintest.Bank
	slots chan struct{} // one for each packet in flight

	// Guarded by w.mu.
	connected bool
	held      []*packet // from others, to be fulfilled later
	flushing  bool      // nothing is held any more
	owes      int64     // steps, since it last settled, as far as it knows
	sent      int       // settlements that are booked
	sentTotal int64     // and their amount
	pending   *plugin.Money
	settled   int  // settlements it has thought of
	base      base // as of the last audit
}

// packet is one that a party pays to another.
type packet struct {
	from, to *party
	steps    int64
	fate     fate

	arrived   bool
	fulfilled bool // by its destination
	outcome   outcome
	reject    ilp.Reject
	responder plugin.Responder // while it is held
	secret    ilp.Fulfillment
}

// fate is what its destination does with a packet.
type fate int

const (
	fulfilledAtOnce fate = iota
	fulfilledLater
	fulfilledTooLate // after its source has learnt that it expired
	rejected
)

// outcome is what the source of a packet learns.
type outcome int

const (
	unanswered outcome = iota
	relayed            // it was fulfilled
	refused            // it was rejected
	cutOff             // the link was lost
	unsent             // it certainly never left
)

// rejections are what a packet may be refused with: by its destination; because
// a limit is reached; because it expired, or was about to; because the books
// cannot be kept.
var rejections = []ilp.Code{
	ilp.F99ApplicationError, ilp.T04InsufficientLiquidity, ilp.R00TransferTimedOut, ilp.R02InsufficientTimeout, ilp.T03ConnectorBusy,
}

func newParty(w *world, t terms) (*party, error) {
	p := &party{terms: t, w: w, slots: make(chan struct{}, window)}
	p.bank = &plugintest.Bank{Decide: w.decide, Record: w.record}
	if t.user {
		p.link = newUserLink(w, t)
		return p, p.link.Open(context.Background(), p)
	}
	var err error
	if p.peer, err = w.server.Account(btp.Credentials{Username: t.id, Token: token}); err != nil {
		return nil, err
	}
	p.link = p.peer
	p.peer.HandleRequests(p.requested)
	return p, p.peer.Open(context.Background(), p)
}

// pay keeps the window full, until ctx is done.
func (p *party) pay(ctx context.Context) {
	for {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		prepare, token, ok := p.next(ctx)
		if !ok {
			<-p.slots
			return
		}
		p.link.SendPrepare(context.Background(), &prepare, plugin.NewResponder(p, token))
	}
}

// probe sends a packet beside the others and gives it with its outcome.
func (p *party) probe() *packet {
	prepare, token, _ := p.next(context.Background())
	done := make(chan struct{})
	p.link.SendPrepare(context.Background(), &prepare, plugin.NewResponder(plugin.ReplyFunc(
		func(_ context.Context, answer ilp.Reply, err error) {
			give(p.learn(token, answer, err))
			close(done)
		}), 0))
	<-done
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.w.packets[token]
}

// next makes a packet as soon as the party is connected.
func (p *party) next(ctx context.Context) (prepare ilp.Prepare, token uint64, ok bool) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for !p.connected && ctx.Err() == nil {
		w.changed.Wait()
	}
	if ctx.Err() != nil {
		return prepare, 0, false
	}
	token = uint64(len(w.packets))
	k := &packet{from: p, to: w.destination(), steps: 1 + w.r.Int64N(maxSteps), secret: w.secret(token)}
	for k.to == p {
		k.to = w.destination()
	}
	expiry := 30 * time.Second
	switch n := w.r.IntN(100); {
	case n < 2:
		k.fate, expiry = fulfilledTooLate, 5*messageWindow
	case n < 20:
		k.fate = rejected
	case n < 60:
		k.fate = fulfilledLater
	}
	w.packets = append(w.packets, k)
	return ilp.Prepare{
		Amount: uint64(k.steps * p.step()), Condition: k.secret.Condition(), ExpiresAt: time.Now().Add(expiry).UTC(),
		Destination: k.to.address(),
		Data:        binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, w.audits), token),
	}, token, true
}

// destination is a party that accepts packets: alice more often than the
// others, so that the connector has to settle with her as well. The caller
// holds mu.
func (w *world) destination() *party {
	for {
		if p := w.parties[w.r.IntN(len(w.parties))]; p.accepts && (p.id == "alice" || w.r.IntN(2) == 0) {
			return p
		}
	}
}

// secret is the fulfillment of a packet. The caller holds mu.
func (w *world) secret(token uint64) ilp.Fulfillment {
	return sha256.Sum256(fmt.Appendf(nil, "%d %d %d", w.seed, w.audits, token))
}

// reply is an answer that is to be given without mu.
type reply struct {
	to     plugin.Responder
	answer ilp.Reply
}

func give(replies []reply) {
	for _, r := range replies {
		r.to.Reply(context.Background(), r.answer)
	}
}

// fulfill has the destination of k fulfill it. The caller holds mu.
func (k *packet) fulfill() reply {
	k.fulfilled = true
	return reply{k.responder, &ilp.Fulfill{Fulfillment: k.secret}}
}

// release fulfils held packets, any of them, until n are left. The caller
// holds mu.
func (p *party) release(n int) (replies []reply) {
	for len(p.held) > n {
		i, last := p.w.r.IntN(len(p.held)), len(p.held)-1
		replies = append(replies, p.held[i].fulfill())
		p.held[i] = p.held[last]
		p.held = p.held[:last]
	}
	return replies
}

// HandlePrepare takes a packet of another party.
func (p *party) HandlePrepare(_ context.Context, prepare *ilp.Prepare, r plugin.Responder) {
	give(p.take(prepare, r))
}

func (p *party) take(prepare *ilp.Prepare, r plugin.Responder) []reply {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	reject := []reply{{r, ilp.Rejectf(ilp.F99ApplicationError, "not wanted")}}
	if len(prepare.Data) != 16 {
		w.fault("%s is sent a packet that nobody has paid: %+v", p.id, prepare)
		return reject
	}
	audit, token := binary.BigEndian.Uint64(prepare.Data), binary.BigEndian.Uint64(prepare.Data[8:])
	if audit != w.audits || token >= uint64(len(w.packets)) {
		w.fault("%s is sent packet %d of audit %d", p.id, token, audit)
		return reject
	}
	k := w.packets[token]
	switch {
	case k.to != p:
		w.fault("%s is sent packet %d, which is for %s", p.id, token, k.to.id)
		return reject
	case k.arrived:
		w.fault("packet %d arrives twice", token)
		return reject
	case prepare.Amount != uint64(k.steps*p.step()) || prepare.Condition != k.secret.Condition():
		w.fault("packet %d of %d steps arrives at %s with %d", token, k.steps, p.id, prepare.Amount)
		return reject
	}
	k.arrived, k.responder = true, r
	w.event(arrived)
	switch k.fate {
	case rejected:
		return reject
	case fulfilledTooLate:
		return nil
	case fulfilledAtOnce:
		return []reply{k.fulfill()}
	}
	p.held = append(p.held, k)
	if p.flushing {
		return p.release(0)
	}
	const mostHeld = 10
	return p.release(w.r.IntN(mostHeld))
}

// Reply takes the outcome of a packet that the party has sent.
func (p *party) Reply(_ context.Context, token uint64, answer ilp.Reply, err error) {
	give(p.learn(token, answer, err))
	<-p.slots
}

func (p *party) learn(token uint64, answer ilp.Reply, err error) []reply {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.packets[token]
	if k.outcome != unanswered {
		w.fault("packet %d is answered twice", token)
		return nil
	}
	switch a := answer.(type) {
	case *ilp.Fulfill:
		k.outcome = relayed
		w.totals.relayed++
		p.owes += k.steps
		k.to.owes -= k.steps
		if !k.fulfilled || a.Fulfillment != k.secret {
			w.fault("packet %d is fulfilled with %v by nobody", token, a.Fulfillment)
		}
	case *ilp.Reject:
		k.outcome, k.reject = refused, a.Clone()
		w.totals.rejected++
		if k.fulfilled {
			w.fault("packet %d was fulfilled by %s, and is rejected: %v", token, k.to.id, a)
		}
		notThere := k.to.absent(a.Code) && !k.arrived // yet, or any more
		if !notThere && !slices.Contains(rejections, a.Code) {
			w.fault("packet %d is rejected: %v", token, a)
		}
	default:
		k.outcome = cutOff
		if errors.Is(err, plugin.ErrNotSent) {
			k.outcome = unsent
			if k.arrived {
				w.fault("packet %d was not sent (%v), and arrived", token, err)
			}
		}
	}
	w.event(answered)
	if k.fate == fulfilledTooLate && k.outcome == refused && k.arrived {
		w.totals.late++
		return []reply{k.fulfill()}
	}
	return nil
}

// settle pays what the party owes, whenever that is much, until ctx is done. A
// settlement that is not acknowledged is sent again under its key, also by
// the next call.
func (p *party) settle(ctx context.Context) {
	for {
		m, ok := p.owed(ctx)
		if !ok {
			return
		}
		if _, err := p.peer.Request(ctx, message(m)); err == nil {
			p.acknowledged(m)
		}
	}
}

// owed waits until there is something to settle.
func (p *party) owed(ctx context.Context) (plugin.Money, bool) {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	const much, steps = 30 * maxSteps, 25 * maxSteps
	for ctx.Err() == nil && (!p.connected || p.pending == nil && p.owes < much) {
		w.changed.Wait()
	}
	if ctx.Err() != nil {
		return plugin.Money{}, false
	}
	if p.pending == nil {
		p.settled++
		p.owes -= steps
		// One unit more than whole steps: so many of these show in the balance.
		p.pending = &plugin.Money{Amount: uint64(steps*p.step() + 1), Key: fmt.Sprintf("%s-%d", p.id, p.settled)}
	}
	return *p.pending, true
}

func (p *party) acknowledged(m plugin.Money) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.sent++
	p.sentTotal += int64(m.Amount)
	p.pending = nil
	p.w.event(booked)
}

// requested takes a request to the bank.
func (p *party) requested(ctx context.Context, q *btp.Packet, r btp.Request) {
	m, err := parse(q)
	if err != nil {
		_ = r.Refuse(ctx, btp.Errorf(btp.F01InvalidFieldsError, "%v", err))
		return
	}
	p.w.mu.Lock()
	ctx = p.w.ctx
	p.w.mu.Unlock()
	p.w.paying.Go(func() {
		switch err := p.bank.Pay(ctx, m); {
		case err == nil:
			_ = r.Respond(ctx)
		case errors.Is(err, plugin.ErrNotSent):
			_ = r.Refuse(ctx, btp.Errorf(btp.F00NotAcceptedError, "%v", err))
		default:
			_ = r.Refuse(ctx, btp.Errorf(btp.T00UnreachableError, "%v", err))
		}
	})
}

// HandleState says that the connector is there, or gone.
func (p *party) HandleState(connected bool, _ error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.connected = connected
	p.w.changed.Broadcast()
}

// HandleMalformed is called by no sound connector.
func (p *party) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.fault("%s is sent what is no packet: %v", p.id, err)
	r.Reply(ctx, ilp.Rejectf(ilp.F01InvalidPacket, "%v", err))
}

// HandleMoney is not how this link settles.
func (p *party) HandleMoney(context.Context, plugin.Money) error {
	return errors.New("settlements come as messages")
}
