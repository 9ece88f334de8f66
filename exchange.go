package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// ExchangeOptions says how routes are exchanged with neighbors by the route
// broadcasting protocol (CCP). Which accounts take part is said by
// Account.SendRoutes and Account.ReceiveRoutes.
type ExchangeOptions struct {
	// Off does without: no routes are told or taken. All others work as usual.
	Off bool

	// Export says which routes are told to whom; nil is ccp.ReferenceExport.
	Export ccp.ExportPolicy

	// Interval is the time between updates when nothing changes. 0 means
	// ccp.DefaultInterval.
	Interval time.Duration

	// Expiry is how long a neighbor may use the routes that we have told it
	// without another update. 0 means ccp.DefaultHoldDown.
	Expiry time.Duration

	// Spacing is how long a change waits for others, so that a burst of them
	// is one update. 0 means ccp.DefaultSpacing.
	Spacing time.Duration
}

// check fills in the defaults, and says what is wrong.
func (o *ExchangeOptions) check() error {
	var faults []error
	for _, d := range []struct {
		field    string
		value    *time.Duration
		standard time.Duration
	}{
		{"Interval", &o.Interval, ccp.DefaultInterval},
		{"Expiry", &o.Expiry, ccp.DefaultHoldDown},
		{"Spacing", &o.Spacing, ccp.DefaultSpacing},
	} {
		switch {
		case *d.value < 0:
			faults = append(faults, fmt.Errorf("%s is %v: it must be 0 (meaning %v) or more", d.field, *d.value, d.standard))
		case *d.value == 0:
			*d.value = d.standard
		}
	}
	if o.Expiry <= o.Interval {
		faults = append(faults, fmt.Errorf("the Expiry is %v, and the Interval %v: routes would expire between two updates: it must be longer", o.Expiry, o.Interval))
	}
	if o.Export == nil {
		o.Export = ccp.ReferenceExport
	}
	return errors.Join(faults...)
}

// timeout is how long an update may go without an answer: so short that two
// that are lost in a row do not make our routes expire at the neighbor.
func (o *ExchangeOptions) timeout() time.Duration {
	return max((o.Expiry-o.Interval)/3, time.Second)
}

// exchange is how the router speaks with its neighbors. All of it is guarded
// by the router's lock. What is said leaves by one goroutine, that of
// Router.run, which no link's goroutine waits for.
type exchange struct {
	options ExchangeOptions
	table   *ccp.Table // what we tell; nil when off
	dampers map[string]*ccp.Damper
	// with are the neighbors that have a sender or a receiver: of thousands of
	// accounts most may be children that exchange nothing.
	with   map[*neighbor]struct{}
	source func() rand.Source // makes a generator for each machine
}

// publishSpacing is the least time between two tables that are made because
// neighbors have told something, so that a flood of updates is not as many
// copies. What the host does shows at once.
const publishSpacing = 25 * time.Millisecond

// exchangeAs begins the exchange when there is an address, and begins it anew
// when that changes. Neighbors that have asked for our routes are told then:
// the reference does not ask again soon.
func (r *Router) exchangeAs(address ilp.Address, former ilp.Address) {
	x := &r.exchange
	if x.table == nil || address.IsZero() {
		return
	}
	now := r.now()
	x.table.SetAddress(address)
	for n := range x.with {
		if n.receiver != nil {
			r.learn(n, n.receiver.SetAddress(now, address, r.within(n)))
			if n.up && former.IsZero() {
				n.receiver.LinkUp(now)
			}
		}
		if n.sender != nil {
			n.sender.TableChanged(now)
		}
	}
}

// within is what a neighbor may claim of our own part of the address space.
func (r *Router) within(n *neighbor) ilp.Address {
	if n.child == "" {
		return ilp.Address{}
	}
	return ilp.MustParseAddress(n.child)
}

// beginExchange makes the two sides of the exchange with n, as its account
// says. They say nothing while there is no address.
func (r *Router) beginExchange(n *neighbor) {
	x, a := &r.exchange, &n.link.account
	if x.table == nil {
		return
	}
	if a.SendsRoutes() {
		n.sender = ccp.NewSender(ccp.SenderOptions{
			Peer: n.id, Table: x.table, Export: x.options.Export,
			HoldDown: x.options.Expiry, Interval: x.options.Interval, Spacing: x.options.Spacing,
			Timeout: x.options.timeout(), Random: x.source(),
		})
	}
	if a.ReceivesRoutes() {
		n.receiver = ccp.NewReceiver(ccp.ReceiverOptions{
			Address: r.address, Within: r.within(n),
			MaxRoutes: a.MaxRoutes, Damper: x.damper(n.id.ID), Random: x.source(),
		})
		if n.up && !r.address.IsZero() {
			n.receiver.LinkUp(r.now())
		}
	}
	if n.sender != nil || n.receiver != nil {
		x.with[n] = struct{}{}
	}
	r.nudge()
}

// damper is kept by account id: a link that flaps because its account is
// removed and added again flaps too.
func (x *exchange) damper(id string) *ccp.Damper {
	d := x.dampers[id]
	if d == nil {
		d = ccp.NewDamper(ccp.DamperOptions{})
		x.dampers[id] = d
	}
	return d
}

