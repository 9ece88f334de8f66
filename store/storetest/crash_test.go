package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
)

// Faults that show after a crash.
const (
	losesAcked     fault = "the last batch that was acknowledged is not there after a crash"
	tearsAtCrash   fault = "half a batch is there after a crash"
	writesRefused  fault = "a batch is there after a crash whose Write said ErrNotWritten"
	inventsAtCrash fault = "a batch is there after a crash that nobody has written"
	deadAfterCrash fault = "a store that is opened after a crash takes no batches"
	neverCrashes   fault = "there is not one crash"
	crashesIdle    fault = "nothing is written while the store crashes"
)

// crash returns what crashes a naive store: in each round before another
// write, and after the last one. The write meanwhile is lost, made, or refused.
func crash(f fault) func(testing.TB, int, func(store.Store)) store.Store {
	const rounds, ways = 39, 3
	return func(_ testing.TB, round int, load func(store.Store)) store.Store {
		if round == rounds || f == neverCrashes {
			return nil
		}
		s := &crashing{naive: newNaive(f, make(map[string][]byte)), left: round / ways, way: round % ways}
		if f != crashesIdle {
			load(s)
		}
		contents := s.m
		switch f {
		case losesAcked:
			if s.way != 1 && s.before != nil {
				contents = s.before
			}
		case inventsAtCrash:
			contents["invented"] = nil
		}
		left := newNaive(f, contents)
		left.closed = f == deadAfterCrash
		return left
	}
}

// crashing is a naive store that crashes.
type crashing struct {
	*naive
	mu   sync.Mutex
	left int // writes until then
	way  int
	down bool
}

func (s *crashing) Write(ctx context.Context, b *store.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return store.ErrClosed
	}
	if s.left--; s.left >= 0 {
		return s.naive.Write(ctx, b)
	}
	s.down = true
	if s.fault == tearsAtCrash {
		half, n := new(store.Batch), 0
		for op := range b.Ops() {
			if n++; n <= b.Len()/2 && !op.Delete {
				half.Put(string(op.Key), op.Value)
			}
		}
		_ = s.naive.Write(ctx, half)
	}
	err := errors.New("naive: connection reset")
	switch s.way {
	case 1:
		_ = s.naive.Write(ctx, b)
	case 2:
		err = fmt.Errorf("%w: %w", store.ErrNotWritten, err)
		if s.fault == writesRefused {
			_ = s.naive.Write(ctx, b)
		}
	}
	return err
}
