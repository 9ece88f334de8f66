package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/internal/testserver"
	"github.com/interledger-go/connector/internal/teststore"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/redisstore"
)

// quick makes a client find out soon that a server does not answer.
func quick(o *rueidis.ClientOption) {
	o.ConnWriteTimeout = 300 * time.Millisecond
	o.Dialer.KeepAlive = 100 * time.Millisecond
	o.Dialer.Timeout = time.Second
	o.PipelineMultiplex = -1 // One connection.
}

// wantUnknown checks that the outcome of a Write is said to be unknown.
func wantUnknown(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, store.ErrNotWritten) {
		t.Errorf("Write: %v, want an unknown outcome", err)
	}
}

// eventually repeats what may fail until the client has noticed a change.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, again := teststore.Expiring(t, 20*time.Second), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-again.C:
		}
	}
}

// awaitValue waits until the server has a value.
func awaitValue(t *testing.T, client rueidis.Client, s *redisstore.Store, key, want string) {
	ctx, again := teststore.Expiring(t, 20*time.Second), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		value, err := client.Do(ctx, client.B().Hget().Key("{"+s.Prefix()+"}:values").Field(key).Build()).ToString()
		if err == nil && value == want {
			return
		}
		if ctx.Err() != nil {
			t.Errorf("%s is %q, %v; want %q", key, value, err, want)
			return
		}
		<-again.C
	}
}

// A batch whose reply is lost has an unknown outcome, and is in force before
// the next one.
func TestLostReply(t *testing.T) {
	r := start(t)
	proxy := testserver.NewProxy(t, r.Addr())
	s := r.open(t, connect(t, proxy.Addr(), quick), redisstore.Options{Grace: 50 * time.Millisecond})
	teststore.MustWrite(t, s, "k", "old")

	direct := connect(t, r.Addr())
	held := proxy.HoldReply("lost reply")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held
		awaitValue(t, direct, s, "k", "lost reply")
		cancel()
	}()
	err := teststore.Write(ctx, s, "k", "lost reply")
	wantUnknown(t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v, want the error of its context", err)
	}
	proxy.Break()
	eventually(t, "Write", func() error { return teststore.Write(t.Context(), s, "other", "v") })
	teststore.WantValue(t, s, "k", "lost reply")

	held = proxy.HoldReply("connection breaks")
	go func() {
		<-held
		awaitValue(t, direct, s, "k", "connection breaks")
		proxy.Break()
	}()
	wantUnknown(t, teststore.Write(t.Context(), s, "k", "connection breaks"))
	eventually(t, "Write", func() error { return teststore.Write(t.Context(), s, "other", "v") })
	teststore.WantValue(t, s, "k", "connection breaks")
}

// What has been sent is worth waiting for, though the context is done.
func TestReplyWithinGrace(t *testing.T) {
	r := start(t)
	proxy := testserver.NewProxy(t, r.Addr())
	s := r.open(t, connect(t, proxy.Addr()), redisstore.Options{Grace: time.Minute})
	held := proxy.HoldReply("within grace")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held
		cancel()
		proxy.Release()
	}()
	if err := teststore.Write(ctx, s, "k", "within grace"); err != nil {
		t.Errorf("Write: %v, want the outcome", err)
	}
	teststore.WantValue(t, s, "k", "within grace")
}

// A batch that is still on its way when the store has given it up does not come
// into force after the next one, however late it arrives.
func TestLateWrite(t *testing.T) {
	r := start(t)
	proxy := testserver.NewProxy(t, r.Addr())
	s := r.open(t, connect(t, proxy.Addr(), quick), redisstore.Options{Grace: 50 * time.Millisecond})
	teststore.MustWrite(t, s, "k", "old")
	held := proxy.HoldRequest("late write")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held
		cancel()
	}()
	wantUnknown(t, teststore.Write(ctx, s, "k", "late write"))
	eventually(t, "Write on a new connection", func() error { return teststore.Write(teststore.Expiring(t, time.Second), s, "k", "next") })
	teststore.WantValue(t, s, "k", "next")

	// Its connection stays open until the server has read it to the end.
	direct := connect(t, r.Addr())
	before := evals(t, direct)
	proxy.Release()
	eventually(t, "the late write", func() error {
		if evals(t, direct) == before {
			return errors.New("it has not arrived")
		}
		return nil
	})
	teststore.WantValue(t, s, "k", "next")
	teststore.MustWrite(t, s, "k", "after")
}

