package plugintest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// A link that settles through a bank keeps the contract.
func TestSettlersPass(t *testing.T) {
	plugintest.Run(t, plugintest.Options{
		Symmetric: true,
		Money:     true,
		Bubble:    true,
		New: func(testing.TB) (first, second plugin.Plugin, stop func()) {
			a, b := inproc.Pipe()
			bank := new(plugintest.Bank)
			return &plugintest.Settler{Plugin: a, Bank: bank}, &plugintest.Settler{Plugin: b, Bank: bank}, nil
		},
	})
}

// decides gives the conducts in their order, then the last one for ever.
func decides(conducts ...plugintest.Conduct) func(context.Context, plugin.Money, int) plugintest.Conduct {
	return func(_ context.Context, _ plugin.Money, attempt int) plugintest.Conduct {
		return conducts[min(attempt, len(conducts))-1]
	}
}

// What a caller learns, and what was really paid, by key.
func TestBankConducts(t *testing.T) {
	const no, unknown = "no", "unknown"
	for _, test := range []struct {
		name     string
		conducts []plugintest.Conduct
		want     []string // what each attempt learns; "" is paid
		paid     bool
		told     int // the counterparty
	}{
		{"pays", []plugintest.Conduct{plugintest.Pays, plugintest.Pays}, []string{"", ""}, true, 1},
		{"refuses for ever", []plugintest.Conduct{plugintest.Refuses, plugintest.Pays}, []string{no, no}, false, 0},
		{"cannot refuse what it has paid", []plugintest.Conduct{plugintest.LosesAnswer, plugintest.Refuses}, []string{unknown, ""}, true, 1},
		{"loses a request", []plugintest.Conduct{plugintest.LosesRequest, plugintest.Pays}, []string{unknown, ""}, true, 1},
		{"loses all requests", []plugintest.Conduct{plugintest.LosesRequest}, []string{unknown, unknown}, false, 0},
		{"refuses after a lost request", []plugintest.Conduct{plugintest.LosesRequest, plugintest.Refuses}, []string{unknown, no}, false, 0},
		{"loses an answer", []plugintest.Conduct{plugintest.LosesAnswer, plugintest.Pays}, []string{unknown, ""}, true, 1},
		{"hangs", []plugintest.Conduct{plugintest.Hangs, plugintest.Pays}, []string{unknown, ""}, true, 1},
		{"tells twice", []plugintest.Conduct{plugintest.PaysAndTellsTwice}, []string{""}, true, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var recorded []plugin.Money
				bank := &plugintest.Bank{
					Decide: decides(test.conducts...),
					Record: func(m plugin.Money) error {
						recorded = append(recorded, m)
						return nil
					},
				}
				near, far := inproc.Pipe()
				counterparty := new(plugintest.Recorder)
				if err := far.Open(t.Context(), counterparty); err != nil {
					t.Fatal(err)
				}
				link := &plugintest.Settler{Plugin: near, Bank: bank}
				m := plugin.Money{Amount: 7, Key: "k"}
				for i, want := range test.want {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					err := link.SendMoney(ctx, m)
					cancel()
					got := ""
					switch {
					case errors.Is(err, plugin.ErrNotSent):
						got = no
					case err != nil:
						got = unknown
					}
					if got != want {
						t.Errorf("attempt %d: %v, want %q", i+1, err, want)
					}
				}
				want := map[string]uint64{}
				if test.paid {
					want["k"] = 7
				}
				if got := bank.Paid(); !maps.Equal(got, want) {
					t.Errorf("paid %v, want %v", got, want)
				}
				if got := bank.Payments(); len(got) != len(want) || !slices.Equal(got, recorded) {
					t.Errorf("payments %v, recorded %v, want %d", got, recorded, len(want))
				}
				if got := len(counterparty.Money()); got != test.told {
					t.Errorf("the counterparty was told %d times, want %d", got, test.told)
				}
				if got := len(bank.Refused()); (got == 1) != slices.Contains(test.want, no) {
					t.Errorf("%d refused", got)
				}
				if got := len(bank.Calls()); got != len(test.want) || bank.Err() != nil {
					t.Errorf("%d calls, %v; want %d", got, bank.Err(), len(test.want))
				}
			})
		})
	}
}

// Many who ask under one key at once cause one payment.
func TestBankPaysOnceForConcurrentCalls(t *testing.T) {
	bank := new(plugintest.Bank)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if err := bank.Pay(t.Context(), plugin.Money{Amount: 7, Key: "k"}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if len(bank.Payments()) != 1 || len(bank.Calls()) != 50 {
		t.Errorf("%d payments for %d calls", len(bank.Payments()), len(bank.Calls()))
	}
}

// A payment that cannot be recorded is none, and can be made later.
func TestBankRecordsBeforeItAnswers(t *testing.T) {
	full := errors.New("the disk is full")
	bank := &plugintest.Bank{Record: func(plugin.Money) error { return full }}
	m := plugin.Money{Amount: 7, Key: "k"}
	if err := bank.Pay(t.Context(), m); !errors.Is(err, full) || errors.Is(err, plugin.ErrNotSent) || len(bank.Paid()) != 0 {
		t.Errorf("%v, paid %v; want %v and nothing", err, bank.Paid(), full)
	}
	full = nil
	if err := bank.Pay(t.Context(), m); err != nil || bank.Paid()["k"] != 7 {
		t.Errorf("%v, paid %v", err, bank.Paid())
	}
}

// A caller waits for another one under its key no longer than its context.
func TestBankHeedsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		bank := &plugintest.Bank{Record: func(plugin.Money) error { <-release; return nil }}
		m := plugin.Money{Amount: 7, Key: "k"}
		first := make(chan error, 1)
		go func() { first <- bank.Pay(context.Background(), m) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := bank.Pay(ctx, m); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, plugin.ErrNotSent) {
			t.Errorf("the second caller learns %v", err)
		}
		close(release)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

// A caller that breaks the contract is told of when the test asks.
func TestBankFindsMisuse(t *testing.T) {
	bank := new(plugintest.Bank)
	for _, m := range []plugin.Money{{Amount: 1, Key: "k"}, {Amount: 2, Key: "k"}, {Amount: 3}} {
		_ = bank.Pay(t.Context(), m)
	}
	err := bank.Err()
	for _, want := range []string{`asked to pay 2 under the key "k", which names a settlement of 1`, "asked to pay 3 without a key"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
