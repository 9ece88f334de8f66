package ratefeed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/interledger-go/connector/backend"
)

const (
	// DefaultBand is how far a quote may differ from the last, where a Feed
	// does not say.
	DefaultBand = "0.1"
	// DefaultConfirmations is how many further quotes must repeat one that
	// has jumped.
	DefaultConfirmations = 2
	// maxAhead is how far in the future a source may date its prices: its
	// clock or ours may be wrong, but not by more.
	maxAhead = 24 * time.Hour
	// maxBack is how much older than the last a document may be: several
	// servers behind one name do not agree to the second.
	maxBack = time.Minute
	// maxCurrencies is how many currencies one document may have.
	maxCurrencies = 2000
)

// Feed is one source of quotes, and what is thought of it.
type Feed struct {
	// Name names the source in logs and errors.
	Name string
	// Base is what the quotes must be in. Empty means the base of the first
	// document.
	Base string
	// Fetch gets the quotes of this moment. It returns when ctx is done.
	Fetch func(ctx context.Context) (Quotes, error)
	// Refresh is the time from one fetch that succeeds to the next.
	Refresh time.Duration
	// MaxAge is how old quotes may get; at least twice Refresh. None is used
	// longer than that after it was taken, whatever the clock is set to.
	MaxAge time.Duration
	// Band is how far a quote may differ from the last: "0.1" takes from ten
	// elevenths of it to eleven tenths. Empty means DefaultBand.
	Band string
	// Confirmations is how many further quotes must repeat one that is
	// outside the band. 0 means DefaultConfirmations.
	Confirmations int
}

// feed is a Feed and its state, which the backend's lock guards.
type feed struct {
	Feed
	limit  backend.Ratio // 1 + band
	logger *slog.Logger

	quotes  map[string]*quote
	fetched time.Time // when the last document that was taken was asked for
	taken   time.Time // when it was taken, by the machine's monotonic clock
	stamp   time.Time // what it says of its time, or fetched
	dated   bool      // it says something
	err     error     // of the last fetch
	stale   []string  // as last published

	successes, failures, jumps uint64
}

// quote is the last good price of a currency.
type quote struct {
	price backend.Ratio
	at    time.Time
	taken time.Time // by the monotonic clock
	doubt *doubt    // what contradicts it, if anything does
}

// doubt is a price outside the band.
type doubt struct {
	price backend.Ratio
	at    time.Time
	taken time.Time
	stamp time.Time // of the document it was in
	times int       // repeated since
}

// Or returns f with these times in place of those that are 0. A greatest age
// that is not set follows a Refresh that is longer than usual.
func (f Feed) Or(refresh, maxAge time.Duration) Feed {
	f.Refresh = cmp.Or(f.Refresh, refresh)
	f.MaxAge = cmp.Or(f.MaxAge, max(maxAge, 2*f.Refresh))
	return f
}

func newFeed(f Feed, logger *slog.Logger) (*feed, error) {
	if f.Refresh <= 0 {
		return nil, fmt.Errorf("refresh %v: want a time above 0", f.Refresh)
	}
	if f.MaxAge < 2*f.Refresh {
		return nil, fmt.Errorf("greatest age %v: want at least %v, twice the time between fetches", f.MaxAge, 2*f.Refresh)
	}
	if f.Band == "" {
		f.Band = DefaultBand
	}
	band, err := backend.ParseRatio(f.Band)
	if err != nil || band.IsZero() {
		return nil, fmt.Errorf("band %.40q: want a number above 0, such as 0.1 for ten percent", f.Band)
	}
	if f.Confirmations < 0 {
		return nil, fmt.Errorf("%d confirmations: want at least 1, or 0 for %d", f.Confirmations, DefaultConfirmations)
	}
	if f.Confirmations == 0 {
		f.Confirmations = DefaultConfirmations
	}
	limit := band.Rat()
	limit.Add(limit, one.Rat())
	ratio, err := backend.FromRat(limit)
	if err != nil {
		return nil, err
	}
	return &feed{
		Feed:   f,
		limit:  ratio,
		logger: logger.With(slog.String("source", f.Name)),
		quotes: make(map[string]*quote),
	}, nil
}

// take books the outcome of a fetch that was begun at asked.
func (f *feed) take(quotes Quotes, asked time.Time, err error) {
	if err == nil {
		err = f.check(quotes, asked)
	}
	failed := f.err != nil
	if f.err = err; err != nil {
		f.failures++
		level := slog.LevelDebug
		if !failed {
			level = slog.LevelWarn
		}
		f.logger.LogAttrs(context.Background(), level, "rates cannot be fetched", slog.Any("error", err))
		return
	}
	level := slog.LevelDebug
	if failed || f.successes == 0 {
		level = slog.LevelInfo
	}
	f.successes++
	f.Base, f.fetched, f.taken, f.stamp = quotes.Base, asked, time.Now(), quotes.Time
	if f.dated = !quotes.Time.IsZero(); !f.dated {
		f.stamp = asked
	}
	f.logger.LogAttrs(context.Background(), level, "rates fetched",
		slog.Int("currencies", len(quotes.Prices)), slog.Time("published", f.published()))
	for code, price := range quotes.Prices {
		f.quote(code, price)
	}
	// What has long been too old is forgotten.
	maps.DeleteFunc(f.quotes, func(_ string, q *quote) bool { return asked.Sub(q.at) > 2*f.MaxAge })
}

