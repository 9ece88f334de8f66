package middleware_test

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
	"github.com/interledger-go/connector/plugin"
)

// only gives the figures of the one account that s counts for.
func only(t *testing.T, s *middleware.Stats) middleware.AccountStats {
	t.Helper()
	all := s.Snapshot()
	if len(all) != 1 || all[0].Account != "mock.test3" {
		t.Fatalf("the snapshot is %+v, want one account", all)
	}
	return all[0]
}

func wantTotal(t *testing.T, what string, got middleware.Total, count uint64, amount *big.Int) {
	t.Helper()
	if got.Count != count || got.Amount == nil || got.Amount.Cmp(amount) != 0 {
		t.Errorf("%s: %d with a sum of %v, want %d with %v", what, got.Count, got.Amount, count, amount)
	}
}

// wantNothingElse fails the test if d counts anything but what is taken out
// of it first.
func wantNothingElse(t *testing.T, what string, d middleware.DirectionStats, rejected int) {
	t.Helper()
	if d.Fulfilled.Count+d.Late.Count+d.Money.Count+d.MoneyFailed.Count != 0 || len(d.Rejected) != rejected {
		t.Errorf("%s: counted %+v besides", what, d)
	}
}

// Reference test 46.
func TestStatsCountsFulfills(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	send(t, c, incoming, 49, fulfill1())
	got := only(t, s)
	wantTotal(t, "incoming fulfilled", got.Incoming.Fulfilled, 1, big.NewInt(49))
	got.Incoming.Fulfilled = middleware.Total{}
	wantNothingElse(t, "incoming", got.Incoming, 0)
	wantNothingElse(t, "outgoing", got.Outgoing, 0)
	send(t, c, outgoing, 48, fulfill1())
	wantTotal(t, "outgoing fulfilled", only(t, s).Outgoing.Fulfilled, 1, big.NewInt(48))
}

// Reference test 47. Test 48 counts a third result, failed, for replies that
// are no packets: here those become a T01 before any stage sees them.
func TestStatsCountsRejects(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	out := send(t, c, incoming, 49, &ilp.Reject{Code: ilp.T04InsufficientLiquidity})
	if !out.Relayed {
		t.Errorf("the answer is %v, want the next hop's", out.Reply)
	}
	got := only(t, s)
	wantTotal(t, "incoming T04", got.Incoming.Rejected[ilp.T04InsufficientLiquidity], 1, big.NewInt(49))
	wantNothingElse(t, "incoming", got.Incoming, 1)
	wantNothingElse(t, "outgoing", got.Outgoing, 0)
}

// Every code of RFC 27 has a counter of its own, in each direction.
func TestStatsKnowsEveryCode(t *testing.T) {
	if len(ilp.Codes()) != 21 {
		t.Fatalf("there are %d codes, want 21", len(ilp.Codes()))
	}
	for _, d := range []middlewaretest.Direction{incoming, outgoing} {
		s := middleware.NewStats()
		c := attach(t, newHost(), child(), s)
		for i, code := range ilp.Codes() {
			for range i + 1 {
				send(t, c, d, uint64(100+i), &ilp.Reject{Code: code})
			}
		}
		rejected := only(t, s).Incoming.Rejected
		if d == outgoing {
			rejected = only(t, s).Outgoing.Rejected
		}
		if len(rejected) != 21 {
			t.Errorf("%s: %d codes were counted, want 21", d, len(rejected))
		}
		for i, code := range ilp.Codes() {
			n := uint64(i + 1)
			wantTotal(t, string(code), rejected[code], n, new(big.Int).SetUint64(n*uint64(100+i)))
		}
	}
}

