package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/plugin"
)

// engine pays settlements and remembers who asked for what, when.
type engine struct {
	mu     sync.Mutex
	answer func(m plugin.Money) error // nil: yes
	calls  []call
}

type call struct {
	plugin.Money
	at time.Time
}

func (e *engine) pay(_ context.Context, m plugin.Money) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, call{m, time.Now()})
	if e.answer == nil {
		return nil
	}
	return e.answer(m)
}

// answers changes what the engine answers from now on.
func (e *engine) answers(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = func(plugin.Money) error { return err }
}

// asked gives the calls since the last time, and forgets them.
func (e *engine) asked() []call {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := e.calls
	e.calls = nil
	return calls
}

// want checks the amounts of the calls since the last time.
func (e *engine) want(t testing.TB, amounts ...uint64) []call {
	t.Helper()
	calls := e.asked()
	var got []uint64
	for _, c := range calls {
		got = append(got, c.Amount)
	}
	if fmt.Sprint(got) != fmt.Sprint(amounts) {
		t.Errorf("asked to pay %v, want %v", got, amounts)
	}
	return calls
}

// keys counts the keys of calls.
func keys(calls []call) int {
	seen := make(map[string]bool)
	for _, c := range calls {
		seen[c.Key] = true
	}
	return len(seen)
}
