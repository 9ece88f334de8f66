package boltstore

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"go.etcd.io/bbolt"

	"github.com/interledger-go/connector/store"
)

// CheckFile checks a file that is in memory.
func CheckFile(b []byte) error {
	return checkFile(bytes.NewReader(b), int64(len(b)))
}

// CheckReader checks a file of size bytes.
func CheckReader(r io.ReaderAt, size int64) error { return checkFile(r, size) }

// BucketName is the name of the bucket that holds everything.
func BucketName() []byte { return bytes.Clone(bucketName) }

// DecodeNote reads the note of a holder, and writes it out for people.
func DecodeNote(text []byte) (string, bool) {
	n, ok := decodeNote(text)
	return n.String(), ok
}

// OpenSized opens a store whose journal has so many pages, if it is a new
// one, and whose database grows in small steps.
func OpenSized(path string, pages int) (*Store, error) {
	return openSized(path, Options{}, sizes{journal: pages * JournalPage, step: 128 << 10})
}

// CheckJournal checks a journal, and returns how many records of it a database
// has to be brought that says this about it.
func CheckJournal(b []byte, done uint64, inUse bool) (int, error) {
	payloads, err := checkJournal(b, done, inUse)
	return len(payloads), err
}

// Done returns the last generation that the file has.
func (s *Store) Done() (done uint64) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		done = tx.Bucket(bucketName).Sequence()
		return nil
	})
	return done
}

// SumJournal makes the checksum of the header of a journal right.
func SumJournal(b []byte) {
	binary.BigEndian.PutUint32(b[headerSum:], crc32.Checksum(b[:headerSum], castagnoli))
}

// SumEntry makes the checksum of the record right that b begins with.
func SumEntry(b []byte) {
	binary.BigEndian.PutUint32(b[entrySum:], entryChecksum(b[:entrySum], entryPayload(b)))
}

// Lead makes a writer of b the leader of a group of its own, which is at the
// point of committing it. It goes on when commit is called.
func (s *Store) Lead(b *store.Batch) (commit func() error) {
	w := &waiter{batch: b}
	if !s.queue.join(w) {
		panic("there is a leader")
	}
	group := s.queue.take(w)
	return func() error { return s.lead(group) }
}

// Waiting returns how many writers wait for another's commit.
func (s *Store) Waiting() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.waiting)
}

// Led reports whether a writer commits, or is about to.
func (s *Store) Led() bool {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.led
}

// Groups returns how many groups have been committed, or tried.
func (s *Store) Groups() uint64 {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.groups
}

// Journal returns the generation of the journal, and the number of its records,
// or zeros if there is none.
func (s *Store) Journal() (generation uint64, records int) {
	if s.journal == nil {
		return 0, 0
	}
	return s.journal.generation, int(s.journal.index)
}

// SnapshotHolds reports whether the overlay cannot change between the two parts of
// a Scan: what it has, and what bbolt has.
func (s *Store) SnapshotHolds() (holds bool) {
	s.overlay.snapshot("", func() {
		if holds = !s.overlay.mu.TryLock(); !holds {
			s.overlay.mu.Unlock()
		}
	})
	return holds
}

// Settling reports whether a writer waits until the store is its own.
func (s *Store) Settling() bool {
	if s.life.TryRLock() {
		s.life.RUnlock()
		return false
	}
	return true
}

const (
	MaxGroup    = maxGroup
	JournalPage = journalPage
	JournalSize = journalSize
	EntryHeader = entryHeader
)
