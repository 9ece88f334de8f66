package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store"
)

// What a sentinel implies decides whether a caller may write a batch again.
func TestSentinels(t *testing.T) {
	tests := []struct {
		err        error
		notWritten bool
	}{
		{store.ErrNotWritten, true},
		{store.ErrClosed, true},
		{store.ErrInvalid, true},
		{fmt.Errorf("store of the day: %w", store.ErrClosed), true},
		{store.ErrNotFound, false},
		{errors.New("connection reset"), false},
	}
	for _, test := range tests {
		if got := errors.Is(test.err, store.ErrNotWritten); got != test.notWritten {
			t.Errorf("%v is ErrNotWritten: %v, want %v", test.err, got, test.notWritten)
		}
	}
	if errors.Is(store.ErrNotWritten, store.ErrClosed) || errors.Is(store.ErrClosed, store.ErrInvalid) || errors.Is(store.ErrInvalid, store.ErrClosed) {
		t.Error("one sentinel is taken for another")
	}
}

func TestCheckKeyAndPrefix(t *testing.T) {
	longest := strings.Repeat("\xff", store.MaxKeySize)
	tests := []struct {
		text        string
		key, prefix bool
	}{
		{"", false, true},
		{"\x00", true, true},
		{longest, true, true},
		{longest + "k", false, false},
	}
	for _, test := range tests {
		if err := store.CheckKey(test.text); (err == nil) != test.key || err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("CheckKey of %d bytes: %v, want it taken: %v", len(test.text), err, test.key)
		}
		if err := store.CheckPrefix(test.text); (err == nil) != test.prefix || err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("CheckPrefix of %d bytes: %v, want it taken: %v", len(test.text), err, test.prefix)
		}
	}
	if err := store.CheckKey(longest + "k"); !strings.Contains(err.Error(), "513 bytes: want 1 to 512") {
		t.Errorf("%q does not say what would be right", err)
	}
}
