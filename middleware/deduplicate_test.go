package middleware_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// flying is a packet that is on its way until it is answered.
type flying struct {
	packet middleware.Packet
	sent   bool
	reply  ilp.Reply
}

func (f *flying) Pass(context.Context, *middleware.Packet) { f.sent = true }

func (f *flying) Done(_ context.Context, _ *middleware.Packet, reply ilp.Reply) { f.reply = reply }

func (f *flying) answer(reply ilp.Reply) { f.packet.Answer(context.Background(), reply) }

// deduplicator sends packets through the stage of one account.
type deduplicator struct {
	stage  middleware.Stage
	stages *middleware.Chain
	now    time.Time
}

func newDeduplicator(t testing.TB, o middleware.DeduplicateOptions) *deduplicator {
	t.Helper()
	s, err := middleware.Deduplicate(o).Attach(newHost(), child())
	if err != nil {
		t.Fatal(err)
	}
	if s.Incoming != nil || s.IncomingMoney != nil || s.OutgoingMoney != nil {
		t.Error("it has to do with more than outgoing packets")
	}
	return &deduplicator{s.Outgoing, middleware.NewChain(s.Outgoing), start}
}

func (d *deduplicator) send(p ilp.Prepare) *flying {
	f := new(flying)
	f.packet.Prepare, f.packet.Received = p, d.now
	f.packet.Run(context.Background(), d.stages, f)
	return f
}

// wantSent fails the test unless the packet was let pass.
func (f *flying) wantSent(t *testing.T) *flying {
	t.Helper()
	if !f.sent {
		t.Fatalf("the packet was answered %v, want it sent", f.reply)
	}
	return f
}

// wantDuplicate fails the test unless the packet was refused with code.
func (f *flying) wantDuplicate(t *testing.T, code ilp.Code) {
	t.Helper()
	if r, ok := f.reply.(*ilp.Reject); f.sent || !ok || r.Code != code || !strings.HasPrefix(r.Message, "duplicate of a ") {
		t.Fatalf("the answer is %v, sent %v, want the reject of a duplicate %s", f.reply, f.sent, code)
	}
}

// Reference test 42, by what it is for: the packet that was sent is
// remembered with its outgoing amount.
func TestDeduplicateWhatIsTheSame(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *ilp.Prepare)
		same   bool
	}{
		{"same", func(*ilp.Prepare) {}, true},
		{"smaller amount", func(p *ilp.Prepare) { p.Amount-- }, true},
		{"no amount", func(p *ilp.Prepare) { p.Amount = 0 }, true},
		{"earlier expiry", func(p *ilp.Prepare) { p.ExpiresAt = p.ExpiresAt.Add(-time.Second) }, true},
		{"later expiry", func(p *ilp.Prepare) { p.ExpiresAt = p.ExpiresAt.Add(time.Hour) }, true},
		{"larger amount", func(p *ilp.Prepare) { p.Amount++ }, false},
		{"other condition", func(p *ilp.Prepare) { p.Condition[31] ^= 1 }, false},
		{"other destination", func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("test.mock.test1.bo") }, false},
		{"other data", func(p *ilp.Prepare) { p.Data = []byte("datA") }, false},
		{"data of the destination", func(p *ilp.Prepare) {
			p.Destination, p.Data = ilp.MustParseAddress("test.mock.test1.bobd"), []byte("ata")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := prepare(48)
			p.Data = []byte("data")
			other := p.Clone()
			c.change(&other)

			d := newDeduplicator(t, middleware.DeduplicateOptions{})
			first := d.send(p).wantSent(t)
			if !c.same {
				d.send(other).wantSent(t)
				return
			}
			d.send(other).wantDuplicate(t, ilp.T03ConnectorBusy)
			first.answer(fulfill1())
			d.send(other).wantDuplicate(t, ilp.F00BadRequest)
		})
	}
}

// The same packet to two next hops is two packets, each with books of its
// own: the outcome of one says nothing of the other (the reference has one
// memory for all accounts: 11.1, item 3). Two instances know nothing of each
// other either.
func TestDeduplicateKeepsAccountsApart(t *testing.T) {
	host, dedup := newHost(), middleware.Deduplicate(middleware.DeduplicateOptions{})
	one, two := child(), &account.Account{ID: "two", Relation: account.Peer}
	for _, a := range []*account.Account{one, two} {
		c := attach(t, host, a, middleware.Balance(), dedup)
		wantFulfill(t, send(t, c, outgoing, 48, fulfill1()))
		wantReject(t, send(t, c, outgoing, 48, fulfill1()), ilp.F00BadRequest, "duplicate of a fulfilled packet.")
		wantFulfill(t, send(t, c, incoming, 48, fulfill1())) // the other way it is not looked at
		if s := host.Book(a).State(); s.Balance != 0 || s.ReservedIn != 0 || s.ReservedOut != 0 {
			t.Errorf("the book of %s is %+v, want 48 posted each way", a.ID, s)
		}
	}
}

