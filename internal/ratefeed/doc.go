// Package ratefeed is what the backends that fetch rates have in common:
// fetching in the background, distrust, and a table that packets read.
//
// A [Feed] is one source: a function that fetches the [Quotes] of one
// document, how often it is called, and how long and how far its quotes are
// trusted. A [Backend] merges its feeds into one table of prices and publishes
// it behind an atomic pointer. Packets read that; everything else happens on
// the goroutines of [Backend.Run].
//
// # Merging
//
// The first feed's base is what everything is measured in. The base of a later
// feed is measured in it too, or has a price of an earlier feed: an XRP price
// in dollars becomes one in euros by the euro price of the dollar, and is
// there only as long as that one is. A currency that two feeds quote has the
// earlier feed's price, while that is good.
//
// # Trust
//
// A quote has an age, from the time that its source states, or from when it
// was asked for. Past the feed's MaxAge the currency has no rate. So a feed
// that cannot be reached goes on at its last rates for a while, and then its
// pairs answer errors; one that cannot be reached at the start has no rates
// until it can.
//
// A quote that differs from the last good one by more than the feed's Band is
// in doubt. Either the market has jumped, and the old rate gives money away,
// or the source is mistaken, and the new one does. So the currency has no rate
// at all until the doubt is over: the source returns to the old price; as many
// further quotes as Confirmations says repeat the new one, each within the
// band of the one before; an operator confirms it; or the old price grows too
// old to be held against anything. Feeds that state a time must state another
// one for a quote to count as a confirmation: the same table fetched twice is
// one opinion. A feed in doubt is asked again sooner. The first quote of all
// has nothing to be compared with and is believed.
package ratefeed