// evals returns how many scripts the server has run that look at owner and
// batch.
func evals(t *testing.T, client rueidis.Client) string {
	t.Helper()
	stats, err := do(t, client, "INFO", "commandstats").ToString()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(stats, "\r\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "cmdstat_hmget:") })
	if i < 0 {
		t.Fatalf("no HMGET among %s", stats)
	}
	calls, _, _ := strings.Cut(lines[i], ",")
	return calls
}

// What is sent twice takes effect once, and what comes late none at all.
func TestNumbers(t *testing.T) {
	r := start(t)
	s := r.open(t, connect(t, r.Addr()), redisstore.Options{})
	teststore.MustWrite(t, s, "k", "v")
	teststore.MustWrite(t, s, "k", "last")
	var b store.Batch
	b.Put("k", []byte("again"))
	for _, test := range []struct {
		number int64
		status string
	}{{s.Batch(), "ok"}, {s.Batch() - 1, "late"}, {0, "late"}} {
		if status, err := s.Send(t.Context(), test.number, &b); err != nil || status != test.status {
			t.Errorf("batch %d after %d: %q, %v; want %q", test.number, s.Batch(), status, err, test.status)
		}
	}
	teststore.WantValue(t, s, "k", "last")
	teststore.MustWrite(t, s, "k", "next")
	teststore.WantValue(t, s, "k", "next")
}

// While a server is away, calls fail at once, with errors that leave room for
// another try. When it is back, so is the store.
func TestServerStops(t *testing.T) {
	r := start(t)
	s := r.open(t, connect(t, r.Addr()), redisstore.Options{})
	teststore.MustWrite(t, s, "k", "old")
	r.Stop()
	notWritten := 0
	for range 5 {
		_, errGet := s.Get(t.Context(), "k")
		errWrite := teststore.Write(t.Context(), s, "k", "new")
		for name, err := range map[string]error{
			"Get":   errGet,
			"Scan":  s.Scan(t.Context(), "", func(string, []byte) error { return errors.New("a visit") }),
			"Write": errWrite,
		} {
			if err == nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s: %v, want an error after which trying again makes sense", name, err)
			}
		}
		if errors.Is(errWrite, store.ErrNotWritten) {
			notWritten++
		}
	}
	if notWritten < 4 {
		t.Errorf("%d of 5 Writes say ErrNotWritten, want all to which the server is not there", notWritten)
	}
	r.Start()
	eventually(t, "Write", func() error { return teststore.Write(t.Context(), s, "k", "new") })
	teststore.WantValue(t, s, "k", "new")
}

// A server that hangs holds up nobody for longer than the context, and the
// grace of a write, allow.
func TestServerHangs(t *testing.T) {
	const short = 100 * time.Millisecond
	r := start(t)
	s := r.open(t, connect(t, r.Addr(), quick), redisstore.Options{Grace: short})
	teststore.MustWrite(t, s, "k", "old")
	r.Pause()
	errWrite := teststore.Write(teststore.Expiring(t, short), s, "k", "given up")
	_, errGet := s.Get(teststore.Expiring(t, short), "k")
	for name, err := range map[string]error{
		"Get":   errGet,
		"Scan":  s.Scan(teststore.Expiring(t, short), "", func(string, []byte) error { return nil }),
		"Write": errWrite,
	} {
		if err == nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v, want an error after which trying again makes sense", name, err)
		}
	}
	wantUnknown(t, errWrite)
	if !errors.Is(errWrite, context.DeadlineExceeded) {
		t.Errorf("Write: %v, want the error of its context", errWrite)
	}
	r.Resume()
	eventually(t, "Write", func() error { return teststore.Write(teststore.Expiring(t, time.Second), s, "k", "new") })
	teststore.WantValue(t, s, "k", "new")
}

// What a server refuses has no effect at all, the store says so, and nothing
// of it is left when the server takes writes again.
func TestServerRefuses(t *testing.T) {
	for name, test := range map[string]struct{ refuse, accept []string }{
		"memory":   {[]string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}},
		"replica":  {[]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}},
		"replicas": {[]string{"CONFIG", "SET", "min-replicas-to-write", "1"}, []string{"CONFIG", "SET", "min-replicas-to-write", "0"}},
		"zadd":     {[]string{"ACL", "SETUSER", "default", "-zadd"}, []string{"ACL", "SETUSER", "default", "+zadd"}},
		"zrem":     {[]string{"ACL", "SETUSER", "default", "-zrem"}, []string{"ACL", "SETUSER", "default", "+zrem"}},
		"hset":     {[]string{"ACL", "SETUSER", "default", "-hset"}, []string{"ACL", "SETUSER", "default", "+hset"}},
		"hdel":     {[]string{"ACL", "SETUSER", "default", "-hdel"}, []string{"ACL", "SETUSER", "default", "+hdel"}},
		"scripts":  {[]string{"ACL", "SETUSER", "default", "-@scripting"}, []string{"ACL", "SETUSER", "default", "+@scripting"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			client := connect(t, r.Addr())
			s := r.open(t, client, redisstore.Options{})
			teststore.MustWrite(t, s, "k", "old")
			teststore.MustWrite(t, s, "deleted", "old")
			do(t, client, test.refuse...)
			var b store.Batch
			b.Put("k", []byte("new"))
			b.Put("added", []byte("new"))
			b.Delete("deleted")
			for range 2 {
				if err := s.Write(t.Context(), &b); !errors.Is(err, store.ErrNotWritten) || errors.Is(err, store.ErrClosed) {
					t.Errorf("Write: %v, want ErrNotWritten", err)
				}
			}
			do(t, client, test.accept...)
			teststore.WantValue(t, s, "k", "old")
			teststore.WantValue(t, s, "deleted", "old")
			if _, err := s.Get(t.Context(), "added"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Get: %v, want ErrNotFound", err)
			}
			if err := s.Write(t.Context(), &b); err != nil {
				t.Error(err)
			}
			teststore.WantValue(t, s, "added", "new")
		})
	}
}

