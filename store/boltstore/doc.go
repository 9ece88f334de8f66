// Package boltstore keeps what a connector must not forget in one file of the
// local disk. It is the store for a connector that runs in one process.
//
//	st, err := boltstore.Open("/var/lib/connector/connector.db")
//
// Under it lies bbolt: a B+tree in which a change never overwrites what the
// file holds, but writes new pages, syncs them, and then syncs the one page
// that makes them count. A power failure at any instant leaves the state
// before or the state after. On top of it, this package adds what money needs.
//
// # Durability
//
// [Store.Write] returns nil when its batch is on the disk. That takes two
// syncs. Writers that call at the same time share them: whoever comes first
// commits at once, and those who come meanwhile go together into the next
// commit, so that a lone writer never waits for others. There is no goroutine
// and no timer in it.
//
// When a commit fails, the store finds out what has become of it. As long as
// the page that makes it count has not been handed to the kernel, the batch is
// not there and never will be: the error wraps [store.ErrNotWritten], also on a
// full disk, and the store goes on as soon as there is space. Otherwise it
// writes that page again, since a failed sync cannot be mended by a second
// one, and only if that fails too the outcome is unknown. Nothing is written
// after it before that page is on the disk.
//
// # Damage
//
// bbolt trusts its file: a damaged page makes it panic, or return something
// that nobody has written. So [Open] reads the whole file first and checks
// every page, every reference and, by a checksum of its own, every value, and
// it refuses what is damaged with an error that wraps [ErrDamaged] and says
// where. Such a file is left as it is, byte for byte. What goes wrong later
// closes the store: from then on all calls give an error that wraps
// [store.ErrClosed]. A single damaged meta page is no damage: that is what a
// power failure in the middle of a commit may leave.
//
// # One process
//
// The file is locked while it is open. A note beside it, the name of the file
// with ".holder" after it, says who holds the lock, for the error that others
// get, which wraps [ErrInUse]. The note decides nothing: one that a killed
// process has left behind is harmless.
//
// # Cost
//
// A Write of one key by one writer takes two syncs of the disk and 40 µs of
// work. Of 64 writers at once, 60 share each commit. Get takes 2 µs, and Open 60
// ms for each 100 MB. The file is about twice as large as what is in it. These
// are figures of one machine; the benchmarks print those of another, plain
// syncs of its disk among them.
package boltstore
