// Package ledger keeps the books: for each account what its counterparty
// owes us, what of it is reserved for packets in flight, and which
// settlements are under way. [Ledger] and [Book] are the contract, which the
// balance middleware stands on; [Local] keeps them in memory over a
// store.Store, for one process.
//
// # Signs
//
// All figures are from the connector's side. A positive balance is owed to
// us, a negative one is owed by us. Amounts are unsigned, in the smallest
// unit of the account's asset.
//
// A book remembers which asset it counts, and is not opened in another while
// it holds anything.
//
// # The life of a packet's amount
//
//	                 source (Incoming)                 destination (Outgoing)
//	prepare          Reserve: balance+reserved ≤ max   Reserve: balance−reserved ≥ min
//	fulfill          Post: balance += amount           Post: balance −= amount
//	reject, expiry   Release                           Release
//
// Every Reserve that succeeded is followed by exactly one Post or Release of
// the same amount. So the exposure to a counterparty stays within its limits
// with all packets in flight included, whatever becomes of them, and a Post
// cannot fail: there is room for it.
//
// # What is durable when
//
// Reservations live in memory: they end with the process, and the packets
// with them. A posting is durable when its Waiter is told so. The posting of
// the destination is made first, and one that was made later is never
// durable earlier; so whoever waits for the source's posting waits for both,
// and a fulfillment that is relayed only then is in the books of both sides
// whatever happens next. Many packets share one write.
//
// # Settlements
//
// A settlement that we make is a record in the store, written together with
// the balance that it changes. Only then is it paid, again and again under
// the same key until the answer is yes or a definite no, across restarts. A
// definite no puts the amount back. A settlement that we receive is booked
// once for its key, whatever the limits say: the money is here. If it is finer
// than the account's unit, the whole units are taken from the balance, and the
// rest is kept with it until it adds up to one: what was received is what was
// booked and the remainder together, exactly, after any crash.
package ledger