// Codes that no RFC names are counted together, and none is lost (ILP4-55).
func TestStatsCountsUnknownCodesTogether(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	unknown := []ilp.Code{
		"F09", "F10", "F90", "F98", "T06", "T07", "T08", "T09", "T98", "R03", "R04", "R05", "R06", "R07", "R08", "R09", "R98",
		"X00", "f00", "F0/", "F0:", "F0a", "Fa0", "abc", "~~~", "", "F0", "F000", "F999", "\x00\x00\x00", "F\x000", "F9\xff",
	}
	for _, code := range unknown {
		send(t, c, incoming, 2, &ilp.Reject{Code: code})
	}
	got := only(t, s)
	n := uint64(len(unknown))
	wantTotal(t, "unknown", got.Incoming.Rejected[""], n, new(big.Int).SetUint64(2*n))
	wantNothingElse(t, "incoming", got.Incoming, 1)
}

// Of all codes of three bytes, those of RFC 27 have places of their own and
// the others share one.
func TestStatsPlacesOfAllCodes(t *testing.T) {
	places := make(map[int]ilp.Code)
	for _, code := range ilp.Codes() {
		place := middleware.CodeIndex(code)
		if other, taken := places[place]; taken || place == middleware.OtherCode {
			t.Errorf("%s shares place %d with %q", code, place, other)
		}
		places[place] = code
	}
	for i := range 1 << 21 {
		code := ilp.Code([]byte{byte(i >> 14), byte(i >> 7 & 0x7f), byte(i & 0x7f)})
		if place := middleware.CodeIndex(code); code.Name() == "" && place != middleware.OtherCode {
			t.Errorf("the unknown code %q has the place %d", code, place)
		}
	}
}

// Amounts of an asset with many decimals pass 64 bits after a few packets.
func TestStatsSumsBeyond64Bits(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	want := new(big.Int)
	const packets = 1000
	for range packets {
		send(t, c, incoming, math.MaxUint64, fulfill1())
		want.Add(want, new(big.Int).SetUint64(math.MaxUint64))
	}
	if want.BitLen() <= 64 {
		t.Fatal("the test adds up too little")
	}
	wantTotal(t, "fulfilled", only(t, s).Incoming.Fulfilled, packets, want)
}

// Property: the sum is the exact sum of amounts of any size.
func TestStatsSumsAnyAmounts(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	r := rand.New(rand.NewPCG(1, 2))
	want := new(big.Int)
	const packets = 2000
	for range packets {
		amount := anyUint64(r)
		send(t, c, outgoing, amount, fulfill1())
		want.Add(want, new(big.Int).SetUint64(amount))
	}
	wantTotal(t, "fulfilled", only(t, s).Outgoing.Fulfilled, packets, want)
}

