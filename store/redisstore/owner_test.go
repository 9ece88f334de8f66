package redisstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/teststore"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/redisstore"
)

// attempts are the calls by which a store finds out what has become of its
// keys.
func attempts(t *testing.T) map[string]func(s store.Store) error {
	return map[string]func(s store.Store) error{
		"Write": func(s store.Store) error { return teststore.Write(t.Context(), s, "k", "too late") },
		"Get": func(s store.Store) error {
			_, err := s.Get(t.Context(), "k")
			return err
		},
		"Scan": func(s store.Store) error {
			return s.Scan(t.Context(), "", func(string, []byte) error { return errors.New("a visit") })
		},
	}
}

// Whoever opens a store takes it over. The process that had it open may not
// use it any longer, and finds that out when it tries.
func TestTakeOver(t *testing.T) {
	r := start(t)
	for name, attempt := range attempts(t) {
		t.Run(name, func(t *testing.T) {
			old := r.open(t, connect(t, r.Addr()), redisstore.Options{})
			teststore.MustWrite(t, old, "k", "old")
			young := r.open(t, connect(t, r.Addr()), redisstore.Options{Prefix: old.Prefix()})
			teststore.WantValue(t, young, "k", "old")
			if err := attempt(old); !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s of the old one: %v, want ErrClosed", name, err)
			}
			teststore.WantEnded(t, old, "another process has opened it")
			teststore.WantValue(t, young, "k", "old")
			teststore.MustWrite(t, young, "k", "young")
			teststore.WantValue(t, young, "k", "young")
		})
	}
}

// A server that no longer has what it has acknowledged, such as a replica that
// has taken the place of the primary, or one that has come back empty, is not
// believed.
func TestLostWrites(t *testing.T) {
	r := start(t)
	client := connect(t, r.Addr())
	for name, test := range map[string]struct {
		command []string // % stands for what the keys begin with
		reason  string
	}{
		"the last batch": {[]string{"HINCRBY", "%:meta", "batch", "-1"}, "has lost what it had acknowledged: it is at batch 1, and was at batch 2"},
		"everything":     {[]string{"FLUSHALL"}, "has lost the key"},
		"the owner":      {[]string{"HDEL", "%:meta", "owner"}, "has lost the key"},
	} {
		for call, attempt := range attempts(t) {
			t.Run(name+"/"+call, func(t *testing.T) {
				s := r.open(t, client, redisstore.Options{})
				teststore.MustWrite(t, s, "k", "old")
				teststore.MustWrite(t, s, "k", "new")
				command := make([]string, len(test.command))
				for i, word := range test.command {
					command[i] = strings.ReplaceAll(word, "%", "{"+s.Prefix()+"}")
				}
				do(t, client, command...)
				if err := attempt(s); !errors.Is(err, store.ErrClosed) {
					t.Errorf("%s: %v, want ErrClosed", call, err)
				}
				teststore.WantEnded(t, s, test.reason)
			})
		}
	}
}

// A server without an append-only file that crashes comes back empty.
func TestCrashWithoutDurability(t *testing.T) {
	r := start(t, "--appendonly", "no")
	s := r.open(t, connect(t, r.Addr()), redisstore.Options{AllowLoss: true})
	teststore.MustWrite(t, s, "k", "v")
	r.Kill()
	r.Start()
	eventually(t, "the loss is found", func() error {
		if err := teststore.Write(t.Context(), s, "k", "v"); !errors.Is(err, store.ErrClosed) {
			return err
		}
		return nil
	})
	teststore.WantEnded(t, s, "the server has lost the key {"+s.Prefix()+"}:meta")
}

// Keys that do not belong together are not opened, and a scan that meets them
// ends the store.
func TestTornKeys(t *testing.T) {
	r := start(t)
	client := connect(t, r.Addr())
	for name, command := range map[string][]string{
		"a value without a place in the index": {"ZREM", "{torn}:index", "k"},
		"an index without a value":             {"HDEL", "{torn}:values", "k"},
		"no meta":                              {"DEL", "{torn}:meta"},
	} {
		t.Run(name, func(t *testing.T) {
			do(t, client, "FLUSHALL")
			s := r.open(t, client, redisstore.Options{Prefix: "torn"})
			teststore.MustWrite(t, s, "k", "v")
			teststore.MustWrite(t, s, "l", "v")
			do(t, client, command...)
			_, err := redisstore.Open(t.Context(), client, redisstore.Options{Prefix: "torn"})
			if err == nil || !strings.Contains(err.Error(), "do not belong together") {
				t.Errorf("Open: %v, want it to refuse the keys", err)
			}
		})
	}
	do(t, client, "FLUSHALL")
	s := r.open(t, client, redisstore.Options{Prefix: "torn"})
	teststore.MustWrite(t, s, "k", "v")
	do(t, client, "HDEL", "{torn}:values", "k")
	err := s.Scan(t.Context(), "", func(string, []byte) error { return errors.New("a visit") })
	if !errors.Is(err, store.ErrClosed) {
		t.Errorf("Scan: %v, want ErrClosed", err)
	}
	teststore.WantEnded(t, s, "no longer belong together")
}

// A program does not touch keys that a later version has made, or others.
func TestOpenRefusesKeys(t *testing.T) {
	r := start(t)
	client := connect(t, r.Addr())
	s := r.open(t, client, redisstore.Options{Prefix: "p"})
	teststore.MustWrite(t, s, "k", "v")
	do(t, client, "HSET", "{p}:meta", "version", "2")
	_, err := redisstore.Open(t.Context(), client, redisstore.Options{Prefix: "p"})
	if err == nil || !strings.Contains(err.Error(), "are of version 2, which a later version of this program has made") {
		t.Errorf("Open: %v, want it to refuse version 2", err)
	}
	do(t, client, "HSET", "{p}:meta", "version", "1")
	teststore.MustWrite(t, s, "k", "it has not been taken over")

	for _, key := range []string{"meta", "values", "index"} {
		do(t, client, "SET", "{q}:"+key, "of somebody else")
		if _, err := redisstore.Open(t.Context(), client, redisstore.Options{Prefix: "q"}); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("Open with a string as %s: %v", key, err)
		}
		do(t, client, "DEL", "{q}:"+key)
	}
}

func TestOpenRefusesOptions(t *testing.T) {
	for name, opts := range map[string]redisstore.Options{
		"a prefix with a brace": {Prefix: "a}b"},
		"a prefix with a blank": {Prefix: "a b"},
		"a long prefix":         {Prefix: strings.Repeat("p", 65)},
		"a negative grace":      {Grace: -1},
	} {
		if s, err := redisstore.Open(t.Context(), nil, opts); err == nil || s != nil {
			t.Errorf("%s: Open succeeds", name)
		}
	}
}
