package ledgertest_test

import (
	"slices"
	"testing"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/ledger/ledgertest"
)

func options(f fault, pending bool) ledgertest.Options {
	return ledgertest.Options{
		New:    func(testing.TB) ledger.Ledger { return newNaive(f, pending, make(map[string]*page)) },
		Reopen: func(_ testing.TB, stopped ledger.Ledger) ledger.Ledger { return stopped.(*naive).reopened() },
		Bubble: true,
	}
}

// The suite passes ledgers without a fault, whether they answer at once or
// later, so that what it says of the others is due to theirs.
func TestSuitePassesGoodLedgers(t *testing.T) {
	t.Run("at once", func(t *testing.T) { ledgertest.Run(t, options(none, false)) })
	t.Run("pending", func(t *testing.T) { ledgertest.Run(t, options(none, true)) })
}

// A ledger that keeps nothing is spared the cases about opening it again, and
// one that has no clock of its own those that wait; no others.
func TestSuiteSparesWhatCannotBeChecked(t *testing.T) {
	opts := options(none, true)
	opts.Reopen = nil
	spared := []string{"Immediate", "Reopen", "PaidAfterReopen"}
	for _, name := range ledgertest.CaseNames() {
		checked, err := ledgertest.Verdict(t, opts, name)
		if checked == slices.Contains(spared, name) || checked && err != nil {
			t.Errorf("%s: checked %v, %v", name, checked, err)
		}
	}
	opts = options(none, false)
	opts.Bubble = false
	for _, name := range []string{"ReceiveForADay", "Rest"} {
		if checked, _ := ledgertest.Verdict(t, opts, name); checked {
			t.Errorf("%s is checked without a bubble", name)
		}
	}
}

func TestSuiteSeesEveryFault(t *testing.T) {
	used := make(map[string]bool)
	for _, test := range seen {
		t.Run(string(test.fault), func(t *testing.T) {
			for _, name := range test.cases {
				used[name] = true
				if !sees(t, test.fault, name) {
					t.Errorf("the case %s passes", name)
				}
			}
		})
	}
	for _, name := range ledgertest.CaseNames() {
		if !used[name] {
			t.Errorf("no fault is known that the case %s sees", name)
		}
	}
}

// sees reports whether a case finds a fault, in a ledger that answers at once
// or in one that answers later.
func sees(t *testing.T, f fault, name string) bool {
	t.Helper()
	for _, pending := range []bool{false, true} {
		if checked, err := ledgertest.Verdict(t, options(f, pending), name); checked && err != nil {
			return true
		}
	}
	return false
}