// published is what the age of the last document counts from: a source whose
// clock is ahead makes nothing last longer.
func (f *feed) published() time.Time {
	if f.stamp.After(f.fetched) {
		return f.fetched
	}
	return f.stamp
}

// check says why quotes cannot be taken as a whole.
func (f *feed) check(quotes Quotes, now time.Time) error {
	switch at := quotes.Time; {
	case f.Base != "" && quotes.Base != f.Base:
		return fmt.Errorf("the rates are in %.32q: want %s", quotes.Base, f.Base)
	case len(quotes.Prices) == 0:
		return errors.New("there are no rates in the document")
	case len(quotes.Prices) > maxCurrencies:
		return fmt.Errorf("there are %d currencies in the document: want at most %d", len(quotes.Prices), maxCurrencies)
	case at.IsZero():
		return nil
	case at.After(now.Add(maxAhead)):
		return fmt.Errorf("the rates are of %s, in the future", at.Format(time.RFC3339))
	case f.dated && at.Before(f.published().Add(-maxBack)):
		// Not than the stamp: one that was ahead once would shut out all
		// others until its time has come.
		return fmt.Errorf("the rates are of %s, older than the last ones, of %s",
			at.Format(time.RFC3339), f.published().Format(time.RFC3339))
	case !now.Before(at.Add(f.MaxAge)):
		return fmt.Errorf("the rates are of %s, older than %v", at.Format(time.RFC3339), f.MaxAge)
	}
	return nil
}

// quote takes the price of one currency in the last document, or doubts it.
func (f *feed) quote(code string, price backend.Ratio) {
	at := f.published()
	last, ok := f.quotes[code]
	if !ok && len(f.quotes) >= 2*maxCurrencies {
		return // a source that makes up new ones all the time
	}
	if !ok || f.old(last, f.fetched) || f.near(last.price, price) {
		if ok && last.doubt != nil {
			f.logger.Info("the doubt about a rate is over", slog.String("currency", code), decimal("rate", price))
		}
		f.quotes[code] = &quote{price: price, at: at, taken: f.taken}
		return
	}
	d := last.doubt
	if d == nil || !f.near(d.price, price) {
		f.jumps++
		last.doubt = &doubt{price: price, at: at, taken: f.taken, stamp: f.stamp}
		if d == nil {
			f.logger.Warn("a rate has jumped: the currency has none until that is confirmed",
				slog.String("currency", code), decimal("last", last.price), decimal("new", price))
		}
		return
	}
	if f.stamp.After(d.stamp) {
		d.price, d.at, d.taken, d.stamp = price, at, f.taken, f.stamp
		d.times++
	}
	if d.times >= f.Confirmations {
		f.confirm(code, "repeated")
	}
}

// confirm makes the price in doubt the good one. It reports whether there was
// a doubt.
func (f *feed) confirm(code, by string) bool {
	last, ok := f.quotes[code]
	if !ok || last.doubt == nil {
		return false
	}
	f.quotes[code] = &quote{price: last.doubt.price, at: last.doubt.at, taken: last.doubt.taken}
	f.logger.Info("a rate that has jumped is confirmed",
		slog.String("currency", code), slog.String("by", by), decimal("last", last.price), decimal("new", last.doubt.price))
	return true
}

// near reports whether two prices are within the band of each other.
func (f *feed) near(a, b backend.Ratio) bool {
	return a.Cmp(b.Mul(f.limit)) <= 0 && b.Cmp(a.Mul(f.limit)) <= 0
}

// old reports whether a quote is too old to be used.
func (f *feed) old(q *quote, now time.Time) bool { return f.left(q, now) <= 0 }

// left is how long a quote may still be used: by the clock on the wall, and,
// because that may be set back, by the time that has surely passed.
func (f *feed) left(q *quote, now time.Time) time.Duration {
	return min(q.at.Add(f.MaxAge).Sub(now), f.MaxAge-time.Since(q.taken))
}

// doubtful lists the currencies in doubt.
func (f *feed) doubtful(now time.Time) []string {
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(f.quotes)) {
		if q := f.quotes[code]; q.doubt != nil && !f.old(q, now) {
			codes = append(codes, code)
		}
	}
	return codes
}

// noteStale logs when currencies become too old, and when none is any more.
func (f *feed) noteStale(stale []string) {
	switch {
	case slices.ContainsFunc(stale, func(code string) bool { return !slices.Contains(f.stale, code) }):
		f.logger.Warn("rates are too old to be used", slog.Any("currencies", stale), slog.Duration("limit", f.MaxAge))
	case len(stale) == 0 && len(f.stale) > 0:
		f.logger.Info("no rate is too old any more")
	}
	f.stale = stale
}

// status describes the feed.
func (f *feed) status(now time.Time) backend.FeedStatus {
	s := backend.FeedStatus{
		Name:          f.Name,
		LastSuccess:   f.fetched,
		Published:     f.published(),
		Doubtful:      f.doubtful(now),
		Successes:     f.successes,
		Failures:      f.failures,
		RejectedJumps: f.jumps,
		Err:           f.err,
	}
	if !s.Published.IsZero() {
		s.Age = max(0, now.Sub(s.Published))
	}
	for _, code := range slices.Sorted(maps.Keys(f.quotes)) {
		switch q := f.quotes[code]; {
		case f.old(q, now):
			s.Stale = append(s.Stale, code)
		case q.doubt == nil:
			s.Currencies++
		}
	}
	return s
}

// decimal is a price in a log, cut to twelve places.
func decimal(key string, price backend.Ratio) slog.Attr {
	return slog.String(key, price.Rat().FloatString(12))
}
