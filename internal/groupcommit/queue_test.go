package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

// server records the groups that it is given, and answers each when it is
// told to.
type server struct {
	groups  [][]string // the keys of each
	answer  chan error
	cancels int // commits whose context was done before the answer
}

func newServer() *server { return &server{answer: make(chan error)} }

func (s *server) commit(ctx context.Context, group []*store.Batch) error {
	var keys []string
	for _, b := range group {
		for op := range b.Ops() {
			keys = append(keys, string(op.Key))
		}
	}
	s.groups = append(s.groups, keys)
	select {
	case err := <-s.answer:
		return err
	case <-ctx.Done():
		s.cancels++
		return errors.New("given up")
	}
}

func batch(keys ...string) *store.Batch {
	b := new(store.Batch)
	for _, key := range keys {
		b.Put(key, nil)
	}
	return b
}

// write starts a Write and returns when it waits for something.
func write(ctx context.Context, q *groupcommit.Queue, b *store.Batch) (result <-chan error) {
	c := make(chan error, 1)
	go func() { c <- q.Write(ctx, b) }()
	synctest.Wait()
	return c
}

func wantGroups(t *testing.T, s *server, want ...[]string) {
	t.Helper()
	if !slices.EqualFunc(s.groups, want, slices.Equal) {
		t.Fatalf("groups %v, want %v", s.groups, want)
	}
}

// Whoever comes while a commit is under way is in the next one, with all the
// others, in the order of the calls.
func TestQueueJoinsThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		q := groupcommit.NewQueue(s.commit)
		first := write(t.Context(), q, batch("a"))
		var results []<-chan error
		for _, key := range []string{"b", "c", "d", "e"} {
			results = append(results, write(t.Context(), q, batch(key)))
		}
		wantGroups(t, s, []string{"a"})
		s.answer <- nil
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
		synctest.Wait()
		wantGroups(t, s, []string{"a"}, []string{"b", "c", "d", "e"})

		// One answer is for all.
		fault := errors.New("fault")
		s.answer <- fault
		for _, result := range results {
			if err := <-result; err != fault {
				t.Errorf("one of the group: %v, want the error of the commit as it is", err)
			}
		}
	})
}

// A group does not grow without limit, nor does the limit keep a large batch
// from being committed.
func TestQueueLimitsGroups(t *testing.T) {
	many := make([]string, 9_999)
	for i := range many {
		many[i] = fmt.Sprintf("%d", i)
	}
	large := func(size int) *store.Batch {
		b := new(store.Batch)
		for range size {
			b.Put("k", make([]byte, store.MaxValueSize))
		}
		return b
	}
	for _, test := range []struct {
		name    string
		batches []*store.Batch
		want    []int // changes of each group
	}{
		{"changes", []*store.Batch{batch(many...), batch("a"), batch("b"), batch("c")}, []int{10_000, 2}},
		{"many changes at once", []*store.Batch{batch("a"), batch(append(many, many...)...), batch("b")}, []int{1, 2 * len(many), 1}},
		{"bytes", []*store.Batch{large(8), large(7), large(1), batch("a")}, []int{15, 2}},
		{"many bytes at once", []*store.Batch{large(20), large(20)}, []int{20, 20}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				q := groupcommit.NewQueue(s.commit)
				results := []<-chan error{write(t.Context(), q, batch("first"))}
				for _, b := range test.batches {
					results = append(results, write(t.Context(), q, b))
				}
				for range 1 + len(test.want) {
					s.answer <- nil
					synctest.Wait()
				}
				for _, result := range results {
					if err := <-result; err != nil {
						t.Error(err)
					}
				}
				var got []int
				for _, group := range s.groups[1:] {
					got = append(got, len(group))
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("groups of %v changes, want %v", got, test.want)
				}
			})
		})
	}
}

// A batch whose caller leaves before its commit begins is never committed.
func TestQueueLeftBeforeTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		q := groupcommit.NewQueue(s.commit)
		first := write(t.Context(), q, batch("a"))
		ctx, cancel := context.WithCancel(t.Context())
		leaves := write(ctx, q, batch("leaves"))
		stays := write(t.Context(), q, batch("stays"))
		cancel()
		if err := <-leaves; !errors.Is(err, store.ErrNotWritten) || !errors.Is(err, context.Canceled) {
			t.Errorf("Write of one who left: %v, want ErrNotWritten and the error of the context", err)
		}
		s.answer <- nil
		s.answer <- nil
		if err := errors.Join(<-first, <-stays); err != nil {
			t.Error(err)
		}
		wantGroups(t, s, []string{"a"}, []string{"stays"})
	})
}

