package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store"
)

// checkPutGetDelete holds the reference's tests 98 and 99.
func checkPutGetDelete(t testing.TB, opts Options) error {
	s := open(t, opts)
	if err := errors.Join(s.put("k", "v"), s.wantValue("k", "v")); err != nil {
		return err
	}
	for _, value := range []string{"a longer value", "short"} {
		if err := errors.Join(s.put("k", value), s.put("l", "other"), s.wantValue("k", value)); err != nil {
			return err
		}
	}
	var b store.Batch
	b.Delete("k")
	return errors.Join(s.write(&b), s.wantAbsent("k"), s.wantContents(map[string]string{"l": "other"}))
}

func checkNotFound(t testing.TB, opts Options) error {
	s := open(t, opts)
	if err := errors.Join(s.wantAbsent("k"), s.wantContents(nil)); err != nil {
		return err
	}
	var b store.Batch
	b.Delete("k")
	return errors.Join(s.write(&b), s.put("kk", "v"), s.put("j", "v"), s.wantAbsent("k"))
}

// checkLargeValues holds the reference's test 100: 21,000 characters.
func checkLargeValues(t testing.TB, opts Options) error {
	s := open(t, opts)
	want := make(map[string]string)
	for _, size := range []int{1, 255, 256, 4096, 21_000, 65_535, 65_536, store.MaxValueSize} {
		key := fmt.Sprintf("size %d", size)
		want[key] = pattern(size)
		if err := s.put(key, want[key]); err != nil {
			return err
		}
	}
	return s.wantContents(want)
}

// pattern returns size bytes of every value, without a period that a power of
// two divides.
func pattern(size int) string {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i % 251 * 7)
	}
	return string(p)
}

func checkBinaryKeys(t testing.TB, opts Options) error {
	s := open(t, opts)
	keys := []string{
		"key", "KEY", "Key", "key ", " key", "key\x00", "key\x00\x00", "key\t", "key\n", "kéy", "ke\u0301y", "k\xe9y",
		"%", "_", "k_y", "k%", "k*", "k?y", "k[e]y", `k\ey`, "'", `"; drop table "Users; --`, "{key}", "../key", "key/", "/",
		"\xff\xfe", "\xed\xa0\x80", "\xef\xbf\xbd", "\ufeffkey", strings.Repeat("\x00", opts.maxKeySize()), strings.Repeat("\xff", opts.maxKeySize()),
	}
	for c := range 256 {
		keys = append(keys, string([]byte{byte(c)}), string([]byte{'k', byte(c), 'y'}))
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	var b store.Batch
	want := make(map[string]string)
	for i, key := range keys {
		want[key] = fmt.Sprintf("value %d", i)
		b.Put(key, []byte(want[key]))
	}
	if err := errors.Join(s.write(&b), s.wantContents(want)); err != nil {
		return err
	}
	b.Reset()
	for i, key := range keys {
		if i%2 == 0 {
			b.Delete(key)
			delete(want, key)
		}
	}
	return errors.Join(s.write(&b), s.wantContents(want))
}

func checkEmptyValue(t testing.TB, opts Options) error {
	s := open(t, opts)
	var b store.Batch
	b.Put("a nil value", nil)
	b.Put("an empty value", []byte{})
	b.Put("emptied", []byte("full"))
	err := errors.Join(s.write(&b), s.put("emptied", ""))
	if err != nil {
		return err
	}
	return errors.Join(
		s.wantContents(map[string]string{"a nil value": "", "an empty value": "", "emptied": ""}),
		s.wantAbsent("an absent key"))
}

func checkLimits(t testing.TB, opts Options) error {
	s := open(t, opts)
	longest := strings.Repeat("k", opts.maxKeySize())
	want := map[string]string{"k": "v", longest: "v"}
	for key := range want {
		if err := s.put(key, "v"); err != nil {
			return err
		}
	}
	tooLong, tooLarge := longest+"k", make([]byte, store.MaxValueSize+1)
	for name, fill := range map[string]func(b *store.Batch){
		"an empty key":         func(b *store.Batch) { b.Put("", []byte("x")) },
		"a key too long":       func(b *store.Batch) { b.Put(tooLong, []byte("x")) },
		"a value too large":    func(b *store.Batch) { b.Put("k", tooLarge) },
		"a delete of no key":   func(b *store.Batch) { b.Delete("") },
		"a delete of too long": func(b *store.Batch) { b.Delete(tooLong) },
	} {
		var b store.Batch
		b.Put("before", []byte("x"))
		b.Delete("k")
		fill(&b)
		b.Put("after", []byte("x"))
		err := wantError("write with "+name, s.Write(context.Background(), &b), store.ErrInvalid, store.ErrNotWritten)
		if err := errors.Join(err, s.wantContents(maps.Clone(want))); err != nil {
			return err
		}
	}
	_, errEmpty := s.Get(context.Background(), "")
	_, errLong := s.Get(context.Background(), tooLong)
	nothing := func(string, []byte) error { return nil }
	return errors.Join(
		wantError("get of an empty key", errEmpty, store.ErrInvalid),
		wantError("get of a key too long", errLong, store.ErrInvalid),
		wantError("scan of a prefix too long", s.Scan(context.Background(), tooLong, nothing), store.ErrInvalid),
		s.Scan(context.Background(), longest, nothing))
}

func checkOwnership(t testing.TB, opts Options) error {
	s := open(t, opts)
	want := map[string]string{"k": "right", "l": "right"}
	var b store.Batch
	value := []byte("right")
	b.Put("k", value)
	copy(value, "wrong")
	b.Put("l", []byte("right"))
	if err := s.write(&b); err != nil {
		return err
	}
	b.Reset()
	b.Put("m", []byte("wrong"))
	b.Put("n", []byte("wrong"))
	if err := s.wantContents(want); err != nil {
		return fmt.Errorf("after the batch was used again: %w", err)
	}

	got, err := s.Get(context.Background(), "k")
	if err != nil {
		return err
	}
	copy(got, "wrong")
	_ = append(got[:0], "wrong and longer"...)
	if err := s.wantContents(want); err != nil {
		return fmt.Errorf("after a change of what Get gave: %w", err)
	}

	var kept [][]byte
	err = s.Scan(context.Background(), "", func(_ string, value []byte) error {
		kept = append(kept, value)
		return nil
	})
	if err != nil {
		return err
	}
	got, err = s.Get(context.Background(), "k")
	if err != nil {
		return err
	}
	if err := errors.Join(s.put("k", "wrong"), s.put("l", "wrong"), s.wantValue("k", "wrong")); err != nil {
		return err
	}
	for i, value := range append(kept, got) {
		if string(value) != "right" {
			return fmt.Errorf("a value that was kept (%d) has become %q after a later Write", i, value)
		}
		copy(value, "other")
	}
	return s.wantContents(map[string]string{"k": "wrong", "l": "wrong"})
}
