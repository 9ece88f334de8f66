package hostiletest

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/btp"
)

// deal is one packet from a source to a destination.
type deal struct {
	*house
	from, to *party
	other    *party // a source besides
	packet   ilp.Prepare
	secret   ilp.Fulfillment
}

func (h *house) deal(from, to, other *party, amount uint64) *deal {
	d := &deal{house: h, from: from, to: to, other: other}
	rand.Read(d.secret[:])
	d.packet = ilp.Prepare{Amount: amount, Destination: ilp.MustParseAddress(to.address + ".x"), Condition: d.secret.Condition(), ExpiresAt: time.Now().Add(patience)}
	return d
}

// paid notes that the amount has moved.
func (d *deal) paid() { d.moved(d.from, d.to, int64(d.packet.Amount)) }

// steps are what source and destination do with one packet.
var steps = []struct {
	name string
	do   func(d *deal)
}{
	{"fulfilled twice, rejected, and an error", func(d *deal) {
		id := d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		d.to.fulfill(at, d.secret)
		d.to.fulfill(at, d.secret)
		d.to.reject(at, "F00")
		d.to.send(&btp.Packet{Type: btp.TypeError, RequestID: at, Error: *btp.Errorf("F00", "no")})
		d.from.expect(id, "fulfill")
		d.paid()
	}},
	{"rejected, then fulfilled", func(d *deal) {
		id := d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		d.to.reject(at, "F99")
		d.to.fulfill(at, d.secret)
		d.from.expect(id, "F99")
	}},
	{"a wrong fulfillment, then the right one", func(d *deal) {
		id := d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		d.to.fulfill(at, ilp.Fulfillment{1})
		d.to.fulfill(at, d.secret)
		d.from.expect(id, "F05")
	}},
	{"answers that are none, then a fulfillment", func(d *deal) {
		for _, answer := range []struct {
			p    *btp.Packet
			want string
		}{
			{&btp.Packet{Type: btp.TypeError, Error: *btp.Errorf("F00", "no")}, "F02"},
			{&btp.Packet{Type: btp.TypeError, Error: *btp.Errorf("T00", "no")}, "T01"},
			{&btp.Packet{Type: btp.TypeResponse}, "T01"},
			{&btp.Packet{Type: btp.TypeResponse, Entries: []btp.Entry{{Name: "ilp", Data: []byte("no packet")}}}, "T01"},
			{around(btp.TypeResponse, 0, &d.packet), "T01"},
		} {
			id := d.from.request(&d.packet)
			answer.p.RequestID = d.to.take(d.packet.Amount)
			d.to.send(answer.p)
			d.to.fulfill(answer.p.RequestID, d.secret)
			d.from.expect(id, answer.want)
		}
	}},
	{"answered by everybody else", func(d *deal) {
		id := d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		for _, p := range []*party{d.from, d.other} {
			p.fulfill(at, d.secret)
			p.reject(at, "F00")
		}
		d.compareBeforeAnswer(at, id)
	}},
	{"the same packet again, under way and afterwards", func(d *deal) {
		id := d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		d.from.expect(d.from.request(&d.packet), "T03")
		later := d.packet
		later.ExpiresAt = later.ExpiresAt.Add(time.Second)
		d.other.expect(d.other.request(&later), "T03")
		d.to.fulfill(at, d.secret)
		d.from.expect(id, "fulfill")
		d.paid()
		d.from.expect(d.from.request(&d.packet), "F00")
		d.other.expect(d.other.request(&later), "F00")
	}},
	{"the destination is cut, and answers on another socket", func(d *deal) {
		id := d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		d.to.Close()
		d.from.expect(id, "T01")
		d.to.connect()
		d.to.fulfill(at, d.secret)
	}},
	{"fulfilled, and cut at once", func(d *deal) {
		id := d.from.request(&d.packet)
		d.to.fulfill(d.to.take(d.packet.Amount), d.secret)
		d.to.Close()
		if said(d.from.answer(id)) == "fulfill" {
			d.paid()
		}
		d.to.connect()
	}},
	{"the source is cut, and the destination fulfills", func(d *deal) {
		d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		d.from.Close()
		d.from.connect()
		d.to.fulfill(at, d.secret)
		d.paid()
	}},
	{"the source is cut, and sends the packet again", func(d *deal) {
		d.from.request(&d.packet)
		at := d.to.take(d.packet.Amount)
		d.from.Close()
		d.from.connect()
		d.from.expect(d.from.request(&d.packet), "T03")
		d.to.fulfill(at, d.secret)
		d.paid()
	}},
	{"no time", func(d *deal) {
		for _, expiry := range []time.Time{time.Unix(0, 0), time.Now(), time.Now().Add(900 * time.Millisecond)} {
			d.packet.ExpiresAt = expiry
			d.from.expect(d.from.request(&d.packet), "R02")
		}
	}},
	{"time without end", func(d *deal) {
		d.packet.ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
		id := d.from.request(&d.packet)
		d.to.fulfill(d.to.take(d.packet.Amount), d.secret)
		d.from.expect(id, "fulfill")
		d.paid()
	}},
	{"nothing", func(d *deal) {
		d.packet.Amount = 0
		id := d.from.request(&d.packet)
		d.to.fulfill(d.to.take(0), d.secret)
		d.from.expect(id, "fulfill")
	}},
	{"more than there is", func(d *deal) {
		for _, amount := range []uint64{1 << 63, 1<<64 - 1} {
			d.packet.Amount = amount
			d.from.expect(d.from.request(&d.packet), "T04")
		}
	}},
}

