// Package ledgertest proves that a ledger keeps the contract of package
// ledger.
//
// Whoever writes a ledger calls [Run] from a test of its own:
//
//	func TestConformance(t *testing.T) {
//		ledgertest.Run(t, ledgertest.Options{
//			New: func(t testing.TB) ledger.Ledger { return open(t, newDatabase(t)) },
//			Reopen: func(t testing.TB, stopped ledger.Ledger) ledger.Ledger {
//				return open(t, stopped.(*myledger.Ledger).Database())
//			},
//		})
//	}
//
// Each case is a subtest that fails with a sentence that says what the
// contract asks. A ledger may answer at once or with ledger.ErrPending, as it
// likes and each time anew; the suite waits. Run it with the race detector
// too: the cases with many callers are there for it.
package ledgertest

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/ledger"
)

// Options describe the ledger under test. Fields may be added; write them by
// name.
type Options struct {
	// New returns an empty ledger that shares nothing with the others that it
	// has returned. The suite calls its Run, once, and waits until that
	// returns before the case ends. Required.
	New func(t testing.TB) ledger.Ledger

	// Reopen returns a ledger that has the books of one that New or Reopen
	// returned and whose Run has returned. nil stands for a ledger that keeps
	// nothing: the cases about it are skipped.
	Reopen func(t testing.TB, stopped ledger.Ledger) ledger.Ledger

	// Bubble runs each case, New and Reopen included, in a bubble of
	// testing/synctest, with its clock. It is for ledgers that live in this
	// process, together with what they store in. The cases that wait for hours
	// are skipped without it.
	Bubble bool
}

// Run tests a ledger.
func Run(t *testing.T, opts Options) {
	t.Helper()
	if opts.New == nil {
		t.Fatal("ledgertest: Options.New is nil: want a function that returns an empty ledger")
	}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			err := c.verdict(t, opts)
			if reason, ok := errors.AsType[notApplicable](err); ok {
				t.Skip(string(reason))
			}
			if err != nil {
				t.Errorf("%v\nThe contract: %s", err, c.contract)
			}
		})
	}
}

// A conformanceCase is one thing that the contract asks.
type conformanceCase struct {
	name string
	// contract says what is asked, for whoever reads the failure.
	contract string
	// check returns what is wrong with the ledger.
	check func(s *suite) error
}

// verdict returns what is wrong with the ledger that opts describe. It leaves
// the failing to the caller, so that the suite itself can be tested.
func (c conformanceCase) verdict(t *testing.T, opts Options) error {
	if !opts.Bubble {
		return c.once(t, opts)
	}
	var err error
	synctest.Test(t, func(t *testing.T) { err = c.once(t, opts) })
	return err
}

func (c conformanceCase) once(t *testing.T, opts Options) error {
	s := &suite{t: t, opts: opts}
	err := c.check(s)
	return errors.Join(err, s.end(err == nil))
}

// notApplicable says why a case has nothing to check.
type notApplicable string

func (reason notApplicable) Error() string { return string(reason) }

func cases() []conformanceCase {
	return []conformanceCase{
		{"Maximum", "What is reserved for packets from the counterparty counts: balance, reserved and the new amount together never pass the maximum.", checkMaximum},
		{"Minimum", "What is reserved for packets to the counterparty counts: the balance without it and without the new amount never falls below the minimum.", checkMinimum},
		{"Edges", "Without limits a balance holds 64 bits, counting what is in flight; what would not fit gives ErrLimit and never wraps.", checkEdges},
		{"Post", "A posting on the incoming side adds to the balance and one on the outgoing side takes from it; both end their reservations.", checkPost},
		{"Release", "Release gives the reservation back and moves nothing.", checkRelease},
		{"NotReserved", "A posting of what is not reserved gives ErrNotReserved, and a release of it does nothing; neither changes the book.", checkNotReserved},
		{"Waiters", "A call that gave ErrPending tells its Waiter once, and any other call never does.", checkWaiters},
		{"NoWaiter", "Post needs no Waiter.", checkNoWaiter},
		{"PostNothing", "A posting of 0 needs no reservation, and is durable when what was posted before is.", checkPostNothing},
		{"Concurrent", "All methods may be called concurrently: no unit is made or lost, and no limit is passed.", checkConcurrent},
		{"Immediate", "A book that is Immediate never gives ErrPending from Reserve.", checkImmediate},

		{"AccountIDs", "An account id is 1 to account.MaxIDLength bytes of any value, and no two of them share a book.", checkAccountIDs},
		{"OpenOnce", "A book is open once at a time.", checkOpenOnce},
		{"Asset", "A book that holds anything is not opened in another asset than before, restarts or not: the error wraps ErrAsset. The zero Asset is neither compared nor remembered.", checkAsset},
		{"Limits", "Limits are copied when the book is opened, hold until it is closed, and do not keep a book from being opened.", checkLimits},
		{"Close", "A closed book takes nothing, and what it held is there when it is opened again, durable or not.", checkClose},
		{"CloseInFlight", "What was reserved before a book was closed can be posted and released after.", checkCloseInFlight},
		{"Stop", "When its context ends, Run writes what was posted before and returns nil; from then on the ledger takes nothing.", checkStop},
		{"Reopen", "What was acknowledged is there when the ledger is opened again, and nothing is reserved.", checkReopen},

		{"Receive", "A settlement of the counterparty lowers the balance, and is durable when Receive returns.", checkReceive},
		{"ReceiveOnce", "A settlement of the counterparty is booked once for its key, in each account, whoever asks how often at the same time.", checkReceiveOnce},
		{"ReceiveKeys", "The key of a settlement has 1 to 200 bytes of any value; one without is refused.", checkReceiveKeys},
		{"ReceiveNothing", "A settlement of 0 moves nothing, and its key stands for it.", checkReceiveNothing},
		{"ReceiveOther", "A settlement that has the key of one of another amount is not booked: the error wraps a plugin.KeyReusedError with the first, and the key stays that of the first.", checkReceiveOther},
		{"ReceiveFractions", "What was received is what was booked and the remainder together, exactly: a fraction is kept, durably and once for its key, until it adds up to a unit.", checkReceiveFractions},
		{"ReceiveBeyondLimits", "A settlement of the counterparty is booked whatever the limits say: the money is here.", checkReceiveBeyondLimits},
		{"ReceiveForADay", "A key is known for 24 hours since it was last used, restarts or not.", checkReceiveForADay},

		{"Threshold", "A settlement is made when a posting takes the balance below the threshold, not at it, and brings it to SettleTo.", checkThreshold},
		{"SettleReady", "Nothing is settled or paid before Settle; then at once.", checkSettleReady},
		{"SettleNever", "Without a threshold, or without a way to pay, the balance stays as it is.", checkSettleNever},
		{"SettleMaximum", "A settlement does not take the balance past the maximum, with the packets in flight included.", checkSettleMaximum},
		{"TriedAgain", "While the outcome of a settlement is unknown it is tried again with the same key and amount, and nothing is put back.", checkTriedAgain},
		{"Refused", "A definite no puts the amount of a settlement back; another has another key.", checkRefused},
		{"Rest", "After a definite no the threshold makes no other settlement for a while, and then it does.", checkRest},
		{"Order", "The settlements of an account are paid one at a time, the oldest first, each under a key of its own.", checkOrder},
		{"Send", "Send makes a settlement of any amount that the maximum allows, and gives the key under which it is paid.", checkSend},
		{"PaidAfterReopen", "A settlement without an answer is paid after the ledger is opened again, under its key.", checkPaidAfterReopen},
	}
}
