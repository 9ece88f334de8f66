package boltstore

import (
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
	var id uint64 // of the transaction, once it has all changes
	err := s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			if err := s.apply(tx.Bucket(bucketName), group); err != nil {
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
		return nil
	}
	if unusable(err) {
		err = s.fail(err)
	}
	if id == 0 {
		return notWritten(err)
	}
	return s.outcome(id, err)
}

// apply makes the changes of a group. bbolt copies the keys, and points to the
// records until the end of the transaction.
func (s *Store) apply(bucket *bbolt.Bucket, group []*waiter) error {
	s.records = s.records[:0]
	for _, w := range group {
		for op := range w.batch.Ops() {
			var err error
			if op.Delete {
				err = bucket.Delete(op.Key)
			} else {
				start := len(s.records)
				s.records = appendRecord(s.records, op.Key, op.Value)
				err = bucket.Put(op.Key, s.records[start:])
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
func (s *Store) outcome(id uint64, cause error) error {
	metas, err := readMetaPages(s.file, s.pageSize)
	if err != nil {
		// Whether there is anything to settle will not be known any more.
		_ = s.fail(cause)
		return unknown(cause)
	}
	s.unsettled = metas
	if m, err := decodeMeta(metas[int(id%2)*s.pageSize:]); err != nil || m.txid != id {
		return notWritten(cause)
	}
	if s.settle() != nil {
		return unknown(cause)
	}
	return nil
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
