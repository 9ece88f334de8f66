package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
)

func checkConcurrent(t testing.TB, opts Options) error {
	const writers, rounds = 4, 50
	s := open(t, opts)
	var faults faultList
	var writersDone sync.WaitGroup
	want := make(map[string]string)
	for w := range writers {
		own := fmt.Sprintf("own %d", w)
		want[own] = strconv.Itoa(rounds - 1)
		for i := range rounds {
			want[fmt.Sprintf("each %d %d", w, i)] = own
		}
		writersDone.Go(func() {
			for i := range rounds {
				var b store.Batch
				b.Put(own, []byte(strconv.Itoa(i)))
				b.Put("shared", []byte(own))
				b.Put(fmt.Sprintf("each %d %d", w, i), []byte(own))
				if err := errors.Join(s.write(&b), s.wantValue(own, strconv.Itoa(i))); err != nil {
					faults.add(err)
					return
				}
			}
		})
	}
	writersDone.Wait()
	if err := faults.first(); err != nil {
		return err
	}
	last, err := s.Get(context.Background(), "shared")
	if err != nil {
		return fmt.Errorf("get of the key that all write: %w", err)
	}
	want["shared"] = string(last)
	if want[want["shared"]] == "" {
		return fmt.Errorf("the key that all write is %q, which nobody wrote", last)
	}
	return s.wantContents(want)
}

// checkLaterWins lets two goroutines write one key in turn.
func checkLaterWins(t testing.TB, opts Options) error {
	const turns = 100
	s := open(t, opts)
	var faults faultList
	baton, over := make(chan int), make(chan struct{})
	var playersDone sync.WaitGroup
	for range 2 {
		playersDone.Go(func() {
			for {
				select {
				case <-over:
					return
				case turn := <-baton:
					value := strconv.Itoa(turn)
					faults.add(errors.Join(s.put("k", value), s.wantValue("k", value)))
					if turn == turns || faults.any() {
						close(over)
						return
					}
					select {
					case baton <- turn + 1:
					case <-over:
						return
					}
				}
			}
		})
	}
	baton <- 1
	playersDone.Wait()
	if err := faults.first(); err != nil {
		return err
	}
	return s.wantValue("k", strconv.Itoa(turns))
}

func checkCancelled(t testing.TB, opts Options) error {
	s := open(t, opts)
	contents := map[string]string{"a": "1", "b": "2", "c": "3"}
	for key, value := range contents {
		if err := s.put(key, value); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	visits := 0
	err := s.Scan(ctx, "", func(string, []byte) error {
		visits++
		cancel()
		return nil
	})
	if visits != 1 {
		return fmt.Errorf("scan makes %d visits, want none after the first, which cancels", visits)
	}
	if err := wantError("scan that is cancelled half-way", err, context.Canceled); err != nil {
		return err
	}

	expired, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	for _, ctx := range []context.Context{ctx, expired} {
		var b store.Batch
		b.Put("a", []byte("changed"))
		b.Delete("b")
		_, errGet := s.Get(ctx, "a")
		err := errors.Join(
			wantError("get", errGet, ctx.Err()),
			wantError("write", s.Write(ctx, &b), ctx.Err(), store.ErrNotWritten),
			wantError("scan", s.Scan(ctx, "", func(string, []byte) error { return errors.New("a visit") }), ctx.Err()),
			wantError("scan of nothing", s.Scan(ctx, "nothing", func(string, []byte) error { return nil }), ctx.Err()))
		if err != nil {
			return fmt.Errorf("with a context that is done: %w", err)
		}
	}
	return s.wantContents(contents)
}

func checkClose(t testing.TB, opts Options) error {
	s := open(t, opts)
	if err := s.put("k", "v"); err != nil {
		return err
	}
	var faults faultList
	var closersDone sync.WaitGroup
	for range 3 {
		closersDone.Go(func() { faults.add(s.Close()) })
	}
	closersDone.Wait()
	faults.add(s.Close())
	if err := faults.first(); err != nil {
		return fmt.Errorf("close, concurrently and again: %w", err)
	}
	var b store.Batch
	b.Put("k", []byte("changed"))
	_, errGet := s.Get(context.Background(), "k")
	_, errAbsent := s.Get(context.Background(), "absent")
	return errors.Join(
		wantError("get after Close", errGet, store.ErrClosed),
		wantError("get of an absent key after Close", errAbsent, store.ErrClosed),
		wantError("scan after Close", s.Scan(context.Background(), "", func(string, []byte) error { return nil }), store.ErrClosed),
		wantError("write after Close", s.Write(context.Background(), &b), store.ErrClosed, store.ErrNotWritten),
		wantError("write of an empty batch after Close", s.Write(context.Background(), new(store.Batch)), store.ErrClosed))
}

// checkCloseUnderLoad closes a store while writers are at it, each of which
// writes one key after the other until it is told to stop.
func checkCloseUnderLoad(t testing.TB, opts Options) error {
	const writers, beforeClose = 4, 5
	s := open(t, opts)
	var faults faultList
	var started, writersDone sync.WaitGroup
	written := make([]int, writers) // how many writes of each succeeded
	shut := make(chan struct{})     // closed after the store
	started.Add(writers)
	for w := range writers {
		writersDone.Go(func() {
			for i := 0; ; i++ {
				if i == beforeClose {
					started.Done()
				}
				late := closed(shut)
				err := s.put(fmt.Sprintf("key %d %d", w, i), "v")
				if err == nil && late {
					faults.add(errors.New("a Write that begins after Close has returned succeeds"))
					return
				}
				if err != nil {
					if i < beforeClose {
						started.Done()
					}
					faults.add(wantError("write while the store is closed", err, store.ErrClosed, store.ErrNotWritten))
					written[w] = i
					return
				}
			}
		})
	}
	started.Wait()
	faults.add(s.Close())
	close(shut)
	writersDone.Wait()
	if err := faults.first(); err != nil || opts.Reopen == nil {
		return err
	}
	want := make(map[string]string)
	for w, n := range written {
		for i := range n {
			want[fmt.Sprintf("key %d %d", w, i)] = "v"
		}
	}
	s, err := s.reopen(t, opts)
	if err != nil {
		return err
	}
	return s.wantContents(want)
}

func checkReopen(t testing.TB, opts Options) error {
	if opts.Reopen == nil {
		return notApplicable("Options.Reopen is nil: the store keeps nothing")
	}
	s := open(t, opts)
	want := map[string]string{"kept": "old", "\x00\xff": "", "large": pattern(store.MaxValueSize)}
	for key, value := range want {
		if err := s.put(key, value); err != nil {
			return err
		}
	}
	if err := s.put("deleted", "old"); err != nil {
		return err
	}
	for generation := range 3 {
		var b store.Batch
		b.Delete("deleted")
		b.Put("changed", []byte(strconv.Itoa(generation)))
		want["changed"] = strconv.Itoa(generation)
		if err := s.write(&b); err != nil {
			return err
		}
		closed := s
		var err error
		if s, err = s.reopen(t, opts); err != nil {
			return err
		}
		if err := s.wantContents(want); err != nil {
			return fmt.Errorf("after opening again: %w", err)
		}
		if err := s.wantAbsent("deleted"); err != nil {
			return err
		}
		if _, err := closed.Get(context.Background(), "kept"); err == nil {
			return errors.New("the store that was closed answers when it has been opened again")
		}
	}
	return nil
}
