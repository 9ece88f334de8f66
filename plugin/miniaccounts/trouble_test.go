package miniaccounts_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

// What a user may do who makes trouble.
const (
	troubleInFlight = 10
	troublePending  = 64 << 10
)

// town is a connector with a user who behaves, and with three accounts besides
// the users': wallet, which fulfills; silent, which never answers; and absent,
// which is not connected.
type town struct {
	*world
	t     *testing.T
	quiet *btp.Client
}

func newTown(t *testing.T) *town {
	o := named(memstore.New())
	o.Socket.MaxPending = troublePending
	o.LimitsOf = func(user string) miniaccounts.UserLimits {
		l := miniaccounts.UserLimits{MaxInFlight: troubleInFlight}
		if user == "eager" {
			l.RateLimit = &account.RateLimit{RefillCount: 5, RefillPeriod: time.Second}
		}
		return l
	}
	w := newWorld(t, memstore.New(), o)
	must(t, w.wallet.Handle(fulfiller))
	silent, silentEnd := inproc.Pipe()
	_, absentEnd := inproc.Pipe()
	must(t, silent.Open(t.Context(), silence{}))
	for id, p := range map[string]plugin.Plugin{"silent": silentEnd, "absent": absentEnd} {
		must(t, w.c.AddAccount(t.Context(), connector.Account{ID: id, Relation: connector.Child, Asset: asset, Plugin: p}))
	}
	n := &town{world: w, t: t, quiet: w.client(t, "quiet", "q", plugin.HandlerFunc(fulfiller))}
	synctest.Wait()
	return n
}

// silence answers no packet.
type silence struct{ slowHandler }

func (silence) HandlePrepare(context.Context, *ilp.Prepare, plugin.Responder) {}

// meanwhile checks that a packet from the quiet user, and one to it, are
// fulfilled at once: the clock of the bubble moves only when everybody waits.
func (n *town) meanwhile() {
	n.t.Helper()
	start := time.Now()
	if _, err := plugin.Call(n.t.Context(), n.quiet, prepareTo("test.connie.wallet")); err != nil {
		n.t.Fatalf("from the quiet user: %v", err)
	}
	if _, err := n.wallet.Send(n.t.Context(), prepareTo("test.connie.mini.quiet")); err != nil {
		n.t.Fatalf("to the quiet user: %v", err)
	}
	if took := time.Since(start); took != 0 {
		n.t.Fatalf("packets of the quiet user took %v", took)
	}
}

// collect reads the replies of u, as they come, and gives their codes in the
// end ("" for a fulfillment), when all of count are there.
func collect(u *btptest.Conn, count int) <-chan map[ilp.Code]int {
	all := make(chan map[ilp.Code]int, 1)
	go func() {
		codes := make(map[ilp.Code]int)
		defer func() { all <- codes }()
		for range count {
			p, err := u.TryRead()
			if err != nil {
				return
			}
			e, _ := p.Entry("ilp")
			switch reply, _ := ilp.DecodeReply(e.Data, new(ilp.Fulfill), new(ilp.Reject)); r := reply.(type) {
			case *ilp.Fulfill:
				codes[""]++
			case *ilp.Reject:
				codes[r.Code]++
			}
		}
	}()
	return all
}

func wantCodes(t *testing.T, who string, all <-chan map[ilp.Code]int, want map[ilp.Code]int) {
	t.Helper()
	if got := get(t, all); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s got the replies %v, want %v", who, got, want)
	}
}

