package backend

import "time"

// FeedStatus is the state of one source that a backend fetches rates from, at
// one moment. Counters start at 0 when the backend is made.
type FeedStatus struct {
	// Name says which source it is, for example "ecb".
	Name string
	// LastSuccess is when a document was last fetched and understood, by the
	// backend's clock. The zero time means never.
	LastSuccess time.Time
	// Published is when the last rates were made, as their source states it;
	// where it states nothing, it is when they were fetched. The zero time
	// means that there are none yet.
	Published time.Time
	// Age is the time since Published, 0 if there are no rates.
	Age time.Duration
	// Currencies is the number of currencies that have a price that is good.
	Currencies int
	// Stale are the currencies whose last price is too old to be used, sorted.
	Stale []string
	// Doubtful are the currencies whose price has jumped and waits to be
	// confirmed, sorted.
	Doubtful []string
	// Successes and Failures count fetches.
	Successes, Failures uint64
	// RejectedJumps counts prices that were not believed at first sight.
	RejectedJumps uint64
	// Err is why the last fetch failed; nil if it did not.
	Err error
}

// Feeder is implemented by backends that fetch rates. Metrics and admin pages
// read it; the connector does not.
type Feeder interface {
	// Feeds returns the state of each source, always in the same order. It
	// may be called concurrently, from anywhere; the result is the caller's.
	Feeds() []FeedStatus
	// Confirm makes the backend believe the price of a currency that has
	// jumped and waits to be confirmed: an operator has looked at it. It is
	// an error if no price of the currency waits.
	Confirm(currency string) error
}