// Snapshot may be called while packets are counted, and what it gives does
// not change any more. Run it with -race.
func TestStatsSnapshotWhileCounting(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	const senders, each = 4, 500
	var running sync.WaitGroup
	for range senders {
		running.Go(func() {
			for range each {
				_, _ = c.Send(context.Background(), incoming, prepare(1<<33+1), fulfill1())
				_, _ = c.Send(context.Background(), outgoing, prepare(3), &ilp.Reject{Code: ilp.T00InternalError})
			}
		})
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		var before uint64
		for {
			got := s.Snapshot()[0]
			if got.Incoming.Fulfilled.Count < before {
				t.Errorf("the count went from %d back to %d", before, got.Incoming.Fulfilled.Count)
			}
			before = got.Incoming.Fulfilled.Count
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	running.Wait()
	close(stop)
	reader.Wait()
	got := only(t, s)
	wantTotal(t, "fulfilled", got.Incoming.Fulfilled, senders*each, big.NewInt(senders*each*(1<<33+1)))
	wantTotal(t, "rejected", got.Outgoing.Rejected[ilp.T00InternalError], senders*each, big.NewInt(senders*each*3))
	kept := got.Incoming.Fulfilled
	send(t, c, incoming, 5, fulfill1())
	wantTotal(t, "a snapshot of before", kept, senders*each, big.NewInt(senders*each*(1<<33+1)))
}

func TestStatsCountsMoney(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	failure := errors.New("no")
	move := func(d middlewaretest.Direction, amount uint64, fails error) {
		t.Helper()
		err := c.Money(d, func(context.Context, plugin.Money) error { return fails })(t.Context(), plugin.Money{Amount: amount, Key: "k"})
		if err != fails {
			t.Errorf("the error is %v, want %v", err, fails)
		}
	}
	move(incoming, 1, nil)
	move(incoming, 2, nil)
	move(incoming, 4, failure)
	move(outgoing, 8, nil)
	move(outgoing, 16, failure)
	move(outgoing, math.MaxUint64, failure)
	got := only(t, s)
	wantTotal(t, "incoming", got.Incoming.Money, 2, big.NewInt(3))
	wantTotal(t, "incoming failed", got.Incoming.MoneyFailed, 1, big.NewInt(4))
	wantTotal(t, "outgoing", got.Outgoing.Money, 1, big.NewInt(8))
	failed := new(big.Int).SetUint64(math.MaxUint64)
	wantTotal(t, "outgoing failed", got.Outgoing.MoneyFailed, 2, failed.Add(failed, big.NewInt(16)))
	if got.Incoming.Fulfilled.Count != 0 || got.Outgoing.Fulfilled.Count != 0 {
		t.Error("settlements were counted as packets")
	}
}

// A fulfill that came too late is counted as that, and the packet stays the
// R00 that its sender was told.
func TestStatsCountsLateFulfills(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), middleware.Expire(), s)
	out := send(t, c, outgoing, 49, nil)
	out.Late(fulfill1())
	out = send(t, c, outgoing, 50, nil)
	out.Late(&ilp.Reject{Code: ilp.T00InternalError}) // says nothing that R00 does not
	got := only(t, s)
	wantTotal(t, "late", got.Outgoing.Late, 1, big.NewInt(49))
	wantTotal(t, "expired", got.Outgoing.Rejected[ilp.R00TransferTimedOut], 2, big.NewInt(99))
	got.Outgoing.Late = middleware.Total{}
	wantNothingElse(t, "outgoing", got.Outgoing, 1)
}

// It stands innermost: what a limit refused was never a packet of the account.
func TestStatsCountsWhatPassedTheLimits(t *testing.T) {
	s := middleware.NewStats()
	a := child()
	a.MaxPacketAmount = 100
	c := attach(t, newHost(), a, middleware.MaxPacketAmount(), s)
	send(t, c, incoming, 101, fulfill1())
	wantNothingElse(t, "incoming", only(t, s).Incoming, 0)
}

func TestStatsSnapshotIsSorted(t *testing.T) {
	s := middleware.NewStats()
	if got := s.Snapshot(); len(got) != 0 {
		t.Errorf("without accounts the snapshot is %v", got)
	}
	for _, id := range []string{"c", "a", "b"} {
		a := child()
		a.ID = id
		attach(t, newHost(), a, s)
	}
	got := s.Snapshot()
	if len(got) != 3 || got[0].Account != "a" || got[1].Account != "b" || got[2].Account != "c" {
		t.Errorf("the snapshot is %v, want a, b and c", got)
	}
	wantTotal(t, "nothing", got[0].Incoming.Fulfilled, 0, new(big.Int))
}

// An account that is removed and added again goes on where it was.
func TestStatsGoesOnAfterAccountCameBack(t *testing.T) {
	s := middleware.NewStats()
	c := attach(t, newHost(), child(), s)
	send(t, c, incoming, 1, fulfill1())
	c.Close()
	wantTotal(t, "removed", only(t, s).Incoming.Fulfilled, 1, big.NewInt(1))
	send(t, attach(t, newHost(), child(), s), incoming, 2, fulfill1())
	wantTotal(t, "added again", only(t, s).Incoming.Fulfilled, 2, big.NewInt(3))
}
