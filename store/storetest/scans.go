package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/store"
)

func checkScanOrder(t testing.TB, opts Options) error {
	s := open(t, opts)
	longest := strings.Repeat("\xff", opts.maxKeySize())
	contents := make(map[string]string)
	var b store.Batch
	for i, key := range []string{
		"b", "a", "B", "A", "aa", "ab", "a\xff\xff", "a\xff", "a\x00", "a%", "a%c", "a_", "abc", "a*", "a?", "[a]", `a\`,
		"\x00", "\x00\x00", "\x00\xff", "\x01", "\x7f", "\x80", "\xfe", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", longest,
		"10", "9", "-1", "é", "e\u0301", "z", "Z", " ", "  ",
	} {
		contents[key] = fmt.Sprintf("value %d", i)
		b.Put(key, []byte(contents[key]))
	}
	if err := s.write(&b); err != nil {
		return err
	}
	for _, prefix := range []string{
		"", "a", "A", "a%", "a_", "a*", "a?", "[a]", `a\`, "a\xff", "a\x00", "abcd", "b", "c", "\x00", "\x00\xff", "\x01", "\x7f",
		"\xfe", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", longest[1:], longest, "\xc3", "1", " ",
	} {
		matching := make(map[string]string)
		for key, value := range contents {
			if strings.HasPrefix(key, prefix) {
				matching[key] = value
			}
		}
		pairs, err := s.scan(prefix)
		if err != nil {
			return err
		}
		if err := wantPairs("scan of "+brief(prefix), pairs, sorted(matching)); err != nil {
			return err
		}
	}
	return nil
}

// checkScanSnapshot changes the store behind the back of a scan: after its
// first visit, before its last.
func checkScanSnapshot(t testing.TB, opts Options) error {
	const keys = 1000
	// A store may hold up writers while it scans. Then the change comes later
	// and the scan has to go on without it.
	const patience = 250 * time.Millisecond
	s := open(t, opts)
	before, after := make(map[string]string), make(map[string]string)
	var b store.Batch
	for i := range keys {
		key := fmt.Sprintf("key %04d", i)
		before[key] = "before"
		b.Put(key, []byte("before"))
	}
	if err := s.write(&b); err != nil {
		return err
	}
	b.Reset()
	for i := range keys {
		switch key := fmt.Sprintf("key %04d", i); i % 3 {
		case 0:
			after[key] = "after"
			b.Put(key, []byte("after"))
		case 1:
			b.Delete(key)
		default:
			after[key] = "before"
			after[key+" and a half"] = "after"
			b.Put(key+" and a half", []byte("after"))
		}
	}
	written := make(chan error, 1)
	var seen []pair
	err := s.Scan(context.Background(), "key", func(key string, value []byte) error {
		if len(seen) == 0 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				written <- s.write(&b)
			}()
			select {
			case <-done:
			case <-time.After(patience):
			}
		}
		seen = append(seen, pair{key, string(value)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	if len(seen) == 0 {
		return errors.New("scan visits nothing")
	}
	if err := <-written; err != nil {
		return err
	}
	if err := wantPairs("scan during a Write", seen, sorted(before)); err != nil {
		return err
	}
	return s.wantContents(after)
}

func checkScanStops(t testing.TB, opts Options) error {
	s := open(t, opts)
	if err := errors.Join(s.put("a", "1"), s.put("b", "2"), s.put("c", "3")); err != nil {
		return err
	}
	enough := errors.New("enough")
	visits := 0
	err := s.Scan(context.Background(), "", func(string, []byte) error {
		if visits++; visits == 2 {
			return enough
		}
		return nil
	})
	if err != enough { // As it is: not even wrapped.
		return fmt.Errorf("scan returns %v, want the error of visit", err)
	}
	if visits != 2 {
		return fmt.Errorf("scan makes %d visits, want it to stop at the second", visits)
	}
	return s.wantContents(map[string]string{"a": "1", "b": "2", "c": "3"})
}
