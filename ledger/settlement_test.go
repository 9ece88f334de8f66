package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store/memstore"
)

func TestSettlesStrictlyBelowTheThreshold(t *testing.T) {
	for _, test := range []struct {
		name          string
		threshold, to int64
		out           uint64 // what is posted
		paid          []uint64
		balance       int64
	}{
		{"above", -10, 0, 9, nil, -9},
		{"at it", -10, 0, 10, nil, -10},
		{"below it", -10, 0, 11, []uint64{11}, 0},
		{"to something else than zero", -10, -4, 11, []uint64{7}, -4},
		{"to the threshold", -10, -10, 11, []uint64{1}, -10},
		{"to above zero", -10, 5, 11, []uint64{16}, 5},
		// The Java connector resets the balance there and pays nothing.
		{"an amount that is smaller than the threshold", -100, -50, 120, []uint64{70}, -50},
		{"everything that fits", math.MinInt64 + 1, math.MaxInt64, 1 << 63, []uint64{math.MaxUint64}, math.MaxInt64},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := new(engine)
				b := start(t, newDisk(nil)).book("a", settling(test.threshold, test.to), paidBy(e.pay))
				b.Settle()
				post(t, b, ledger.Outgoing, test.out)
				wantBalance(t, b, test.balance) // at once, so that the next posting does not settle again
				synctest.Wait()
				e.want(t, test.paid...)
				if s := b.State(); len(s.Settlements) != 0 {
					t.Errorf("settlements %v are left", s.Settlements)
				}
			})
		})
	}
}

// A threshold above zero asks for money to be sent ahead: at once, when the
// link is ready, and not before.
func TestSettlesAheadWhenTheLinkIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		b := start(t, newDisk(nil)).book("a", settling(500, 700), paidBy(e.pay))
		post(t, b, ledger.Outgoing, 1)
		synctest.Wait()
		e.want(t)
		b.Settle()
		synctest.Wait()
		e.want(t, 701)
		b.Settle()
		post(t, b, ledger.Outgoing, 200)
		synctest.Wait()
		e.want(t)
		post(t, b, ledger.Outgoing, 1)
		synctest.Wait()
		e.want(t, 201)
	})
}

// Without a threshold, or without a way to pay, nothing leaves the balance.
// The Java and Rust connectors zero it where no engine is configured.
func TestSettlesOnlyWhereItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		h := start(t, newDisk(nil))
		for i, change := range [][]func(*ledger.Terms){
			{settling(-10, 0)},
			{paidBy(e.pay)},
			{limits(-1000, 1000), paidBy(e.pay)},
		} {
			b := h.book(fmt.Sprint(i), change...)
			b.Settle()
			post(t, b, ledger.Outgoing, 500)
			synctest.Wait()
			wantBalance(t, b, -500)
			e.want(t)
		}
	})
}

// Money that arrives is not sent back by the threshold. The reference has no
// check there either.
func TestReceivingDoesNotSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		b := start(t, newDisk(nil)).book("a", settling(-10, 0), paidBy(e.pay))
		b.Settle()
		receive(t, b, 100, "k")
		synctest.Wait()
		e.want(t)
		wantBalance(t, b, -100)
	})
}

