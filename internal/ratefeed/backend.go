package ratefeed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ilp"
)

const (
	firstRetry = 2 * time.Second
	maxRetry   = 5 * time.Minute
	leastRetry = 30 * time.Second // the limit of the back-off is not below it
	// doubtRefresh is how soon a feed in doubt is asked again.
	doubtRefresh = time.Minute
	// watch is how often the clock is looked at, at least: one that is set,
	// or a machine that slept, makes rates old before any timer says so.
	watch = time.Minute
)

var one = backend.MustParseRatio("1")

// errNotMade is what a nil Backend answers: the zero value of a driver's.
var errNotMade = fmt.Errorf("%w: make the Backend with New", backend.ErrNoRate)

// Options say how a Backend is made.
type Options struct {
	// Name is what errors begin with: the driver's package.
	Name string
	// Feeds are the sources, the most trusted first.
	Feeds []Feed
	// Spread is the share of every amount that the connector keeps.
	Spread string
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Now is the clock that ages are measured with; nil means time.Now.
	Now func() time.Time
}

// Backend is what a driver's backend is made of. All methods but Run may be
// called concurrently with everything else.
type Backend struct {
	name   string
	keep   backend.Ratio
	logger *slog.Logger
	now    func() time.Time

	table   atomic.Pointer[table]
	empty   *backend.Table
	changed chan struct{} // the next expiry may be another

	mu    sync.Mutex // never taken by Rate
	feeds []*feed
	// expiry is when the next quote grows too old, by the clock on the wall
	// and by the monotonic one; zero if none will.
	expiry struct{ wall, monotonic time.Time }
	// ended says that Run has returned.
	ended bool
}

// table is what Rate reads.
type table struct {
	rates *backend.Table
	// troubles says why a currency that is known has no price.
	troubles map[string]string
	// trouble is why any other currency may have none yet; empty if it will
	// have none.
	trouble string
}

var (
	_ backend.Runner = (*Backend)(nil)
	_ backend.Feeder = (*Backend)(nil)
)

// New returns a backend that has no rates until Run has fetched them, save
// between accounts in one currency.
func New(opts Options) (*Backend, error) {
	keep, err := backend.AfterSpread(opts.Spread)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opts.Name, err)
	}
	empty, err := backend.NewTable(nil, keep)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opts.Name, err)
	}
	b := &Backend{
		name: opts.Name, keep: keep, logger: opts.Logger, now: opts.Now,
		changed: make(chan struct{}, 1), empty: empty,
	}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	b.logger = b.logger.With(slog.String("backend", b.name))
	if b.now == nil {
		b.now = time.Now
	}
	for _, config := range opts.Feeds {
		f, err := newFeed(config, b.logger)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", b.name, config.Name, err)
		}
		b.feeds = append(b.feeds, f)
	}
	b.withdraw("no rates have been fetched yet")
	return b, nil
}

// Rate returns the rate between two assets, or why there is none.
func (b *Backend) Rate(source, destination ilp.Asset) (backend.Ratio, error) {
	if b == nil {
		return backend.Ratio{}, errNotMade
	}
	t := b.table.Load()
	rate, err := t.rates.Rate(source, destination)
	if err != nil {
		return backend.Ratio{}, fmt.Errorf("%s: %w", b.name, t.explain(err))
	}
	return rate, nil
}

// explain adds to the error what is known of the currency.
func (t *table) explain(err error) error {
	missing, ok := errors.AsType[*backend.NoRateError](err)
	if !ok {
		return err
	}
	reason, known := t.troubles[missing.Currency]
	if !known {
		reason = t.trouble
	}
	return &backend.NoRateError{Currency: missing.Currency, Reason: reason, Temporary: reason != ""}
}

// Run fetches rates and watches their age until ctx is done. When it returns,
// nobody does any more, and there are no rates.
func (b *Backend) Run(ctx context.Context) error {
	if b == nil {
		return errNotMade
	}
	var polls sync.WaitGroup
	for _, f := range b.feeds {
		polls.Go(func() { b.poll(ctx, f) })
	}
	for ctx.Err() == nil {
		sleep(ctx, b.expire(), b.changed)
	}
	polls.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.withdraw("rates are not being fetched any more")
	return nil
}

// poll fetches the quotes of one feed, again and again.
func (b *Backend) poll(ctx context.Context, f *feed) {
	for failures := 0; ctx.Err() == nil; {
		asked := b.wall()
		quotes, err := f.Fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		doubtful, err := b.take(f, quotes, asked, err)
		wait := jitter(f.Refresh, f.Refresh/10)
		switch {
		case err != nil:
			wait = backOff(failures, f.Refresh)
			failures++
		case doubtful:
			failures, wait = 0, min(wait, jitter(doubtRefresh, doubtRefresh/10))
		default:
			failures = 0
		}
		sleep(ctx, wait, nil)
	}
}

