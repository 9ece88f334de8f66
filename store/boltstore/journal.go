package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A commit of bbolt takes two syncs. The journal makes it one: a file beside
// the database, whose pages are there from the beginning and are written over
// in place, so that a sync has nothing of the file system to write. Each group
// is one record. When there is no room for the next one, all of them go into
// bbolt in one transaction; see checkpoint.go.
//
// A record begins a page of its own, so that no page of a record that has been
// acknowledged is written to before bbolt has it: whatever a failing disk makes
// of a page, it is one that nobody relies on.
//
// Records have the generation of the journal, and their number in it. The
// transaction that brings a generation into bbolt says so in the sequence of
// our bucket. A record of that generation or an earlier one is history; what is
// to be replayed is of the next one. Generations begin at a random number,
// which makes them tell the journal of one file from that of another.
//
// A bucket without contents says in the database that there is a journal. It
// is there from before the first record until all are in bbolt. Who does not
// know of journals refuses a file that has it.

const (
	journalSuffix = "-journal"
	journalSize   = 1 << 20 // bytes, unless a test wants another
	journalPage   = 4 << 10 // bytes
	maxJournal    = 1 << 30 // bytes; more is not read

	// A larger record costs more to write twice than one sync.
	maxRecordPart = 4 // of the journal
)

// journalName is the name of the bucket that says that there is a journal.
var journalName = []byte("interledger connector journal 1")

// journal is the file. It belongs to the writer that leads.
type journal struct {
	file       *os.File
	pages      int // of the file, of which the first one is its header
	generation uint64
	next       int    // page where the next record begins
	index      uint32 // number of the next record
	// used says that the file may hold records of this generation: one that
	// has been refused is among them, though it is not acknowledged.
	used   bool
	buffer []byte // memory of a record
}

// begin makes the journal an empty one of a generation.
func (j *journal) begin(generation uint64) {
	j.generation, j.next, j.index, j.used = generation, 1, 0, false
}

// takes reports whether a payload of so many bytes is one for the journal at
// all.
func (j *journal) takes(payload int) bool {
	return pagesOf(payload) <= (j.pages-1)/maxRecordPart
}

// hasRoom reports whether a payload of so many bytes fits in now.
func (j *journal) hasRoom(payload int) bool { return j.next+pagesOf(payload) <= j.pages }

// pagesOf returns how many pages the record of a payload takes.
func pagesOf(payload int) int { return (entryHeader + payload + journalPage - 1) / journalPage }

// append makes the record of a group durable, and returns its payload, which
// is valid until the next call. If it fails, handed says whether all of the
// record has gone to the kernel, and may be on the disk. The next record of
// this generation is written over it.
func (j *journal) append(group []*waiter) (payload []byte, handed bool, err error) {
	j.buffer = appendEntry(j.buffer[:0], group, j.generation, j.index)
	j.used = true
	if _, err := j.file.WriteAt(j.buffer, int64(j.next)*journalPage); err != nil {
		return nil, false, fmt.Errorf("journal: %w", err)
	}
	if err := datasync(j.file); err != nil {
		return nil, true, fmt.Errorf("journal: %w", err)
	}
	j.next += len(j.buffer) / journalPage
	j.index++
	return entryPayload(j.buffer), true, nil
}

// createJournal makes the journal at path, of size bytes, whose first
// generation is base. What is at path is not needed any more. When it returns
// the file and its name are on the disk.
func createJournal(path string, size int, base uint64) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size) // Zeros: space that is only set aside costs a second write with the first one.
	putJournalHeader(b, base)
	_, err = file.WriteAt(b, 0)
	if err == nil {
		err = file.Truncate(int64(size))
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = syncName(filepath.Dir(path))
	}
	if err != nil {
		_ = file.Close()
		_ = os.Remove(path)
		return nil, err
	}
	j := &journal{file: file, pages: size / journalPage}
	j.begin(base)
	return j, nil
}

// noJournal reports whether err, of createJournal, says that there can be none
// here: in a directory that may not be written to or cannot be synced, or for
// want of space. The store works without, at one sync more for each commit.
func noJournal(err error) bool {
	for _, e := range []error{fs.ErrPermission, errors.ErrUnsupported, syscall.EROFS, syscall.EINVAL, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
