package boltstore

import (
	"bytes"
	"io"
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

// Hold keeps commits from going on, until release is called.
func (s *Store) Hold() (release func()) {
	s.life.Lock()
	return s.life.Unlock
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

// Commits returns the number of the last transaction in the file.
func (s *Store) Commits() (uint64, error) {
	info, err := s.file.Stat()
	if err != nil {
		return 0, err
	}
	m, err := findMeta(s.file, info.Size())
	return m.txid, err
}

const MaxGroup = maxGroup