// A commit that has begun is waited for: its result is certain, that of a
// caller who leaves is not.
func TestQueueLeftDuringTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		q := groupcommit.NewQueue(s.commit)
		first := write(t.Context(), q, batch("a"))
		ctx, cancel := context.WithCancel(t.Context())
		leaves := write(ctx, q, batch("leaves"))
		stays := write(t.Context(), q, batch("stays"))
		s.answer <- nil
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case err := <-leaves:
			t.Fatalf("Write returns %v before the commit has its answer", err)
		default:
		}
		s.answer <- nil
		if err := errors.Join(<-first, <-leaves, <-stays); err != nil {
			t.Error(err)
		}
		if s.cancels != 0 {
			t.Error("the commit was given up, though somebody waited for it")
		}
	})
}

// When nobody waits for a commit any longer it is told so, and each caller
// gets the error of its own context beside that of the commit.
func TestQueueLeftByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		q := groupcommit.NewQueue(s.commit)
		first := write(t.Context(), q, batch("a"))
		cancelled, cancel := context.WithCancel(t.Context())
		expiring, cancelExpiring := context.WithTimeout(t.Context(), time.Minute)
		defer cancelExpiring()
		one, other := write(cancelled, q, batch("b")), write(expiring, q, batch("c"))
		s.answer <- nil
		if err := <-first; err != nil {
			t.Error(err)
		}
		cancel()
		began := time.Now()
		if err := <-one; !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrNotWritten) {
			t.Errorf("Write: %v, want the error of the commit and context.Canceled", err)
		}
		if err := <-other; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("Write: %v, want the error of the commit and context.DeadlineExceeded", err)
		}
		if waited := time.Since(began); waited != time.Minute || s.cancels != 1 {
			t.Errorf("given up %d times after %v, want once when the last context is done", s.cancels, waited)
		}
	})
}

// The commit may use the values of the context, such as a trace.
func TestQueueContextValues(t *testing.T) {
	type name struct{}
	q := groupcommit.NewQueue(func(ctx context.Context, _ []*store.Batch) error {
		return fmt.Errorf("%v", ctx.Value(name{}))
	})
	if err := q.Write(context.WithValue(t.Context(), name{}, "trace"), batch("a")); err.Error() != "trace" {
		t.Errorf("the commit sees the value %v", err)
	}
}

func TestQueueHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		q := groupcommit.NewQueue(s.commit)
		release, err := q.Hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		result := write(t.Context(), q, batch("a"))
		wantGroups(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := q.Hold(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hold while another holds: %v, want the error of the context", err)
		}
		release()
		synctest.Wait()
		wantGroups(t, s, []string{"a"})
		if _, err := q.Hold(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hold during a commit: %v, want the error of the context", err)
		}
		s.answer <- nil
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

// Many callers, some of whom leave: each batch is committed once, or never if
// its caller was told so, and never two commits at a time.
func TestQueueUnderLoad(t *testing.T) {
	const writers, rounds = 8, 200
	var mu sync.Mutex
	committed, written := make(map[string]int), make(map[string]bool)
	busy := false
	q := groupcommit.NewQueue(func(_ context.Context, group []*store.Batch) error {
		mu.Lock()
		if busy {
			t.Error("two commits at a time")
		}
		busy = true
		mu.Unlock()
		for _, b := range group {
			for op := range b.Ops() {
				mu.Lock()
				committed[string(op.Key)]++
				mu.Unlock()
			}
		}
		mu.Lock()
		busy = false
		mu.Unlock()
		return nil
	})
	var done sync.WaitGroup
	for w := range writers {
		done.Go(func() {
			for i := range rounds {
				key := fmt.Sprintf("%d %d", w, i)
				ctx, cancel := context.WithCancel(t.Context())
				if (w+i)%3 == 0 {
					go cancel()
				}
				err := q.Write(ctx, batch(key))
				if err != nil && !errors.Is(err, store.ErrNotWritten) {
					t.Errorf("Write: %v", err)
				}
				mu.Lock()
				written[key] = err == nil
				mu.Unlock()
				cancel()
			}
		})
	}
	done.Wait()
	for key, ok := range written {
		if want := map[bool]int{true: 1}[ok]; committed[key] != want {
			t.Errorf("batch %s: committed %d times, want %d", key, committed[key], want)
		}
	}
}
