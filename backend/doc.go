// Package backend is the contract of a rate source: what a connector asks of
// the thing that knows how much of one account's money another account's
// money buys.
//
// A host builds a concrete backend (onetoone.New, its own) and hands it to
// the connector. For each packet that goes from one account to another the
// connector asks it for a [Ratio] and applies that to the amount, rounding
// down:
//
//	rate, err := b.Rate(source, destination)
//	amount, ok := rate.Apply(prepare.Amount)
//
// Rates are exact. A Ratio is a fraction of integers, in smallest units, with
// the difference of the two asset scales and the connector's spread already
// in it; floating point has no part in it anywhere. What the rates come from
// is decimal text as often as not, and [ParseRatio] reads that without loss.
//
// Whoever writes a backend imports this package and ilp, nothing else,
// implements the one method of [Backend], and proves the result with package
// backendtest.
//
// # Checklist for implementers
//
//   - Rate is called for each packet, concurrently, on the path of the
//     packet. It reads memory: no I/O, no waiting, no lock that anything slow
//     is done under, and no allocation when it succeeds. Swap a whole table
//     of rates through an atomic pointer: [Table] is one that turns prices
//     into rates.
//   - A rate is never zero. A pair that has none gets the zero Ratio and an
//     error that wraps [ErrNoRate], or [ErrNotReady] if it will have one
//     later.
//   - The rate is per smallest unit. One dollar at scale 2 is 100 units, at
//     scale 9 it is 1,000,000,000: [Ratio.Scale] puts the difference in.
//   - The rate includes the spread: [AfterSpread] reads one. Spreads by pair
//     and by account need nothing of the backend; [WithSpreads] takes them.
//   - Round trips make no money: rate(a, b) × rate(b, a) is at most 1.
//     Otherwise whoever holds both accounts pumps the connector dry.
//   - Do not serve a rate that you no longer vouch for. An old rate is a free
//     option for the counterparty; [ErrNotReady] costs only the packet.
//   - What happens in the background happens in [Runner], on a goroutine that
//     the connector owns. A backend starts none of its own.
//
// Abilities beyond the contract are optional interfaces, asserted once when
// the connector is made: [Runner] and [Observer]. A backend that wraps another
// hands on those that the inner one has. [Feeder] is for metrics and
// operators.
package backend