// A scan of many pages shows one instant: writers wait, unlike those of a scan
// of one page.
func TestScanOfManyPages(t *testing.T) {
	r := start(t)
	s := r.open(t, connect(t, r.Addr()), redisstore.Options{})
	for _, test := range []struct {
		name       string
		keys, size int
		pages      bool // more than one
	}{
		{"few", 10, 10, false},
		{"many keys", 3500, 10, true},
		{"a whole number of pages", 2000, 10, true},
		{"many bytes", 40, 100_000, true},
		{"large values", 5, store.MaxValueSize, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b, deletes store.Batch
			for i := range test.keys {
				key := fmt.Sprintf("%s %05d", test.name, i)
				b.Put(key, []byte(strings.Repeat("v", test.size)))
				deletes.Delete(key)
			}
			if err := s.Write(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			visits := 0
			written := make(chan error, 1)
			err := s.Scan(t.Context(), test.name, func(key string, value []byte) error {
				if want := fmt.Sprintf("%s %05d", test.name, visits); key != want || len(value) != test.size {
					t.Fatalf("visit %d: key %q with %d bytes, want %q with %d", visits, key, len(value), want, test.size)
				}
				if visits++; visits == 1 {
					go func() { written <- s.Write(context.Background(), &deletes) }()
					if !test.pages {
						written <- <-written
					}
				}
				return nil
			})
			if err != nil || visits != test.keys {
				t.Errorf("Scan makes %d visits, %v; want %d", visits, err, test.keys)
			}
			if err := <-written; err != nil {
				t.Error(err)
			}
			if err := s.Scan(t.Context(), test.name, func(string, []byte) error { return errors.New("a visit") }); err != nil {
				t.Errorf("Scan when all is deleted: %v", err)
			}
		})
	}
}

// The first page of a scan says that there are more, when writers do not wait
// yet: what they write before the second is no reason to show two instants.
func TestScanOfManyPagesAmongWrites(t *testing.T) {
	const keys, scans = 1500, 10
	r := start(t)
	s := r.open(t, connect(t, r.Addr()), redisstore.Options{})
	step := func(version string) error {
		var b store.Batch
		for i := range keys {
			b.Put(fmt.Sprintf("%05d", i), []byte(version))
		}
		return s.Write(context.Background(), &b)
	}
	if err := step("0"); err != nil {
		t.Fatal(err)
	}
	scanned, written := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 1; ; i++ {
			select {
			case <-scanned:
				written <- nil
				return
			default:
			}
			if err := step(fmt.Sprint(i)); err != nil {
				written <- err
				return
			}
		}
	}()
	for range scans {
		seen := make(map[string]int)
		err := s.Scan(t.Context(), "", func(_ string, value []byte) error {
			seen[string(value)]++
			return nil
		})
		if err != nil || len(seen) != 1 {
			t.Errorf("Scan: versions %v, %v; want one", seen, err)
		}
	}
	close(scanned)
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// A batch that was given up may come into force between two pages. Then the
// scan would show no instant, and says so.
func TestScanMeetsALateWrite(t *testing.T) {
	r := start(t)
	s := r.open(t, connect(t, r.Addr()), redisstore.Options{})
	var b store.Batch
	for i := range 1500 {
		b.Put(fmt.Sprintf("%05d", i), []byte("v"))
	}
	if err := s.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	visits := 0
	err := s.Scan(t.Context(), "", func(string, []byte) error {
		if visits++; visits == 1 {
			if status, err := s.Send(t.Context(), s.Batch()+1, &b); err != nil || status != "ok" {
				t.Errorf("late write: %s, %v", status, err)
			}
		}
		return nil
	})
	if err == nil || errors.Is(err, store.ErrClosed) || visits != 1000 {
		t.Errorf("Scan makes %d visits: %v, want an error after the first page", visits, err)
	}
}
