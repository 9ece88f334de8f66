package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
)

// checkCrash lets several writers write numbered batches until the store fails
// under them, and compares what they were told with what is there afterwards.
func checkCrash(t testing.TB, opts Options) error {
	if opts.Crash == nil {
		return notApplicable("Options.Crash is nil: nothing is taken away from under the store")
	}
	for round := 0; ; round++ {
		l := newCrashLoad()
		s := opts.Crash(t, round, l.run)
		if s == nil && round == 0 {
			return errors.New("there is no round 0: want Options.Crash to return a store for it")
		}
		if s == nil {
			return nil
		}
		if err := errors.Join(l.check(subject{s}), s.Close()); err != nil {
			return fmt.Errorf("after the crash of round %d: %w", round, err)
		}
	}
}

const (
	crashWriters = 3
	crashBatches = 4 // of each writer
)

// crashLoad is what is written to a store while it crashes.
type crashLoad struct {
	ran     bool
	writers [crashWriters]crashWriter
}

// crashWriter writes batches 1, 2, 3 and so on, each of which brings its keys
// to the state of that number.
type crashWriter struct {
	name  string
	acked int   // the last batch whose Write returned nil
	err   error // what the Write of the next one returned, if any
}

func newCrashLoad() *crashLoad {
	l := new(crashLoad)
	for i := range l.writers {
		l.writers[i].name = fmt.Sprintf("writer %d", i)
	}
	return l
}

// run writes until all is written or the store fails.
func (l *crashLoad) run(s store.Store) {
	l.ran = true
	var done sync.WaitGroup
	for i := range l.writers {
		done.Go(func() { l.writers[i].run(s) })
	}
	done.Wait()
}

func (w *crashWriter) run(s store.Store) {
	for n := 1; n <= crashBatches; n++ {
		before, after := w.state(n-1), w.state(n)
		var b store.Batch
		for key, value := range after {
			if before[key] != value {
				b.Put(key, []byte(value))
			}
		}
		for key := range before {
			if _, stays := after[key]; !stays {
				b.Delete(key)
			}
		}
		if w.err = s.Write(context.Background(), &b); w.err != nil {
			return
		}
		w.acked = n
	}
}

// state returns the keys of a writer after batch n: a few that always change,
// some that come and go, a large one that grows, and one that says n.
func (w *crashWriter) state(n int) map[string]string {
	state := make(map[string]string)
	if n == 0 {
		return state
	}
	state[w.name] = strconv.Itoa(n)
	for i := range 5 {
		state[fmt.Sprintf("%s/always/%d", w.name, i)] = fmt.Sprint(n, " of ", w.name)
		if n%2 == 1 {
			state[fmt.Sprintf("%s/odd/%d", w.name, i)] = strconv.Itoa(n)
		}
	}
	state[fmt.Sprintf("%s/batch/%d", w.name, n)] = w.name
	state[w.name+"/large"] = strings.Repeat(strconv.Itoa(n), 5000*n)
	return state
}

// check says where the store departs from what the writers were told.
func (l *crashLoad) check(s subject) error {
	if !l.ran {
		return errors.New("Options.Crash has not called load")
	}
	want := make(map[string]string)
	for _, w := range l.writers {
		n, err := w.found(s)
		if err != nil {
			return err
		}
		maps.Copy(want, w.state(n))
	}
	if err := s.wantContents(want); err != nil {
		return fmt.Errorf("half a batch: %w", err)
	}
	return errors.Join(s.put("after the crash", "v"), s.wantValue("after the crash", "v"))
}

// found returns the number of the batch whose state the store has, if the
// writer can live with it.
func (w *crashWriter) found(s subject) (int, error) {
	n := 0
	text, err := s.Get(context.Background(), w.name)
	if err == nil {
		n, err = strconv.Atoi(string(text))
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("get of %s: %w", w.name, err)
	}
	switch {
	case n == w.acked:
		return n, nil
	case n < w.acked:
		return 0, fmt.Errorf("%s is at batch %d, want %d, whose Write returned nil", w.name, n, w.acked)
	case n > w.acked+1 || w.err == nil:
		return 0, fmt.Errorf("%s is at batch %d, want %d, the last that was written", w.name, n, w.acked)
	case errors.Is(w.err, store.ErrNotWritten):
		return 0, fmt.Errorf("%s is at batch %d, whose Write said ErrNotWritten: %w", w.name, n, w.err)
	}
	return n, nil
}