// compareBeforeAnswer checks that a packet is still under way, and ends it.
func (d *deal) compareBeforeAnswer(at, id uint32) {
	d.t.Helper()
	// Who sent the false answers has been read: an answer of the connector to
	// something else that they sent behind them says so.
	for _, p := range []*party{d.from, d.other} {
		nowhere := ilp.Prepare{Destination: ilp.MustParseAddress("test.connie.nobody"), ExpiresAt: time.Now().Add(patience)}
		p.expect(p.request(&nowhere), "F02")
	}
	if d.from.kept[id] != nil {
		d.t.Fatalf("somebody else has answered: %s", said(d.from.kept[id]))
	}
	d.to.reject(at, "F98")
	d.from.expect(id, "F98")
}

// Whatever counterparties do with a packet, between accounts of their own and
// users behind one, the books say what the outside has seen.
func TestBooksAreWhatTheOutsideHasSeen(t *testing.T) {
	h := run(t)
	alice, bob := h.join("alice", "alice"), h.join("bob", "bob")
	carol, dave := h.join("mini", "carol"), h.join("mini", "dave")
	amount := uint64(100)
	for _, way := range []struct{ from, to, other *party }{{alice, bob, carol}, {carol, bob, alice}, {alice, dave, carol}, {carol, dave, alice}} {
		for _, step := range steps {
			amount++
			name := fmt.Sprintf("%s to %s: %s", way.from.token, way.to.token, step.name)
			step.do(h.deal(way.from, way.to, way.other, amount))
			h.audit(name)
		}
	}
	// The limit of a user is about its own book.
	left := uint64(1_000_000 - h.byUser[carol.user])
	d := h.deal(carol, bob, alice, left+1)
	carol.expect(carol.request(&d.packet), "T04")
	d = h.deal(carol, bob, alice, left)
	id := carol.request(&d.packet)
	bob.fulfill(bob.take(left), d.secret)
	carol.expect(id, "fulfill")
	d.paid()
	h.audit("a user at its limit")
}

// A packet that goes back to where it came from moves nothing.
func TestPacketsToOneself(t *testing.T) {
	h := run(t)
	for _, p := range []*party{h.join("alice", "alice"), h.join("mini", "carol")} {
		d := h.deal(p, p, nil, 50)
		id := p.request(&d.packet)
		p.fulfill(p.take(50), d.secret)
		p.expect(id, "fulfill")
		h.audit(p.token)
	}
}

// What no child and no user may say: routes, for others, to the connector's
// own protocols.
func TestPacketsThatGoNowhere(t *testing.T) {
	h := run(t)
	for _, p := range []*party{h.join("alice", "alice"), h.join("mini", "carol")} {
		for destination, want := range map[string]string{
			"peer.route.control": "F00", "peer.route.update": "F00", "peer.settle": "F01", "peer.config.x": "F01", "peer.x": "F01",
			"test.connie": "F01", "test.connie.nobody": "F02", "test.connie.mini": "F02", "test.connie.mini.nobody": "F02",
			"test.connie.alicex": "F02", "test.conniex.alice": "F02", "g.connie.alice": "F02",
		} {
			packet := ilp.Prepare{Amount: 10, Destination: ilp.MustParseAddress(destination), Condition: ilp.PeerCondition, ExpiresAt: time.Now().Add(patience)}
			if got := said(p.answer(p.request(&packet))); got != want {
				t.Errorf("%s to %s: %s, want %s", p.token, destination, got, want)
			}
		}
	}
	h.audit("packets that go nowhere")
}
