// Package store is the contract of persistence: what a connector asks of the
// place where it keeps what must outlive the process.
//
// A host opens a concrete store (memstore.New, a durable one, its own) and
// hands it to the connector. On it sit the ledger, which keeps what is owed,
// and the plugins, which keep what their links need, each in a [View] of its
// own. A store is an ordered map from keys to values with one way to change
// it: a [Batch], written whole or not at all, and on disk when [Store.Write]
// returns nil.
//
// Whoever writes a store imports this package, implements the four methods of
// [Store], and proves the result with package storetest.
//
// # Checklist for implementers
//
// What is there:
//
//   - Keys are 1 to [MaxKeySize] bytes of any value, compared byte by byte:
//     no collation, no case folding, no trimming of blanks or zeros, no
//     assumption that they are UTF-8. [CheckKey] and [CheckPrefix] do the
//     checking.
//   - Values are 0 to [MaxValueSize] bytes. An empty value is there; an
//     absent key is not.
//   - Memory stays with its owner. What a caller passes in is the caller's
//     again when the call returns, and nothing of it is kept; what a store
//     hands out is the receiver's, to keep and to change.
//
// Reading:
//
//   - A read sees every batch whose Write returned nil before the read began,
//     and of any other batch all or nothing.
//   - Scan shows one instant: the keys in ascending order of their bytes, and
//     no trace of what is written while it runs. It may hold up writers until
//     it ends, so visitors are quick; better if it does not.
//
// Writing:
//
//   - Begin with [Batch.Err]: a batch that was filled wrongly is refused.
//   - All operations of the batch take effect, in their order, or none does,
//     whatever happens, power failure included. There is no limit on the
//     number of operations. An SQL store splits statements, never the
//     transaction.
//   - nil means durable: after the next power failure the batch is there.
//   - An error that wraps [ErrNotWritten] means that the batch is not there
//     and never will be. [ErrInvalid] and [ErrClosed] wrap it already; join
//     it to others, a context that is done among them, where it is known for
//     certain that nothing has been handed to the disk or the server:
//     fmt.Errorf("%w: %w", store.ErrNotWritten, err).
//   - Any other error means that the outcome is unknown: the batch is there
//     as a whole, or not at all. Never guess. A lost connection while the
//     commit was under way is this.
//   - Order: a batch takes effect, if it does, before every batch whose Write
//     begins after its own Write has returned, whatever that returned. So a
//     commit whose reply was lost must not come into force after a later one,
//     and a store that speaks to a server makes sure of that before it sends
//     the next.
//   - A failed sync is not mended by a second one, since the kernel may have
//     dropped the pages: write the data again, or refuse everything from then
//     on with an error that wraps [ErrClosed].
//
// Failing:
//
//   - ErrClosed is final, and ErrInvalid is for that key or batch. After
//     everything else, trying again makes sense, so a store that finds its
//     connection broken makes a new one by itself.
//   - A context that is done ends a call early with an error that wraps
//     ctx.Err(): at once if it was done before, before the next visit in a
//     Scan. A commit that has begun is better waited for than left with an
//     unknown outcome.
//
// Closing:
//
//   - Close is idempotent. A call that is under way finishes as usual or
//     fails with ErrClosed; every later one fails with ErrClosed.
//   - Close returns when files, connections and goroutines are released, so
//     that the store may be opened again.
//
// # What a writer makes of this
//
// Batches hold values, not changes of values, so writing one a second time
// does no harm as long as nobody else writes the same keys. That is how a
// writer gets out of an unknown outcome: it writes the batch, or a later
// state of the same keys, again until Write returns nil. Until then it acts
// as if nothing were written (it relays no fulfilment) and undoes nothing.
package store
