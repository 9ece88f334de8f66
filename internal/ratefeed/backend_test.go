package ratefeed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/ratefeed"
)

// source is a source that a test writes the quotes of. Each quote is dated if
// the source has a time.
type source struct {
	mu     sync.Mutex
	base   string
	prices map[string]string
	time   time.Time
	err    error
	asked  []time.Time
}

func (s *source) fetch(context.Context) (ratefeed.Quotes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.err != nil {
		return ratefeed.Quotes{}, s.err
	}
	quotes := ratefeed.Quotes{Base: s.base, Time: s.time, Prices: make(map[string]backend.Ratio)}
	for code, price := range s.prices {
		quotes.Prices[code] = backend.MustParseRatio(price)
	}
	return quotes, nil
}

func (s *source) set(change func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *source) price(code, price string) { s.set(func(s *source) { s.prices[code] = price }) }
func (s *source) fail(err error)           { s.set(func(s *source) { s.err = err }) }

// count is how often the source was asked.
func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// running is a backend at work in a bubble, and what it logs.
type running struct {
	t    *testing.T
	b    *ratefeed.Backend
	stop context.CancelFunc
	log  *journal
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// run starts a backend with feeds that are fetched each minute and trusted for
// five, unless they say otherwise.
func run(t *testing.T, feeds ...ratefeed.Feed) *running {
	t.Helper()
	for i := range feeds {
		feeds[i] = feeds[i].Or(time.Minute, 5*time.Minute)
	}
	log := new(journal)
	logger := slog.New(slog.NewTextHandler(log, nil))
	b, err := ratefeed.New(ratefeed.Options{Name: "test", Feeds: feeds, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	synctest.Wait()
	return &running{t, b, stop, log}
}

// pass lets time go by.
func (r *running) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// next lets time go by until the source has been asked once more.
func (r *running) next(s *source) {
	for asked := s.count(); s.count() == asked; {
		r.pass(time.Second)
	}
}

func asset(code string) ilp.Asset { return ilp.Asset{Code: code, Scale: 2} }

// want is the rate between two currencies; or, if it does not begin with a
// digit, what the error says, which is of a temporary kind.
func (r *running) want(from, to, want string) {
	r.t.Helper()
	rate, err := r.b.Rate(asset(from), asset(to))
	if want[0] >= '0' && want[0] <= '9' {
		if err != nil || rate.Cmp(backend.MustParseRatio(want)) != 0 {
			r.t.Errorf("%s to %s: %v, %v; want %s", from, to, rate, err, want)
		}
		return
	}
	if !rate.IsZero() || !errors.Is(err, backend.ErrNotReady) || !strings.Contains(err.Error(), want) ||
		!strings.HasPrefix(err.Error(), "test: no rate available. currency=") {
		r.t.Errorf("%s to %s: %v, %v; want ErrNotReady that says %q", from, to, rate, err, want)
	}
}

// logged wants a text to be logged so often.
func (r *running) logged(text string, times int) {
	r.t.Helper()
	if got := strings.Count(r.log.String(), text); got != times {
		r.t.Errorf("%q is logged %d times, want %d; log:\n%s", text, got, times, r.log)
	}
}

func euros() *source {
	return &source{base: "EUR", prices: map[string]string{"USD": "0.9", "JPY": "0.006"}}
}

func TestRatesComeWhenTheyAreFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		b, err := ratefeed.New(ratefeed.Options{Name: "test", Spread: "0.1", Feeds: []ratefeed.Feed{
			{Name: "s", Fetch: s.fetch, Refresh: time.Minute, MaxAge: time.Hour},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Rate(asset("USD"), asset("EUR")); !errors.Is(err, backend.ErrNotReady) {
			t.Errorf("before Run: %v; want ErrNotReady", err)
		}
		if rate, err := b.Rate(asset("USD"), asset("USD")); err != nil || rate.String() != "9/10" {
			t.Errorf("a currency to itself before Run: %v, %v", rate, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
		r.want("USD", "EUR", "0.9")
		r.want("EUR", "USD", "10/9")
		r.want("USD", "JPY", "150")
		if _, err := r.b.Rate(asset("USD"), asset("XXX")); errors.Is(err, backend.ErrNotReady) || !errors.Is(err, backend.ErrNoRate) ||
			err.Error() != "test: no rate available. currency=XXX" {
			t.Errorf("a currency that nobody quotes: %v; want ErrNoRate", err)
		}
		s.price("USD", "0.91")
		r.pass(70 * time.Second) // a minute, and a tenth of one
		r.want("USD", "EUR", "0.91")
		r.logged("rates fetched", 1) // the first time only
		r.stop()
		r.want("USD", "EUR", "not being fetched any more")
		r.want("USD", "USD", "1")
		if err := r.b.Confirm("USD"); err == nil {
			t.Error("there was nothing to confirm")
		}
	})
}

// A source that cannot be reached at the start is asked again and again, less
// and less often; there is one warning, and one line when it is back.
func TestSourceThatIsDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		s.fail(errors.New("connection refused"))
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
		r.want("USD", "EUR", "have been fetched yet")
		r.want("XXX", "USD", "have been fetched yet")
		r.pass(10 * time.Minute)
		if n := s.count(); n < 10 || n > 30 {
			t.Errorf("asked %d times in ten minutes", n)
		}
		r.logged("rates cannot be fetched", 1)
		s.fail(nil)
		r.pass(time.Minute)
		r.want("USD", "EUR", "0.9")
		r.logged("rates fetched", 1)
		s.fail(errors.New("again"))
		r.pass(2 * time.Minute)
		r.logged("rates cannot be fetched", 2)
	})
}

func TestBackOff(t *testing.T) {
	for range 100 {
		for failures, most := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			if wait := ratefeed.BackOff(failures, time.Second); wait < most/2 || wait > most {
				t.Errorf("after %d failures: %v; want from %v to %v", failures, wait, most/2, most)
			}
		}
		for _, failures := range []int{100, 1 << 40} {
			if wait := ratefeed.BackOff(failures, 24*time.Hour); wait < 150*time.Second || wait > 5*time.Minute {
				t.Errorf("after %d failures: %v; want up to 5 minutes", failures, wait)
			}
		}
	}
}

// The last rates of a source that is gone serve until they are too old, to the
// instant, whatever the source is doing at that time.
func TestRatesGrowTooOld(t *testing.T) {
	for name, fetch := range map[string]func(context.Context) (ratefeed.Quotes, error){
		"fails": func(context.Context) (ratefeed.Quotes, error) { return ratefeed.Quotes{}, errors.New("gone") },
		"hangs": func(ctx context.Context) (ratefeed.Quotes, error) { <-ctx.Done(); return ratefeed.Quotes{}, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := euros()
				first := true
				r := run(t, ratefeed.Feed{Name: "s", Fetch: func(ctx context.Context) (ratefeed.Quotes, error) {
					if first {
						first = false
						return s.fetch(ctx)
					}
					return fetch(ctx)
				}})
				r.pass(5*time.Minute - time.Nanosecond)
				r.want("USD", "EUR", "0.9")
				r.logged("too old", 0)
				r.pass(time.Nanosecond)
				r.want("USD", "EUR", "the last rate of s is of 2000-01-01T00:00:00Z, too old")
				r.want("EUR", "JPY", "too old")
				r.want("USD", "USD", "1")
				r.pass(time.Hour)
				r.logged("too old", 1)
				if name == "fails" {
					s := r.b.Feeds()[0]
					if s.LastSuccess != s.Published || s.Age != 65*time.Minute || s.Successes != 1 || s.Failures == 0 || s.Err == nil {
						t.Errorf("%+v", s)
					}
				}
			})
		})
	}
}

func TestRatesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
		s.fail(errors.New("gone"))
		r.pass(9 * time.Minute)
		r.want("USD", "EUR", "too old")
		s.fail(nil)
		s.price("USD", "0.5") // far outside the band, but there is nothing to hold against it
		r.pass(time.Minute)
		r.want("USD", "EUR", "0.5")
		r.logged("no rate is too old any more", 1)
		r.logged("jumped", 0)
	})
}

// A currency that is no longer quoted keeps its rate until that is too old,
// and is forgotten after that.
func TestCurrencyThatIsNoLongerQuoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
		s.set(func(s *source) { delete(s.prices, "JPY") })
		r.pass(4 * time.Minute)
		r.want("JPY", "EUR", "0.006")
		r.pass(2 * time.Minute)
		r.want("JPY", "EUR", "too old")
		r.want("USD", "EUR", "0.9")
		if s := r.b.Feeds()[0]; !reflect.DeepEqual(s.Stale, []string{"JPY"}) || s.Currencies != 1 {
			t.Errorf("%+v", s)
		}
		r.pass(10 * time.Minute)
		if _, err := r.b.Rate(asset("JPY"), asset("EUR")); errors.Is(err, backend.ErrNotReady) {
			t.Errorf("%v; want ErrNoRate", err)
		}
	})
}