// What an account is asked under peer.* is asked again and again, and all
// pings in one direction are the same packet (PING-01).
func TestDeduplicatePassesWhatRepeatsItself(t *testing.T) {
	ping := ilp.Fulfillment([]byte("pingpingpingpingpingpingpingping"))
	for _, p := range []ilp.Prepare{
		{Destination: ilp.MustParseAddress("peer.config"), ExpiresAt: start.Add(time.Second), Condition: ilp.PeerCondition},
		{Destination: ilp.MustParseAddress("test.far"), ExpiresAt: start.Add(time.Second), Condition: ping.Condition()},
	} {
		d := newDeduplicator(t, middleware.DeduplicateOptions{})
		for range 2 {
			d.send(p).wantSent(t)
			d.send(p).wantSent(t).answer(&ilp.Fulfill{})
		}
	}
}

func TestDeduplicatePacketLifetime(t *testing.T) {
	d := newDeduplicator(t, middleware.DeduplicateOptions{PacketLifetime: 5 * time.Second})
	p := prepare(48) // expires after two seconds
	first := d.send(p).wantSent(t)
	d.now = start.Add(time.Hour) // in flight for as long as it takes
	d.send(p).wantDuplicate(t, ilp.T03ConnectorBusy)
	first.answer(fulfill1())
	d.now = start.Add(7 * time.Second)
	d.send(p).wantDuplicate(t, ilp.F00BadRequest)
	d.now = d.now.Add(time.Millisecond)
	d.send(p).wantSent(t)
}

// A larger packet takes the place of a smaller one, in whatever order they
// are answered.
func TestDeduplicateLargerPacket(t *testing.T) {
	reject := &ilp.Reject{Code: ilp.T00InternalError}
	for _, smallFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("smaller answered first: %v", smallFirst), func(t *testing.T) {
			d := newDeduplicator(t, middleware.DeduplicateOptions{MaxPackets: 2})
			small := d.send(prepare(10)).wantSent(t)
			large := d.send(prepare(20)).wantSent(t)
			d.send(prepare(20)).wantDuplicate(t, ilp.T03ConnectorBusy)
			d.send(prepare(10)).wantDuplicate(t, ilp.T03ConnectorBusy)
			if smallFirst {
				small.answer(reject)
				d.send(prepare(20)).wantDuplicate(t, ilp.T03ConnectorBusy)
				large.answer(fulfill1())
			} else {
				large.answer(fulfill1())
				d.send(prepare(20)).wantDuplicate(t, ilp.F00BadRequest)
				small.answer(fulfill1())
			}
			d.send(prepare(20)).wantDuplicate(t, ilp.F00BadRequest)
			larger := d.send(prepare(30)).wantSent(t)
			d.send(prepare(30)).wantDuplicate(t, ilp.T03ConnectorBusy)
			larger.answer(reject)
			d.send(prepare(10)).wantSent(t)
		})
	}
}

// numbered is a packet that is the n-th.
func numbered(n int) ilp.Prepare {
	p := prepare(48)
	p.Data = fmt.Append(nil, n)
	return p
}

// Past the bound the packet that was fulfilled first gives way, and where all
// are on their way the next one passes unremembered.
func TestDeduplicateBound(t *testing.T) {
	d := newDeduplicator(t, middleware.DeduplicateOptions{MaxPackets: 3})
	var flights []*flying
	for n := range 3 {
		flights = append(flights, d.send(numbered(n)).wantSent(t))
	}
	beyond := d.send(numbered(3)).wantSent(t)
	d.send(numbered(3)).wantSent(t).answer(fulfill1())
	beyond.answer(fulfill1())
	for n := range 3 {
		d.send(numbered(n)).wantDuplicate(t, ilp.T03ConnectorBusy)
	}
	flights[1].answer(fulfill1())
	flights[0].answer(fulfill1())
	flights[2].answer(fulfill1())
	d.send(numbered(4)).wantSent(t) // in the place of 1
	for _, n := range []int{0, 2} {
		d.send(numbered(n)).wantDuplicate(t, ilp.F00BadRequest)
	}
	d.send(numbered(4)).wantDuplicate(t, ilp.T03ConnectorBusy)
	d.send(numbered(1)).wantSent(t) // in the place of 0
	d.send(numbered(0)).wantSent(t) // in the place of 2
	d.send(numbered(2)).wantSent(t) // unremembered
	d.send(numbered(2)).wantSent(t)
}