// take books a fetch and publishes what it brought. It returns why the quotes
// were not taken, and whether the feed should soon be asked again.
func (b *Backend) take(f *feed, quotes Quotes, asked time.Time, err error) (doubtful bool, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f.take(quotes, asked, err)
	if f.err == nil {
		b.publish()
	}
	// Another look at the same dated table would confirm nothing.
	return len(f.doubtful(asked)) > 0 && !f.dated, f.err
}

// expire publishes a table without the rates that have grown too old, if
// there are any, and returns when to look again.
func (b *Backend) expire() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if left := b.left(); left > 0 {
		return min(watch, left)
	}
	b.publish()
	return min(watch, b.left())
}

// left is the time until the next quote grows too old.
func (b *Backend) left() time.Duration {
	if b.expiry.wall.IsZero() {
		return math.MaxInt64
	}
	return min(b.expiry.wall.Sub(b.wall()), time.Until(b.expiry.monotonic))
}

// Feeds returns the state of each feed.
func (b *Backend) Feeds() []backend.FeedStatus {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.wall()
	statuses := make([]backend.FeedStatus, len(b.feeds))
	for i, f := range b.feeds {
		statuses[i] = f.status(now)
	}
	return statuses
}

// Confirm takes the price of a currency that has jumped.
func (b *Backend) Confirm(currency string) error {
	if b == nil {
		return errNotMade
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	confirmed := false
	for _, f := range b.feeds {
		confirmed = f.confirm(currency, "operator") || confirmed
	}
	if !confirmed {
		return fmt.Errorf("%s: no rate of %.32q waits to be confirmed", b.name, currency)
	}
	b.publish()
	return nil
}

// publish makes a new table of what is good now.
func (b *Backend) publish() {
	if b.ended {
		return
	}
	now := b.wall()
	prices := make(map[string]backend.Ratio)
	t := &table{troubles: make(map[string]string)}
	b.expiry.wall, b.expiry.monotonic = time.Time{}, time.Time{}
	for i, f := range b.feeds {
		if i == 0 && f.Base != "" {
			prices[f.Base] = one
		}
		if f.successes == 0 {
			t.trouble = "no rates of " + f.Name + " have been fetched yet"
		}
		b.merge(f, now, prices, t.troubles)
	}
	var err error
	if t.rates, err = backend.NewTable(prices, b.keep); err != nil {
		// Prices of 0 are refused when they are read; if one came this far
		// all the same, nothing is sold.
		b.logger.Error("no table of rates can be made", slog.Any("error", err))
		b.withdraw("there is no table of rates")
		return
	}
	b.table.Store(t)
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// merge adds what one feed knows to the prices, and to the troubles.
func (b *Backend) merge(f *feed, now time.Time, prices map[string]backend.Ratio, troubles map[string]string) {
	base, based := prices[f.Base]
	var stale []string
	for _, code := range slices.Sorted(maps.Keys(f.quotes)) {
		q := f.quotes[code]
		left := f.left(q, now)
		old := left <= 0
		if old {
			stale = append(stale, code)
		} else if expiry := now.Add(left); b.expiry.wall.IsZero() || expiry.Before(b.expiry.wall) {
			b.expiry.wall, b.expiry.monotonic = expiry, time.Now().Add(left)
		}
		if _, quoted := prices[code]; quoted {
			continue
		}
		switch {
		case old:
			troubles[code] = "the last rate of " + f.Name + " is of " + q.at.UTC().Format(time.RFC3339) + ", too old"
		case q.doubt != nil:
			troubles[code] = "the rate of " + f.Name + " has jumped and is not confirmed"
		case !based:
			troubles[code] = "the rate of " + f.Name + " is in " + f.Base + ", which has none"
		default:
			prices[code] = base.Mul(q.price)
		}
	}
	f.noteStale(stale)
}

// withdraw publishes a table without prices.
func (b *Backend) withdraw(reason string) {
	b.table.Store(&table{rates: b.empty, trouble: reason})
}

// wall is the time by the clock on the wall: a machine that slept has grown
// older, though its monotonic clock may say otherwise.
func (b *Backend) wall() time.Time { return b.now().Round(0) }

// sleep returns when the time is over, when woken, or when ctx is done.
func sleep(ctx context.Context, wait time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// backOff is the time to the next try after one more failure.
func backOff(failures int, refresh time.Duration) time.Duration {
	limit := min(maxRetry, max(leastRetry, refresh))
	wait := min(limit, firstRetry<<min(failures, 20))
	return jitter(wait*3/4, wait/4)
}

// jitter returns a time that differs from d by at most by.
func jitter(d, by time.Duration) time.Duration {
	if by <= 0 {
		return d
	}
	return d - by + rand.N(2*by+1)
}
