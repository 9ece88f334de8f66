package boltstore

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/interledger-go/connector/store"
)

// maxKept is how much memory for records is kept between commits, in bytes.
const maxKept = 1 << 20

// commit makes the batches of a group durable, in their order, all or none.
// Only the leader calls it.
func (s *Store) commit(group []*waiter) error {
	if err := s.settleFirst(); err != nil {
		return notWritten(err)
	}
	s.life.RLock()
	defer s.life.RUnlock()
	if err := s.usable(); err != nil {
		return err
	}
	j := s.journal
	if j == nil {
		return s.commitDirect(group)
	}
	size, changes := payloadSize(group)
	journaled := j.takes(size) && changes <= maxGroup
	if !journaled || !j.hasRoom(size) || s.overlay.size()+changes > maxGroup {
		if err := s.checkpoint(); err != nil {
			return notWritten(err)
		}
	}
	if journaled {
		return s.commitJournal(group)
	}
	return s.commitDirect(group)
}

// commitJournal commits a group for which the journal has room. If the journal
// fails, the group goes past it: a failed sync is not mended by a second one,
// but by writing the data again, and a checkpoint keeps the record that has
// failed from ever being replayed.
func (s *Store) commitJournal(group []*waiter) error {
	payload, handed, err := s.journal.append(group)
	if err == nil {
		return s.overlay.add(bytes.Clone(payload))
	}
	errCheckpoint := s.checkpoint()
	if errCheckpoint == nil {
		return s.commitDirect(group)
	}
	if err = errors.Join(err, errCheckpoint); handed {
		return unknown(err)
	}
	return notWritten(err)
}

// commitDirect commits a group in a transaction of its own. The overlay is
// empty, or readers would see half of it.
func (s *Store) commitDirect(group []*waiter) error {
	inEffect, err := s.transact(func(tx *bbolt.Tx) error { return s.apply(tx.Bucket(bucketName), group) })
	switch {
	case err == nil:
		return nil
	case inEffect:
		return unknown(err)
	}
	return notWritten(err)
}

// transact makes the changes of a transaction durable. If it fails, inEffect
// says whether they may be in effect: if not, they never will be.
func (s *Store) transact(change func(tx *bbolt.Tx) error) (inEffect bool, err error) {
	var id uint64 // of the transaction, once it has all changes
	err = s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			if err := change(tx); err != nil {
				return err
			}
			id = uint64(tx.ID())
			return nil
		})
	})
	if cap(s.records) > maxKept {
		s.records = nil
	}
	if err == nil {
		return true, nil
	}
	if unusable(err) {
		err = s.fail(err)
	}
	if id == 0 {
		return false, err
	}
	return s.outcome(id, err)
}

// apply makes the changes of a group.
func (s *Store) apply(bucket *bbolt.Bucket, group []*waiter) error {
	s.records = s.records[:0]
	for _, w := range group {
		for op := range w.batch.Ops() {
			var err error
			if op.Delete {
				err = bucket.Delete(op.Key)
			} else {
				err = s.put(bucket, op.Key, op.Value)
			}
			if err != nil {
				return damagef("damaged file: %v", err)
			}
		}
	}
	return nil
}

// unusable reports whether bbolt is of no use after err: the file is not what
// it was, or can no longer be mapped.
func unusable(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, berrors.ErrInvalidMapping) || errors.Is(err, berrors.ErrDatabaseNotOpen)
}

// outcome finds out what has become of the transaction id, whose commit has
// failed with cause. bbolt hands the pages of the new state to the kernel,
// syncs them, hands over the meta page that names them, and syncs that: the
// transaction can be in effect only if the file has its meta page.
func (s *Store) outcome(id uint64, cause error) (inEffect bool, err error) {
	metas, err := readMetaPages(s.file, s.pageSize)
	if err != nil {
		// Whether there is anything to settle will not be known any more.
		_ = s.fail(cause)
		return true, cause
	}
	s.unsettled = metas
	if m, err := decodeMeta(metas[int(id%2)*s.pageSize:]); err != nil || m.txid != id {
		return false, cause
	}
	if s.settle() != nil {
		return true, cause
	}
	return true, nil
}

// unknown says of a Write that it has failed with err, and that nobody knows
// whether its batch is in effect. err is not wrapped if it claims to know.
func unknown(err error) error {
	const text = "boltstore: write: the outcome is unknown: "
	if errors.Is(err, store.ErrNotWritten) {
		return errors.New(text + err.Error())
	}
	return fmt.Errorf(text+"%w", err)
}