// A settlement never takes the balance past the maximum, with the packets in
// flight from the counterparty included: it is smaller, or it is made later.
func TestSettlementKeepsTheMaximum(t *testing.T) {
	threshold := int64(-10)
	terms := func(t *ledger.Terms) {
		t.Limits = &account.BalanceLimits{Minimum: -1000, Maximum: 20, SettleThreshold: &threshold, SettleTo: 15}
	}
	fulfil := func(amount uint64) func(*testing.T, ledger.Book) {
		return func(t *testing.T, b ledger.Book) {
			if err := b.Post(t.Context(), ledger.Incoming, amount, nil); !errors.Is(err, ledger.ErrPending) {
				t.Error(err)
			}
		}
	}
	reject := func(amount uint64) func(*testing.T, ledger.Book) {
		return func(_ *testing.T, b ledger.Book) { b.Release(ledger.Incoming, amount) }
	}
	nothing := func(*testing.T, ledger.Book) {}
	// The balance is -100 and the book settles. in is in flight when 1 more is
	// posted.
	for _, test := range []struct {
		name    string
		in      uint64
		first   []uint64
		then    func(*testing.T, ledger.Book)
		second  []uint64
		balance int64
	}{
		{"there is room", 5, []uint64{116}, nothing, nil, 15},
		{"there is room for a part", 6, []uint64{115}, nothing, nil, 14},
		{"there is room up to the threshold", 30, []uint64{91}, nothing, nil, -10},
		{"there is none, until packets are rejected", 31, nil, reject(1), []uint64{91}, -10},
		{"there is none, until packets are fulfilled", 31, nil, fulfil(1), []uint64{90}, -10},
		{"there is none, until all are rejected", 50, nil, reject(50), []uint64{116}, 15},
		{"it is needed no longer", 120, nil, fulfil(91), nil, -10},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := new(engine)
				b := start(t, newDisk(nil)).book("a", terms, paidBy(e.pay))
				b.Settle()
				receive(t, b, 100, "k")
				reserve(t, b, ledger.Incoming, test.in)
				post(t, b, ledger.Outgoing, 1)
				synctest.Wait()
				e.want(t, test.first...)
				test.then(t, b)
				synctest.Wait()
				e.want(t, test.second...)
				s := b.State()
				if s.Balance != test.balance {
					t.Errorf("balance %d, want %d", s.Balance, test.balance)
				}
				if s.Balance+int64(s.ReservedIn) > 20 {
					t.Errorf("book %+v passes the maximum of 20", s)
				}
			})
		})
	}
}

func TestSettlementAndBalanceAreOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := new(engine)
		d := newDisk(nil)
		b := start(t, d).book("a", settling(-10, 0), paidBy(e.pay))
		b.Settle()
		unblock := d.block()
		defer unblock()
		writes := 0
		d.set(func(d *disk) {
			d.onWrite = func(image map[string]string) {
				writes++
				if got, n := durableBalance(t, image, "a"), durableSettlements(image, "a"); writes == 1 && (got != 0 || n != 1) {
					t.Errorf("the first image has a balance of %d and %d settlements, want 0 and 1", got, n)
				}
			}
		})
		post(t, b, ledger.Outgoing, 11)
		synctest.Wait()
		e.want(t) // not durable: not paid
		unblock()
		synctest.Wait()
		e.want(t, 11)
		if n := durableSettlements(d.image(), "a"); n != 0 {
			t.Errorf("%d settlements are left on disk", n)
		}
	})
}

// The tables of the Java connector's balance tests, in our signs: a balance
// is the negative of its clearing balance and its prepaid amount together, a
// minimum is a maximum, and a threshold of 10 is one of -10.

// A prepare takes from what the Java connector owes, and so adds to what is
// owed to us: the same packets are taken, with the same sums.
func TestJavaPrepare(t *testing.T) {
	none := int64(account.NoMaximum)
	for _, test := range []struct {
		name              string
		clearing, prepaid int64
		maximum           int64
		after             int64 // clearing and prepaid
		refused           bool
	}{
		{"(0,0,none→−1,0)", 0, 0, none, -1, false},
		{"(0,0,−1→−1,0)", 0, 0, 1, -1, false},
		{"(0,0,0→err)", 0, 0, 0, 0, true},
		{"(0,1,0→0,0)", 0, 1, 0, 0, false},
		{"(0,1,1→err)", 0, 1, -1, 1, true},
		{"(0,−1,none→−1,−1)", 0, -1, none, -2, false},
		{"(0,−1,−1→err)", 0, -1, 1, -1, true},
		{"(1,1,1→1,0)", 1, 1, -1, 1, false},
		{"(1,0,1→err)", 1, 0, -1, 1, true},
		{"(−1,0,−1→err)", -1, 0, 1, -1, true},
		{"(−1,1,−1→−1,0)", -1, 1, 1, -1, false},
		{"(−1,1,0→err)", -1, 1, 0, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := javaBook(t, test.clearing+test.prepaid, limits(account.NoMinimum, test.maximum))
			err := b.Reserve(t.Context(), ledger.Incoming, 1, nil)
			if refused := errors.Is(err, ledger.ErrLimit); refused != test.refused || !refused && err != nil {
				t.Fatalf("reserve gives %v, want ErrLimit: %v", err, test.refused)
			}
			if err == nil {
				if err := b.Post(t.Context(), ledger.Incoming, 1, nil); err != nil {
					t.Fatal(err)
				}
			}
			wantBalance(t, b, -test.after)
		})
	}
}

