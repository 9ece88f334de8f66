package boltstore

import (
	"fmt"
	"os"
)

// A failed sync leaves the kernel's copy of a page marked as written, whatever
// the disk has. A second sync then does nothing and succeeds. What the file
// seems to hold may be gone after a power failure, and if bbolt builds on it,
// it overwrites the pages of the last state that the disk does have.
//
// So the store settles before it builds on anything: it writes the two meta
// pages, as it has found them, once more, and syncs the file. All other pages
// of the state that they name were synced before the meta page was written.
// This is done when the file is opened, since the process before this one may
// have failed or been killed between a write and a sync, and after every
// commit that fails, before the next.

// settle writes the meta pages again and syncs the file.
func (s *Store) settle() error {
	if _, err := s.file.WriteAt(s.unsettled, 0); err != nil {
		return fmt.Errorf("writing the meta pages again: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing the meta pages again: %w", err)
	}
	return nil
}

// settleFirst settles what an earlier commit has left. It waits for readers to
// end: bbolt has forgotten that they see pages which the failed transaction
// has freed. Only the leader calls it.
func (s *Store) settleFirst() error {
	if s.unsettled == nil {
		return nil
	}
	s.life.Lock()
	defer s.life.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	s.unsettled = nil
	return nil
}

// readMetaPages returns both meta pages, which are the first of the file.
func readMetaPages(file *os.File, pageSize int) ([]byte, error) {
	metas := make([]byte, 2*pageSize)
	if _, err := file.ReadAt(metas, 0); err != nil {
		return nil, fmt.Errorf("reading the meta pages: %w", err)
	}
	return metas, nil
}
