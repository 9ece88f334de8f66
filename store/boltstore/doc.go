// Package boltstore keeps what a connector must not forget in one file of the
// local disk. It is the store for a connector that runs in one process.
//
//	st, err := boltstore.Open("/var/lib/connector/connector.db")
//
// Under it lies bbolt: a B+tree in which a change never overwrites what the
// file holds, but writes new pages, syncs them, and then syncs the one page
// that makes them count. A power failure at any instant leaves the state
// before or the state after. On top of it, this package adds what money needs,
// and a journal, which makes one sync of these two.
//
// # Durability
//
// [Store.Write] returns nil when its batch is on the disk. That takes one sync,
// of the journal. Writers that call at the same time share it: whoever comes
// first commits at once, and those who come meanwhile go together into the next
// commit, so that a lone writer never waits for others. There is no goroutine
// and no timer in it.
//
// The journal is a file beside the database, the name of that with "-journal"
// after it. Reads see through it. When it is full, the writer whose batch has
// no more room in it first brings all of it into the database, in one
// transaction with two syncs, and so does Close, which then removes it: a
// store that is closed is one file. A batch too large for it goes into the
// database itself. In between it is part of the store: who copies one, copies
// the other, and [Open] refuses a database whose journal is missing. After a
// crash it brings into the database what the journal holds.
//
// In a directory in which no file can be made, or whose names cannot be put on
// the disk, or for which there is no space, there is no journal, and each
// commit takes two syncs.
//
// When a commit fails, the store finds out what has become of it. A failed sync
// cannot be mended by a second one, so it writes the data again: what the
// journal does not take goes into the database, and the page that makes a
// transaction of the database count is written once more. Only if that fails
// too, and what makes the batch count, all of its record or that page, has been
// handed to the kernel, the outcome is unknown; then nothing is built on it
// before it is settled. Otherwise the batch is not there and never will be: the
// error wraps [store.ErrNotWritten], also on a full disk, and the store goes on
// as soon as there is space.
//
// # Damage
//
// bbolt trusts its file: a damaged page makes it panic, or return something
// that nobody has written. So [Open] reads the whole file first and checks
// every page, every reference and, by a checksum of its own, every value, and
// it refuses what is damaged with an error that wraps [ErrDamaged] and says
// where. So it does with a journal that is of another file, of another state of
// this one, cut off, or damaged before its last record. Such files are left as
// they are, byte for byte. What goes wrong later closes the store: from then on
// all calls give an error that wraps [store.ErrClosed]. A single damaged meta
// page is no damage, nor is a damaged last record: that is what a power failure
// in the middle of a commit may leave.
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
// A Write of one key by one writer takes one sync of the disk and 12 µs of work;
// one in 255 takes two syncs more. Of 64 writers at once, 60 share each commit.
// Get takes 2 µs, and Open 60 ms for each 100 MB. The file is about twice as
// large as what is in it, and the journal 1 MiB. These are figures of one
// machine; the benchmarks print those of another, plain syncs of its disk among
// them.
package boltstore
