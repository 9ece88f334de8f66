package boltstore

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// checkpoint brings what the journal holds into bbolt, and begins its next
// generation. From then on no record of the last one can be replayed, one
// whose outcome is unknown among them. Only the leader calls it.
//
// Readers go on meanwhile: overlay and bbolt say the same between the commit
// and the end of the overlay.
func (s *Store) checkpoint() error {
	j := s.journal
	if !j.used {
		return nil
	}
	changes := s.overlay.all()
	inEffect, err := s.transact(func(tx *bbolt.Tx) error { return s.applyOverlay(tx, changes) })
	if inEffect && s.usable() == nil {
		s.overlay.clear()
		j.begin(j.generation + 1)
	}
	if err != nil {
		return fmt.Errorf("moving the journal into the file: %w", err)
	}
	return nil
}

// applyOverlay makes all changes that the journal holds, and says so.
func (s *Store) applyOverlay(tx *bbolt.Tx, changes []overlaid) error {
	bucket := tx.Bucket(bucketName)
	s.records = s.records[:0]
	for _, o := range changes {
		var err error
		if o.there() {
			err = s.put(bucket, []byte(o.key), o.value)
		} else {
			err = bucket.Delete([]byte(o.key))
		}
		if err != nil {
			return damagef("damaged file: %v", err)
		}
	}
	return bucket.SetSequence(s.journal.generation)
}

// put puts a value. bbolt copies the key, and points to the record until the
// end of the transaction.
func (s *Store) put(bucket *bbolt.Bucket, key, value []byte) error {
	start := len(s.records)
	s.records = appendRecord(s.records, key, value)
	return bucket.Put(key, s.records[start:])
}

// retireJournal brings what the journal holds into bbolt for good, and removes
// it. If it cannot, everything is left to the next Open. The caller holds life
// for writing.
func (s *Store) retireJournal() error {
	if s.journal == nil || s.usable() != nil {
		return nil
	}
	if s.unsettled != nil {
		if err := s.settle(); err != nil {
			return err
		}
	}
	changes := s.overlay.all()
	err := s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			return errors.Join(s.applyOverlay(tx, changes), tx.DeleteBucket(journalName))
		})
	})
	if err != nil {
		return fmt.Errorf("moving the journal into the file: %w", err)
	}
	err = s.journal.file.Close()
	s.journal = nil
	// If it stays, it is known to be history.
	_ = os.Remove(s.journalPath)
	return err
}