// A packet that was fulfilled between others and has grown since leaves the
// others in their order.
func TestDeduplicateBoundAfterLargerPacket(t *testing.T) {
	d := newDeduplicator(t, middleware.DeduplicateOptions{MaxPackets: 3})
	for n := range 3 {
		d.send(numbered(n)).wantSent(t).answer(fulfill1())
	}
	larger := numbered(1)
	larger.Amount++
	d.send(larger).wantSent(t)
	d.send(numbered(3)).wantSent(t) // in the place of 0
	d.send(numbered(2)).wantDuplicate(t, ilp.F00BadRequest)
	d.send(numbered(4)).wantSent(t) // in the place of 2
	d.send(numbered(4)).wantDuplicate(t, ilp.T03ConnectorBusy)
}

// What is too old, rejected or superseded makes room: the table is as large
// as what is remembered.
func TestDeduplicateMemory(t *testing.T) {
	t.Run("old", func(t *testing.T) {
		d := newDeduplicator(t, middleware.DeduplicateOptions{PacketLifetime: time.Second})
		for n := range 5000 {
			d.now = d.now.Add(10 * time.Millisecond)
			p := numbered(n)
			p.ExpiresAt = d.now
			d.send(p).wantSent(t).answer(fulfill1())
		}
		if n := middleware.Entries(d.stage); n > 110 {
			t.Errorf("the table has %d entries for the packets of a second, which are 100", n)
		}
	})
	t.Run("rejected", func(t *testing.T) {
		d := newDeduplicator(t, middleware.DeduplicateOptions{})
		for n := range 100 {
			d.send(numbered(n)).wantSent(t).answer(&ilp.Reject{Code: ilp.F99ApplicationError})
		}
		if n := middleware.Entries(d.stage); n != 1 {
			t.Errorf("the table has %d entries for one packet at a time", n)
		}
	})
	t.Run("superseded", func(t *testing.T) {
		d := newDeduplicator(t, middleware.DeduplicateOptions{})
		former := d.send(prepare(0)).wantSent(t)
		for n := range uint64(100) {
			larger := d.send(prepare(n + 1)).wantSent(t)
			former.answer(fulfill1())
			former = larger
		}
		if n := middleware.Entries(d.stage); n != 2 {
			t.Errorf("the table has %d entries for two packets at a time", n)
		}
	})
}

func TestDeduplicateOptions(t *testing.T) {
	for _, o := range []middleware.DeduplicateOptions{{PacketLifetime: -1}, {MaxPackets: -1}, {MaxPackets: 1<<24 + 1}} {
		if _, err := middleware.Deduplicate(o).Attach(newHost(), child()); err == nil || !strings.Contains(err.Error(), "must be") {
			t.Errorf("Attach with %+v = %v, want an error that says what would be right", o, err)
		}
	}
}

// remembered is what the table should know of one kind of packet.
type remembered struct {
	flight    *flying // in the way of others; nil once it was fulfilled
	amount    uint64
	until     time.Time
	fulfilled bool
}

// The table does what a plain map does, for thousands of packets that come,
// grow, are fulfilled, rejected and forgotten in any order.
func TestDeduplicateAgainstModel(t *testing.T) {
	const kinds, steps = 300, 40_000
	rnd := rand.New(rand.NewPCG(1, 2))
	d := newDeduplicator(t, middleware.DeduplicateOptions{PacketLifetime: time.Second})
	model := make(map[int]*remembered)
	type pending struct {
		kind   int
		flight *flying
	}
	var inFlight []pending
	for step := range steps {
		d.now = d.now.Add(time.Duration(rnd.IntN(4)) * time.Millisecond)
		if len(inFlight) > 0 && rnd.IntN(100) < 49 { // more come than go
			i := rnd.IntN(len(inFlight))
			p := inFlight[i]
			inFlight[i] = inFlight[len(inFlight)-1]
			inFlight = inFlight[:len(inFlight)-1]
			fulfilled := rnd.IntN(3) > 0
			if fulfilled {
				p.flight.answer(fulfill1())
			} else {
				p.flight.answer(&ilp.Reject{Code: ilp.T01PeerUnreachable})
			}
			if m := model[p.kind]; m != nil && m.flight == p.flight {
				m.flight, m.fulfilled = nil, fulfilled
				if !fulfilled {
					delete(model, p.kind)
				}
			}
			continue
		}
		kind := rnd.IntN(kinds)
		p := numbered(kind)
		p.Amount, p.ExpiresAt = uint64(rnd.IntN(50)), d.now.Add(time.Duration(rnd.IntN(1000))*time.Millisecond)
		m, f := model[kind], d.send(p)
		duplicate := m != nil && p.Amount <= m.amount && (!m.fulfilled || !m.until.Before(d.now))
		if f.sent == duplicate {
			t.Fatalf("step %d: packet %d of %d at %v: sent %v, the model has %+v", step, kind, p.Amount, d.now, f.sent, m)
		}
		if f.sent {
			model[kind] = &remembered{flight: f, amount: p.Amount, until: p.ExpiresAt.Add(time.Second)}
			inFlight = append(inFlight, pending{kind, f})
		}
	}
}
