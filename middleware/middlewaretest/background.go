package middlewaretest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store"
)

// brokenStore fails whatever it is asked.
type brokenStore struct{}

var errBroken = errors.New("the store fails, as the suite wants it to")

func (brokenStore) Get(context.Context, string) ([]byte, error) { return nil, errBroken }
func (brokenStore) Scan(context.Context, string, func(string, []byte) error) error {
	return errBroken
}
func (brokenStore) Write(context.Context, *store.Batch) error { return errBroken }
func (brokenStore) Close() error                              { return nil }

// checkRun lets packets pass before, during and after Run, over a store that
// works and over one that does not.
func checkRun(s *subject) error {
	if _, ok := s.m.(middleware.Runner); !ok {
		return notApplicable("the middleware does not run in the background")
	}
	if err := s.runs(); err != nil {
		return err
	}
	s.host.SetStore(brokenStore{})
	s.m = s.opts.New()
	if err := s.runs(); err != nil {
		return fmt.Errorf("with a store that fails: %w", err)
	}
	return nil
}

func (s *subject) runs() error {
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	n := 0
	use := func(when string) error {
		for _, c := range chains {
			for _, d := range []Direction{Incoming, Outgoing} {
				if err := s.fulfilled(c, d, n); err != nil {
					return fmt.Errorf("%s Run: account %q, %s: %w", when, c.account.ID, d, err)
				}
				n++
			}
		}
		return nil
	}
	if err := use("before"); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- guard("Run", func() error { return s.m.(middleware.Runner).Run(ctx, s.host) })
	}()
	if err := use("during"); err != nil {
		return err
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("Run ended with: %w", err)
		}
	case <-time.After(limit):
		return fmt.Errorf("Run has not ended %v after its context", limit)
	}
	return use("after")
}

// checkLedger tells the middleware of everything that may happen in a ledger,
// from several goroutines.
func checkLedger(s *subject) error {
	o, ok := s.m.(middleware.LedgerObserver)
	if !ok {
		return notApplicable("the middleware does not observe the ledger")
	}
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	if err := atOnce(func(int) error {
		return guard("ObserveLedger", func() error {
			for _, account := range []string{"", "unknown", s.accounts[0].ID} {
				for kind := range ledger.StoreRecovered + 2 { // one that is not known yet, too
					o.ObserveLedger(ledger.Event{Account: account, Kind: kind, Amount: 1 << 63, Err: errBroken})
					o.ObserveLedger(ledger.Event{Account: account, Kind: kind})
				}
			}
			return nil
		})
	}); err != nil {
		return err
	}
	for n, c := range chains {
		out, err := s.pass(c, Outgoing, n, &ilp.Fulfill{Fulfillment: preimage(n)})
		if err != nil {
			return fmt.Errorf("account %q, after events of the ledger: %w", c.account.ID, err)
		}
		if err := unchanged(&ilp.Fulfill{Fulfillment: preimage(n)}, out.Reply); err != nil {
			return fmt.Errorf("account %q, after events of the ledger: %w", c.account.ID, err)
		}
	}
	return nil
}
