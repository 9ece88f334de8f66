package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// lineage is more than the generations that one file ever sees in a row.
const lineage = 1 << 40

// history is what Open finds of a journal.
type history struct {
	inUse    bool   // the database says that there is one
	done     uint64 // the last generation that the database has
	file     *os.File
	size     int
	payloads [][]byte // of the records that the database does not have
}

// readHistory reads the journal that belongs to the database, and changes
// nothing. An error that wraps ErrDamaged says that acknowledged batches may
// be missing. The caller closes the file, also after an error.
func (s *Store) readHistory() (h history, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if bucket := tx.Bucket(bucketName); bucket != nil {
			h.done = bucket.Sequence()
		}
		h.inUse = tx.Bucket(journalName) != nil
		return nil
	})
	if err != nil {
		return h, err
	}
	flag := os.O_RDWR
	if !h.inUse {
		flag = os.O_RDONLY
	}
	h.file, err = os.OpenFile(s.journalPath, flag, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if h.inUse {
			return h, damagef("its journal is missing: want it as %s", s.journalPath)
		}
		return h, nil
	}
	if err != nil {
		return h, err
	}
	b, err := io.ReadAll(io.LimitReader(h.file, maxJournal+1))
	if err == nil {
		h.size = len(b)
		h.payloads, err = checkJournal(b, h.done, h.inUse)
	}
	if err != nil {
		return h, fmt.Errorf("journal %s: %w", filepath.Base(s.journalPath), err)
	}
	return h, nil
}

// checkJournal returns the payloads of the records that a database does not
// have whose last generation is done. inUse says whether it may have any. An
// error wraps ErrDamaged.
//
// A record is written when all before it are on the disk. So what a power
// failure leaves is whole records, and perhaps half a one after them.
func checkJournal(b []byte, done uint64, inUse bool) (payloads [][]byte, err error) {
	base, err := decodeJournalHeader(b)
	switch {
	case len(b) > maxJournal:
		return nil, damagef("more than %d bytes", maxJournal)
	case !inUse && !mayBeJournal(b):
		return nil, damagef("it is none of ours: want it moved away")
	case !inUse: // It may be one that was only half made.
	case err != nil:
		return nil, err
	case done+1-base >= lineage:
		return nil, damagef("it is that of another file")
	}
	page := min(1, len(b)/journalPage)
	for inUse {
		e, ok := decodeEntry(b[page*journalPage:])
		if !ok || e.generation != done+1 || e.index != uint32(len(payloads)) {
			break
		}
		if err := checkPayload(e.payload); err != nil {
			return nil, fmt.Errorf("record %d: %w", e.index, err)
		}
		payloads = append(payloads, e.payload)
		page += e.pages()
	}
	for ; page < len(b)/journalPage; page++ {
		e, ok := decodeEntry(b[page*journalPage:])
		switch {
		case !ok || done-e.generation < lineage: // none, or history
		case inUse && e.generation == done+1:
			return nil, damagef("record %d is damaged, and record %d is not", len(payloads), e.index)
		default:
			return nil, damagef("it has records of another file, or of a later state of this one")
		}
	}
	return payloads, nil
}

// mayBeJournal reports whether b begins as a journal does, or one of which
// nothing is on the disk yet.
func mayBeJournal(b []byte) bool {
	if len(b) < 8 {
		return true
	}
	magic := binary.BigEndian.Uint64(b)
	return magic == journalMagic || magic == 0
}

// replay brings the records that were found into bbolt, and goes on with their
// journal. Without one it makes one, of size bytes, if there can be any.
func (s *Store) replay(h history, size int) error {
	if !h.inUse {
		return s.startJournal(size)
	}
	for _, payload := range h.payloads {
		if err := s.overlay.add(payload); err != nil {
			return err
		}
	}
	s.journal = &journal{file: h.file, pages: h.size / journalPage}
	s.journal.begin(h.done + 1)
	changes := s.overlay.all()
	if err := s.db.Update(func(tx *bbolt.Tx) error { return s.applyOverlay(tx, changes) }); err != nil {
		return fmt.Errorf("moving the journal into the file: %w", err)
	}
	s.overlay.clear()
	s.journal.begin(h.done + 2)
	return nil
}

// startJournal makes a journal and then says in the database that there is
// one.
func (s *Store) startJournal(size int) (err error) {
	if size == 0 {
		return nil
	}
	base := lineage + rand.Uint64N(1<<63)
	s.journal, err = createJournal(s.journalPath, size, base)
	if noJournal(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket(journalName); err != nil {
			return err
		}
		return tx.Bucket(bucketName).SetSequence(base - 1)
	})
}