// endExchange forgets what n has told.
func (r *Router) endExchange(n *neighbor) {
	now := r.now()
	if n.receiver != nil {
		for prefix := range n.receiver.All() {
			r.withdraw(n.learned, prefix)
		}
		if n.up {
			n.receiver.LinkDown(now)
		}
	}
	if n.sender != nil {
		n.sender.LinkDown(now) // or else the table keeps what it has withdrawn for it
	}
	n.sender, n.receiver = nil, nil
	delete(r.exchange.with, n)
	maps.DeleteFunc(r.exchange.dampers, func(id string, d *ccp.Damper) bool {
		_, present := r.neighbors[id]
		return !present && d.Forgotten(now)
	})
}

// tellTable makes the table that neighbors are told of as the best routes are
// now.
func (r *Router) tellTable(best []ccp.Best) {
	if r.exchange.table == nil || !r.exchange.table.Set(best) {
		return
	}
	now := r.now()
	for n := range r.exchange.with {
		if n.sender != nil {
			n.sender.TableChanged(now)
		}
	}
}

// learn takes what n has told, or what has expired of it, into the base. The
// goroutine of run publishes it.
func (r *Router) learn(n *neighbor, changes []ccp.Change) {
	for _, c := range changes {
		if c.Route == nil {
			r.withdraw(n.learned, c.Prefix)
		} else {
			r.set(n.learned, c.Route)
		}
	}
}

// linkState takes the news that a link came up or went down.
func (r *Router) linkState(l *link, up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.neighbors[l.account.ID]; n != nil && n.link == l && !r.stopped {
		n.told = true
		r.setUp(n, up)
	}
}

// stop leaves the routes as they are, whatever the links do from now on.
func (r *Router) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
}

// linkOpened looks whether a link is up whose plugin has been opened and has
// not said.
func (r *Router) linkOpened(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.neighbors[l.account.ID]; n != nil && n.link == l && !n.told && l.plugin.Connected() {
		r.setUp(n, true)
	}
}

func (r *Router) setUp(n *neighbor, up bool) {
	now := r.now()
	if n.up { // if it is up again, it was down in between
		if n.sender != nil {
			n.sender.LinkDown(now)
		}
		if n.receiver != nil {
			r.learn(n, n.receiver.LinkDown(now))
		}
	}
	if up && n.receiver != nil && !r.address.IsZero() {
		n.receiver.LinkUp(now)
	}
	n.up = up
	r.nudge()
}

// hear takes a message of the protocol and gives the answer to it.
func (r *Router) hear(l *link, p *ilp.Prepare) ilp.Reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.neighbors[l.account.ID]
	if n == nil || n.link != l || n.sender == nil && n.receiver == nil {
		return ccp.RejectStranger(p.Destination)
	}
	defer r.nudge()
	switch p.Destination.String() {
	case ccp.ControlDestination:
		if n.receiver != nil {
			n.receiver.PeerAsked(r.now(), p)
		}
		if n.sender == nil {
			return ccp.RejectNoSender()
		}
		return n.sender.HandleControl(r.now(), p)
	case ccp.UpdateDestination:
		if n.receiver == nil {
			return ccp.RejectNoReceiver()
		}
		changes, reply := n.receiver.HandleUpdate(r.now(), p)
		r.learn(n, changes)
		r.logRefusals(n)
		return reply
	}
	return ccp.RejectStranger(p.Destination)
}

// logRefusals says that routes of n were not taken: the first time, and then
// each time that their number has doubled.
func (r *Router) logRefusals(n *neighbor) {
	refused := n.receiver.Status().Refused
	attrs := []any{slog.String("account", n.id.ID)}
	for reason, count := range refused {
		if count > 0 {
			attrs = append(attrs, slog.Uint64(ccp.Refusal(reason).String(), count))
		}
	}
	total := refused.Total()
	if bits.Len64(total) > bits.Len64(n.refused) {
		r.logger.Warn("routes refused", attrs...)
	}
	n.refused = total
}

// saying is a message that leaves.
type saying struct {
	to      *neighbor
	message *ccp.Message
	machine interface {
		Answered(now time.Time, sequence uint64, outcome ccp.Outcome)
	}
}

// run speaks with the neighbors, and tells subscribers, until ctx is done.
func (r *Router) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		sayings, next := r.turn()
		for _, s := range sayings {
			r.say(ctx, s)
		}
		r.subscribers.deliver()
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(next.Sub(r.now()))
		}
	}
}

// turn lets every neighbor's machines do what is due. It gives what is to be
// said, and when to look again at the latest.
func (r *Router) turn() (sayings []saying, next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for n := range r.exchange.with {
		if n.receiver != nil {
			changes, message := n.receiver.Poll(now)
			r.learn(n, changes)
			if message != nil {
				sayings = append(sayings, saying{n, message, n.receiver})
			}
			earlier(n.receiver.Deadline())
		}
	}
	if len(r.changed) > 0 {
		if due := r.published.Add(publishSpacing); now.Before(due) {
			earlier(due)
		} else {
			r.publish()
		}
	}
	for n := range r.exchange.with {
		if n.sender != nil {
			if message := n.sender.Poll(now); message != nil {
				sayings = append(sayings, saying{n, message, n.sender})
			}
			earlier(n.sender.Deadline())
		}
	}
	return sayings, next
}

// say sends a message past the outgoing stages, as the reference does: it
// carries no money.
func (r *Router) say(ctx context.Context, s saying) {
	s.to.link.plugin.SendPrepare(ctx, &s.message.Prepare, plugin.NewResponder(plugin.ReplyFunc(
		func(_ context.Context, reply ilp.Reply, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			s.machine.Answered(r.now(), s.message.Sequence, ccp.OutcomeOf(reply, err))
			r.nudge()
		}), 0))
}