// flood sends far more than may be in flight, and far more than the rate: what
// is too much is rejected at once, T03 and T05, and does not reach the
// connector.
func (n *town) flood() (end func()) {
	const packets = 300
	busy, eager := n.user(n.t, "busy", "b"), n.user(n.t, "eager", "e")
	busyGot, eagerGot := collect(busy, packets), collect(eager, packets)
	for i := range uint32(packets) {
		busy.SendILP(btp.TypeMessage, i, prepareTo("test.connie.silent"))
		eager.SendILP(btp.TypeMessage, i, prepareTo("test.connie.wallet"))
		n.meanwhile()
	}
	return func() {
		wantCodes(n.t, "who has too much in flight", busyGot, map[ilp.Code]int{ilp.T03ConnectorBusy: packets - troubleInFlight, ilp.R00TransferTimedOut: troubleInFlight})
		wantCodes(n.t, "who sends too often", eagerGot, map[ilp.Code]int{ilp.T05RateLimited: packets - 5, "": 5})
	}
}

// neverRead sends packets and reads no reply: its socket is closed when those
// that wait for it are too many, and it is gone.
func (n *town) neverRead() (end func()) {
	deaf := n.user(n.t, "deaf", "d")
	sockets := n.Stats().Sockets
	room := troublePending / fulfill.Size() // more replies than that cannot wait
	for i := range uint32(room) {
		deaf.SendILP(btp.TypeMessage, i, prepareTo("test.connie.wallet"))
		n.meanwhile()
		if i == uint32(room)/4 && n.Stats().Sockets != sockets {
			n.t.Error("a socket is closed before its buffer is full")
		}
	}
	time.Sleep(2 * time.Second) // for the Close frame, which it does not read either
	synctest.Wait()
	if got := n.Stats().Sockets; got != sockets-1 {
		n.t.Errorf("%d sockets, want %d: that of the user who never reads is still there", got, sockets-1)
	}
	return func() {
		for _, u := range n.Users() {
			if u.Name == "deaf" && (u.Sockets != 0 || u.Incoming != 0) {
				n.t.Errorf("of the user whose socket has been closed there is still %+v", u)
			}
		}
	}
}

// sendToTheDead has all packets that a user may have in flight with a next hop
// that never answers, and then sends to one that is not connected.
func (n *town) sendToTheDead() (end func()) {
	stuck := n.user(n.t, "stuck", "s")
	if reject, ok := stuck.Exchange(0, prepareTo("test.connie.absent")).(*ilp.Reject); !ok || reject.Code != ilp.T01PeerUnreachable {
		n.t.Errorf("to a next hop that is not connected: %v", reject)
	}
	n.meanwhile()
	for i := range uint32(troubleInFlight) {
		stuck.SendILP(btp.TypeMessage, i, prepareTo("test.connie.silent"))
		n.meanwhile()
	}
	wantReject(n.t, stuck.Exchange(troubleInFlight, prepareTo("test.connie.wallet")), ilp.T03ConnectorBusy, "too many packets in flight.")
	return func() {
		wantCodes(n.t, "who sends to the dead", collect(stuck, troubleInFlight), map[ilp.Code]int{ilp.R00TransferTimedOut: troubleInFlight})
		if _, ok := stuck.Exchange(troubleInFlight, prepareTo("test.connie.wallet")).(*ilp.Fulfill); !ok {
			n.t.Error("there is no room again for the user whose next hop is dead")
		}
	}
}

// A user who floods, one who never reads and one whose next hop is dead each
// meet their own limits, and what others send and are sent does not wait for
// anything of theirs, nor is any of it refused.
func TestUsersWhoMakeTrouble(t *testing.T) {
	for name, troubles := range map[string][]func(*town) func(){
		"floods":        {(*town).flood},
		"never reads":   {(*town).neverRead},
		"dead next hop": {(*town).sendToTheDead},
		"all at once":   {(*town).flood, (*town).sendToTheDead, (*town).neverRead},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newTown(t)
				var ends []func()
				for _, trouble := range troubles {
					ends = append(ends, trouble(n))
				}
				time.Sleep(time.Second)
				n.meanwhile()
				for _, end := range ends {
					end()
				}
				n.meanwhile()
				n.wantBook(t, "quiet", 0, 0, 0)
			})
		})
	}
}