// The clock on the wall may be set, and a machine may sleep: rates are as old
// as the clock says, within a minute.
func TestClockThatIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ahead time.Duration
		s := euros()
		hang := make(chan struct{})
		defer close(hang)
		fetched := false
		b, err := ratefeed.New(ratefeed.Options{Name: "test", Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(ahead)
		}, Feeds: []ratefeed.Feed{{Name: "s", Refresh: time.Minute, MaxAge: time.Hour, Fetch: func(ctx context.Context) (ratefeed.Quotes, error) {
			if fetched {
				<-ctx.Done()
			}
			fetched = true
			return s.fetch(ctx)
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		if _, err := b.Rate(asset("USD"), asset("EUR")); err != nil {
			t.Error(err)
		}
		mu.Lock()
		ahead = 2 * time.Hour
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := b.Rate(asset("USD"), asset("EUR")); !errors.Is(err, backend.ErrNotReady) {
			t.Errorf("two hours later: %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A clock that is set back makes no rate last longer: what has passed since it
// was taken counts too.
func TestClockThatIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Int64
		s := euros()
		b, err := ratefeed.New(ratefeed.Options{
			Name:  "test",
			Now:   func() time.Time { return time.Now().Add(-time.Duration(back.Load())) },
			Feeds: []ratefeed.Feed{{Name: "s", Refresh: time.Minute, MaxAge: 5 * time.Minute, Fetch: s.fetch}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		s.fail(errors.New("gone"))
		back.Store(int64(24 * time.Hour))
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		if _, err := b.Rate(asset("USD"), asset("EUR")); err != nil {
			t.Errorf("before the limit: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := b.Rate(asset("USD"), asset("EUR")); !errors.Is(err, backend.ErrNotReady) {
			t.Errorf("past the limit: %v; want ErrNotReady", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A source whose clock was ahead once is believed again at its next document,
// not when that time has come.
func TestSourceWhoseClockWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		s.time = time.Now().Add(20 * time.Hour)
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
		for range 10 {
			s.set(func(s *source) { s.time = time.Now() })
			r.next(s)
		}
		r.want("USD", "EUR", "0.9")
		r.logged("older than the last ones", 0)
	})
}

// The time of a document is what ages count from, and it must make sense.
func TestDatedRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := euros()
		s.time = start.Add(-3 * time.Minute)
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
		r.want("USD", "EUR", "0.9")
		if s := r.b.Feeds()[0]; s.Age != 3*time.Minute || !s.LastSuccess.Equal(start) {
			t.Errorf("%+v", s)
		}
		r.pass(2 * time.Minute) // the source stands still
		r.want("USD", "EUR", "too old")
		r.pass(2 * time.Minute)
		r.logged("older than 5m0s", 1)

		for _, test := range []struct {
			at   time.Duration // from now
			want string        // what is wrong with that
		}{
			{-time.Minute, ""},
			{-250 * time.Second, "older than the last ones"},
			{25 * time.Hour, "in the future"},
			{time.Hour, ""}, // a clock that is ahead makes nothing last longer
		} {
			s.set(func(s *source) { s.time = time.Now().Add(test.at) })
			r.pass(90 * time.Second)
			if test.want == "" {
				r.want("USD", "EUR", "0.9")
			} else if err := r.b.Feeds()[0].Err; err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v: %v; want %q", test.at, err, test.want)
			}
		}
		s.fail(errors.New("gone"))
		r.pass(5 * time.Minute)
		r.want("USD", "EUR", "too old")
	})
}

func TestDocumentsThatAreRefused(t *testing.T) {
	many := make(map[string]string)
	for i := range ratefeed.MaxCurrencies + 1 {
		many[fmt.Sprint("C", i)] = "1"
	}
	for says, change := range map[string]func(*source){
		"the rates are in":  func(s *source) { s.base = "USD" },
		"there are no rate": func(s *source) { s.prices = nil },
		"2001 currencies":   func(s *source) { s.prices = many },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := euros()
			r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
			s.set(change)
			r.pass(2 * time.Minute)
			r.want("USD", "EUR", "0.9")
			r.logged(says, 1)
		})
	}
}

// Packets see one table or the other, never half of each, and wait for
// nothing, while rates change under them.
func TestRateWhileRatesChange(t *testing.T) {
	first, second := map[string]string{"USD": "0.5", "JPY": "0.25"}, map[string]string{"USD": "0.52", "JPY": "0.26"}
	var fetches int // only the feed's goroutine counts
	b, err := ratefeed.New(ratefeed.Options{Name: "test", Feeds: []ratefeed.Feed{{
		Name: "s", Base: "EUR", Refresh: time.Microsecond, MaxAge: 1000 * time.Hour,
		Fetch: func(ctx context.Context) (ratefeed.Quotes, error) {
			s := &source{base: "EUR", prices: first}
			if fetches++; fetches%2 == 0 {
				s.prices = second
			}
			return s.fetch(ctx)
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	two := backend.MustParseRatio("2")
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for b.Feeds()[0].Successes < 300 {
				rate, err := b.Rate(asset("USD"), asset("JPY"))
				if err == nil && rate != two || err != nil && !errors.Is(err, backend.ErrNotReady) {
					t.Errorf("%v, %v; want 2", rate, err)
					return
				}
				runtime.Gosched()
			}
		})
	}
	callers.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