// javaBook makes a book in which we owe this much. Nothing settles it yet.
func javaBook(t *testing.T, owed int64, change ...func(*ledger.Terms)) ledger.Book {
	t.Helper()
	h := newHost(t, memstore.New())
	b := h.book("a") // without limits, to begin with
	if owed > 0 {
		receive(t, b, uint64(owed), "before")
	} else {
		post(t, b, ledger.Incoming, uint64(-owed))
	}
	b.Close()
	return h.book("a", change...)
}

// A fulfil adds to what the Java connector owes, and may settle it. It does
// when the threshold is reached, we when it is passed; and it keeps what was
// prepaid apart, while our book is one balance.
func TestJavaFulfil(t *testing.T) {
	const strict, one = "we settle below the threshold, not at it", "our book is one balance"
	for _, test := range []struct {
		clearing, prepaid, threshold, to int64
		amount                           uint64 // posted
		java, ours                       uint64
		why                              string // they differ
	}{
		{9, 0, 10, 0, 1, 10, 0, strict},
		{10, 0, 10, 0, 1, 11, 11, ""},
		{11, 1, 10, 1, 1, 11, 12, one},
		{10, 0, 5, 5, 1, 6, 6, ""},
		{9, 0, 5, 5, 1, 5, 5, ""},
		{5, 10, 10, 5, 1, 0, 11, one},
		{5, 10, 5, 0, 1, 6, 16, one},
		{1, 2, 3, 0, 1, 0, 4, one},
		{2, 2, 3, 0, 1, 3, 5, one},
		{0, 2, 2, 1, 1, 0, 2, one},
		{1, 0, 2, 1, 1, 1, 0, strict},
		{2, 0, 1, 1, 1, 2, 2, ""},
		{10, 10, 5, 0, 1, 11, 21, one},
		{5, 10, 10, 5, 0, 0, 10, one},
	} {
		t.Run(fmt.Sprintf("(%d,%d,%d,%d→%d)", test.clearing, test.prepaid, test.threshold, test.to, test.java), func(t *testing.T) {
			if (test.java != test.ours) != (test.why != "") {
				t.Fatal("the table gives no reason for the difference, or one too many")
			}
			pay := func(context.Context, plugin.Money) error { return nil }
			h := newHost(t, memstore.New())
			b := h.book("a", settling(-test.threshold, -test.to), paidBy(pay))
			b.Settle()
			receive(t, b, uint64(test.clearing+test.prepaid), "before")
			post(t, b, ledger.Outgoing, test.amount)
			settled := uint64(0)
			for _, s := range b.State().Settlements {
				settled += s.Amount
			}
			if settled != test.ours {
				t.Errorf("settles %d, want %d", settled, test.ours)
			}
			wantBalance(t, b, -test.clearing-test.prepaid-int64(test.amount)+int64(test.ours))
		})
	}
	for _, to := range []int64{10, 20} { // (9,0,5,10→0) and (8,0,5,20→0): it would take money back
		threshold := int64(-5)
		_, err := newHost(t, memstore.New()).Open(t.Context(), ledger.Terms{Account: "a",
			Limits: &account.BalanceLimits{Minimum: -100, SettleThreshold: &threshold, SettleTo: -to}})
		if err == nil {
			t.Errorf("threshold 5, settling to %d: not refused", to)
		}
	}
}

// A reject puts back what the prepare took, to where it was.
func TestJavaReject(t *testing.T) {
	for _, owed := range []int64{-1, 0, 1, 100} {
		b := javaBook(t, owed)
		reserve(t, b, ledger.Incoming, 100)
		b.Release(ledger.Incoming, 100)
		wantBalance(t, b, -owed)
	}
}

func TestJavaIncomingSettlement(t *testing.T) {
	for _, test := range []struct {
		name              string
		clearing, prepaid int64
		amount            uint64
		after             int64 // clearing and prepaid
	}{
		{"(0,0,1→0,1)", 0, 0, 1, 1},
		{"(1,1,1→1,2)", 1, 1, 1, 3},
		{"(−1,0,1→0,0)", -1, 0, 1, 0},
		{"(−1,10,1→0,10)", -1, 10, 1, 10},
		{"(10,1,10→10,11)", 10, 1, 10, 21},
		{"(1,−1,1→1,0)", 1, -1, 1, 1},
	} {
		b := javaBook(t, test.clearing+test.prepaid)
		receive(t, b, test.amount, "k")
		receive(t, b, test.amount, "k")
		if got := b.State().Balance; got != -test.after {
			t.Errorf("%s: balance %d, want %d", test.name, got, -test.after)
		}
	}
}
