// Package teststore has what the tests of several stores say again and again:
// one value written, read, and a store that has closed itself.
package teststore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/store"
)

// Write writes one value.
func Write(ctx context.Context, s store.Store, key, value string) error {
	var b store.Batch
	b.Put(key, []byte(value))
	return s.Write(ctx, &b)
}

// MustWrite writes one value, and ends the test if it cannot.
func MustWrite(t testing.TB, s store.Store, key, value string) {
	t.Helper()
	if err := Write(context.Background(), s, key, value); err != nil {
		t.Fatal(err)
	}
}

// WantValue checks that key has this value.
func WantValue(t testing.TB, s store.Store, key, want string) {
	t.Helper()
	if got, err := s.Get(context.Background(), key); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v; want %q", key, got, err, want)
	}
}

// WantEnded checks that a store has closed itself, and says why.
func WantEnded(t testing.TB, s store.Store, reason string) {
	t.Helper()
	_, errGet := s.Get(t.Context(), "k")
	for name, err := range map[string]error{
		"Write": Write(t.Context(), s, "k", "v"),
		"Get":   errGet,
		"Scan":  s.Scan(t.Context(), "", func(string, []byte) error { return nil }),
	} {
		if !errors.Is(err, store.ErrClosed) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want ErrClosed and %q", name, err, reason)
		}
	}
}

// Expiring returns a context with little time left.
func Expiring(t testing.TB, left time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), left)
	t.Cleanup(cancel)
	return ctx
}
