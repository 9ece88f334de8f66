package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/interledger-go/connector/store"
)

// subject is the store under test, with the calls that cases make of it all
// the time. Their errors say which call went wrong.
type subject struct{ store.Store }

// open returns a new store, which is closed when the case ends.
func open(t testing.TB, opts Options) subject {
	return adopt(t, opts.New(t))
}

func adopt(t testing.TB, s store.Store) subject {
	t.Helper()
	if s == nil {
		t.Fatal("storetest: Options.New or Options.Reopen returned nil: want a store")
	}
	t.Cleanup(func() { _ = s.Close() })
	return subject{s}
}

// reopen closes s and opens it again.
func (s subject) reopen(t testing.TB, opts Options) (subject, error) {
	if err := s.Close(); err != nil {
		return s, fmt.Errorf("close: %w", err)
	}
	return adopt(t, opts.Reopen(t, s.Store)), nil
}

// put writes one value in a batch of its own.
func (s subject) put(key, value string) error {
	var b store.Batch
	b.Put(key, []byte(value))
	return s.write(&b)
}

// write writes b.
func (s subject) write(b *store.Batch) error {
	if err := s.Write(context.Background(), b); err != nil {
		return fmt.Errorf("write of %d changes: %w", b.Len(), err)
	}
	return nil
}

// wantValue checks the value of one key.
func (s subject) wantValue(key, want string) error {
	got, err := s.Get(context.Background(), key)
	if err != nil {
		return fmt.Errorf("get of %s: %w, want %s", brief(key), err, brief(want))
	}
	if string(got) != want {
		return fmt.Errorf("get of %s gives %s, want %s", brief(key), brief(string(got)), brief(want))
	}
	return nil
}

// wantAbsent checks that there is no such key.
func (s subject) wantAbsent(key string) error {
	got, err := s.Get(context.Background(), key)
	if err == nil {
		return fmt.Errorf("get of %s gives %s, want ErrNotFound", brief(key), brief(string(got)))
	}
	if !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("get of %s: %w, want ErrNotFound", brief(key), err)
	}
	return nil
}

// A pair is what a scan visits.
type pair struct{ key, value string }

// scan returns what a scan visits.
func (s subject) scan(prefix string) ([]pair, error) {
	var pairs []pair
	err := s.Scan(context.Background(), prefix, func(key string, value []byte) error {
		pairs = append(pairs, pair{key, string(value)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan of %s: %w", brief(prefix), err)
	}
	return pairs, nil
}

// wantContents checks the whole store, by Scan and by Get.
func (s subject) wantContents(want map[string]string) error {
	pairs, err := s.scan("")
	if err != nil {
		return err
	}
	if err := wantPairs("scan of everything", pairs, sorted(want)); err != nil {
		return err
	}
	for key, value := range want {
		if err := s.wantValue(key, value); err != nil {
			return err
		}
	}
	return nil
}

// sorted returns the pairs of m in the order of a scan.
func sorted(m map[string]string) []pair {
	var pairs []pair
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, pair{key, m[key]})
	}
	return pairs
}

// wantPairs says where got departs from want.
func wantPairs(what string, got, want []pair) error {
	for i := range min(len(got), len(want)) {
		if got[i].key != want[i].key {
			return fmt.Errorf("%s gives key %s in place %d, want %s", what, brief(got[i].key), i, brief(want[i].key))
		}
		if got[i].value != want[i].value {
			return fmt.Errorf("%s gives %s for key %s, want %s", what, brief(got[i].value), brief(want[i].key), brief(want[i].value))
		}
	}
	switch n := min(len(got), len(want)); {
	case len(got) < len(want):
		return fmt.Errorf("%s gives %d keys, want %d: it ends before %s", what, len(got), len(want), brief(want[n].key))
	case len(got) > len(want):
		return fmt.Errorf("%s gives %d keys, want %d: it goes on with %s", what, len(got), len(want), brief(got[n].key))
	}
	return nil
}

// wantError checks that err wraps each of the wanted errors.
func wantError(what string, err error, wanted ...error) error {
	if err == nil {
		return fmt.Errorf("%s succeeds, want an error that wraps %q", what, wanted[0])
	}
	for _, want := range wanted {
		if !errors.Is(err, want) {
			return fmt.Errorf("%s fails with %q, want an error that wraps %q", what, err, want)
		}
	}
	return nil
}

// brief quotes a key or a value at a length that suits a message.
func brief(s string) string {
	const most = 40
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
}
