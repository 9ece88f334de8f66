package storetest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/storetest"
)

// The suite passes a store without a fault, so that what it says of the
// others is due to theirs.
func TestSuitePassesAGoodStore(t *testing.T) {
	storetest.Run(t, options(none))
}

// A store that keeps nothing is spared the cases about opening it again, and
// no others.
func TestSuiteWithoutReopen(t *testing.T) {
	opts := options(none)
	opts.Reopen, opts.Crash = nil, nil
	for _, name := range storetest.CaseNames() {
		checked, err := storetest.Verdict(t, opts, name)
		if spared := name == "Reopen" || name == "Crash"; checked == spared || checked && err != nil {
			t.Errorf("%s: checked %v, %v", name, checked, err)
		}
	}
}

func TestSuiteSeesEveryFault(t *testing.T) {
	tests := []struct {
		fault fault
		fails []string // these cases, and perhaps others
	}{
		{findsAbsent, []string{"PutGetDelete", "NotFound", "EmptyValue"}},
		{ownNotFound, []string{"PutGetDelete", "NotFound"}},
		{losesEmpty, []string{"EmptyValue", "Reopen"}},
		{sharesMemory, []string{"Ownership"}},
		{staleReads, []string{"PutGetDelete", "Concurrent", "LaterWins"}},
		{anyKey, []string{"Limits"}},
		{reversed, []string{"ScanOrder"}},
		{endsAtFF, []string{"ScanOrder", "BinaryKeys"}},
		{wildcards, []string{"ScanOrder"}},
		{liveScan, []string{"ScanSnapshot"}},
		{reusesBuffer, []string{"Ownership"}},
		{wrapsVisitError, []string{"ScanStops"}},
		{scansOn, []string{"ScanStops"}},
		{ignoresContext, []string{"Cancelled"}},
		{scansOnCancelled, []string{"Cancelled"}},
		{foldsCase, []string{"BinaryKeys", "ScanOrder"}},
		{trimsKeys, []string{"BinaryKeys", "ScanOrder"}},
		{keepsMemory, []string{"Ownership"}},
		{torn, []string{"Atomic"}},
		{losesUpdates, []string{"Concurrent"}},
		{writesInvalid, []string{"Limits"}},
		{plainError, []string{"Limits", "Cancelled"}},
		{deletesFirst, []string{"BatchOrder"}},
		{firstWins, []string{"BatchOrder"}},
		{refusesEmpty, []string{"EmptyBatch"}},
		{cutsBatches, []string{"LargeBatch"}},
		{cutsValues, []string{"LargeValues"}},
		{insertsOnly, []string{"PutGetDelete", "Again"}},
		{missesDeleted, []string{"NotFound", "Again"}},
		{writesBehind, []string{"PutGetDelete", "Concurrent", "LaterWins"}},
		{writesCancelled, []string{"Cancelled"}},
		{closesOnce, []string{"Close"}},
		{ownClosed, []string{"Close", "CloseUnderLoad"}},
		{answersClosed, []string{"Close", "CloseUnderLoad", "Reopen"}},
		{writesClosed, []string{"CloseUnderLoad"}},
		{forgetsLast, []string{"Reopen", "CloseUnderLoad"}},
		{undeletes, []string{"Reopen"}},
		{losesAcked, []string{"Crash"}},
		{tearsAtCrash, []string{"Crash"}},
		{writesRefused, []string{"Crash"}},
		{inventsAtCrash, []string{"Crash"}},
		{deadAfterCrash, []string{"Crash"}},
		{neverCrashes, []string{"Crash"}},
		{crashesIdle, []string{"Crash"}},
	}
	seen := make(map[string]bool)
	for _, test := range tests {
		t.Run(string(test.fault), func(t *testing.T) {
			for _, name := range test.fails {
				seen[name] = true
				if checked, err := storetest.Verdict(t, options(test.fault), name); !checked || err == nil {
					t.Errorf("the case %s passes", name)
				}
			}
		})
	}
	for _, name := range storetest.CaseNames() {
		if !seen[name] {
			t.Errorf("no fault makes the case %s fail", name)
		}
	}
}

// An author who returns no store is told so, in place of a panic.
func TestSuiteNamesANilStore(t *testing.T) {
	reopened := options(none)
	reopened.Reopen = func(testing.TB, store.Store) store.Store { return nil }
	for name, opts := range map[string]storetest.Options{
		"PutGetDelete": {New: func(testing.TB) store.Store { return nil }},
		"Reopen":       reopened,
	} {
		f := &fatal{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = storetest.Verdict(f, opts, name)
		}()
		<-done
		if !strings.Contains(f.text, "returned nil: want a store") {
			t.Errorf("%s: the suite says %q", name, f.text)
		}
	}
}

// fatal keeps what a case fails with.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Fatal(args ...any) {
	f.text = fmt.Sprint(args...)
	runtime.Goexit()
}
