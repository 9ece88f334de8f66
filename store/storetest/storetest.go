// Package storetest proves that a store keeps the contract of package store,
// and measures it.
//
// Whoever writes a store calls [Run] and [Bench] from tests of its own:
//
//	func options() storetest.Options {
//		return storetest.Options{
//			New: func(t testing.TB) store.Store { return open(t, t.TempDir()) },
//			Reopen: func(t testing.TB, old store.Store) store.Store {
//				return open(t, old.(*mystore.Store).Dir())
//			},
//		}
//	}
//
//	func TestConformance(t *testing.T)    { storetest.Run(t, options()) }
//	func BenchmarkConformance(b *testing.B) { storetest.Bench(b, options()) }
//
// Each case is a subtest that fails with a sentence that says what the
// contract asks. Run the suite with the race detector too: the cases with
// several writers are there for it.
package storetest

import (
	"errors"
	"testing"

	"github.com/interledger-go/connector/store"
)

// Options describe the store under test. Fields may be added; write them by
// name.
type Options struct {
	// New returns an empty store that shares nothing with the others that it
	// has returned. The suite closes it. Required.
	New func(t testing.TB) store.Store

	// Reopen opens again what New or Reopen returned and the suite has closed.
	// nil stands for a store that keeps nothing.
	Reopen func(t testing.TB, closed store.Store) store.Store

	// Crash takes away from under a store what it stands on: the power of its
	// disk, the process of its server. It opens an empty store, calls load, which
	// writes to it from several goroutines and returns when all is written or
	// the store has failed, and lets the crash come at an instant meanwhile, or
	// after it. Then it closes that store and returns one that is opened on what
	// is left. It is called for round 0, 1, 2 and so on, each of which may have
	// another instant, until it returns nil: there are no more rounds.
	//
	// A Crash that is nil stands for a store on which nothing can be played.
	Crash func(t testing.TB, round int, load func(store.Store)) store.Store

	// MaxKeySize is the longest key of the store, in bytes. 0 stands for
	// store.MaxKeySize; only a view has less.
	MaxKeySize int
}

func (o Options) maxKeySize() int {
	if o.MaxKeySize == 0 {
		return store.MaxKeySize
	}
	return o.MaxKeySize
}

// Run tests a store.
func Run(t *testing.T, opts Options) {
	t.Helper()
	if opts.New == nil {
		t.Fatal("storetest: Options.New is nil: want a function that returns an empty store")
	}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			err := c.check(t, opts)
			if reason, ok := errors.AsType[notApplicable](err); ok {
				t.Skip(reason)
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
	// check returns what is wrong with the store that opts describe. It uses t
	// to make stores and to close them, and leaves the verdict to the caller,
	// so that the suite itself can be tested.
	check func(t testing.TB, opts Options) error
}

// notApplicable says why a case has nothing to check.
type notApplicable string

func (reason notApplicable) Error() string { return string(reason) }

func cases() []conformanceCase {
	return []conformanceCase{
		{"PutGetDelete", "Get returns what the latest Write put, and ErrNotFound when it has been deleted.", checkPutGetDelete},
		{"NotFound", "Get of a key that is not there gives an error that wraps ErrNotFound, and deleting it is no error.", checkNotFound},
		{"LargeValues", "Values of every size up to MaxValueSize come back byte for byte.", checkLargeValues},
		{"BinaryKeys", "Keys are bytes of any value: no two of them are the same, whatever their case, blanks or encoding.", checkBinaryKeys},
		{"EmptyValue", "An empty value is there; an absent key is not.", checkEmptyValue},
		{"Limits", "Keys of 1 to MaxKeySize and values of up to MaxValueSize bytes are taken; others give ErrInvalid, and nothing of their batch is written.", checkLimits},
		{"Ownership", "What a caller passes in is the caller's again when the call returns, and what it is given is its own to change.", checkOwnership},
		{"BatchOrder", "Of several changes of one key in a batch the last one counts.", checkBatchOrder},
		{"EmptyBatch", "An empty batch is written without effect.", checkEmptyBatch},
		{"LargeBatch", "A batch has no limit on the number of its changes.", checkLargeBatch},
		{"Again", "Writing a batch a second time does no harm.", checkAgain},
		{"Atomic", "A reader sees a batch as a whole or not at all.", checkAtomic},
		{"ScanOrder", "Scan visits the keys that begin with the prefix, all of them and no others, in ascending order of their bytes.", checkScanOrder},
		{"ScanSnapshot", "Scan shows one instant: nothing of what is written while it runs.", checkScanSnapshot},
		{"ScanStops", "An error of visit ends the scan and is returned as it is.", checkScanStops},
		{"Concurrent", "All methods may be called concurrently, and whoever has written reads what it wrote.", checkConcurrent},
		{"LaterWins", "A Write that has returned takes effect before one that begins afterwards, whoever makes it.", checkLaterWins},
		{"Cancelled", "A context that is done ends a call with an error that wraps ctx.Err(), before the next visit in a Scan; a Write says ErrNotWritten.", checkCancelled},
		{"Close", "Close may be called again and returns nil; every other call then gives an error that wraps ErrClosed.", checkClose},
		{"CloseUnderLoad", "A Write that meets Close is either made or fails with ErrClosed and is not made.", checkCloseUnderLoad},
		{"Reopen", "What has been written is there when the store is opened again, and what has been deleted is not.", checkReopen},
		{"Crash", "After a crash every batch whose Write returned nil is there, none whose Write said ErrNotWritten, and of any other all or nothing.", checkCrash},
	}
}
