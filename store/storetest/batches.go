package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
)

func checkBatchOrder(t testing.TB, opts Options) error {
	s := open(t, opts)
	if err := errors.Join(s.put("was there", "old"), s.put("comes back", "old")); err != nil {
		return err
	}
	var b store.Batch
	b.Put("put twice", []byte("first"))
	b.Put("put and deleted", []byte("first"))
	b.Delete("deleted and put")
	b.Delete("was there")
	b.Delete("comes back")
	b.Put("put twice", []byte("second"))
	b.Delete("put and deleted")
	b.Put("deleted and put", []byte("second"))
	b.Put("comes back", []byte("second"))
	return errors.Join(s.write(&b), s.wantContents(map[string]string{
		"put twice": "second", "deleted and put": "second", "comes back": "second",
	}))
}

func checkEmptyBatch(t testing.TB, opts Options) error {
	s := open(t, opts)
	return errors.Join(s.put("k", "v"), s.write(new(store.Batch)), s.wantContents(map[string]string{"k": "v"}))
}

func checkLargeBatch(t testing.TB, opts Options) error {
	const changes = 10_000
	s := open(t, opts)
	want := make(map[string]string)
	var b store.Batch
	for i := range changes {
		key := fmt.Sprintf("key %d", i)
		want[key] = fmt.Sprintf("value %d", i)
		b.Put(key, []byte(want[key]))
	}
	if err := errors.Join(s.write(&b), s.wantContents(want)); err != nil {
		return err
	}
	b.Reset()
	for i := range changes {
		key := fmt.Sprintf("key %d", i)
		if i%3 == 0 {
			want[key] = "changed"
			b.Put(key, []byte("changed"))
		} else {
			delete(want, key)
			b.Delete(key)
		}
	}
	return errors.Join(s.write(&b), s.wantContents(want))
}

func checkAgain(t testing.TB, opts Options) error {
	s := open(t, opts)
	if err := errors.Join(s.put("changed", "old"), s.put("deleted", "old")); err != nil {
		return err
	}
	var b store.Batch
	b.Put("changed", []byte("new"))
	b.Put("added", []byte("new"))
	b.Delete("deleted")
	return errors.Join(s.write(&b), s.write(&b), s.wantContents(map[string]string{"changed": "new", "added": "new"}))
}

// checkAtomic lets readers look while a writer moves many keys from one
// version to the next. In odd versions there are twice as many.
func checkAtomic(t testing.TB, opts Options) error {
	const keys, versions, readers = 100, 100, 2
	s := open(t, opts)
	step := func(version int) error {
		var b store.Batch
		value := []byte(strconv.Itoa(version))
		for i := range keys {
			b.Put(fmt.Sprintf("always %d", i), value)
			if version%2 == 1 {
				b.Put(fmt.Sprintf("at times %d", i), value)
			} else {
				b.Delete(fmt.Sprintf("at times %d", i))
			}
		}
		return s.write(&b)
	}
	look := func() error {
		pairs, err := s.scan("")
		if err != nil {
			return err
		}
		if len(pairs) == 0 {
			return errors.New("a reader sees nothing of what was there before it began")
		}
		version, err := strconv.Atoi(pairs[0].value)
		if err != nil {
			return err
		}
		if want := keys * (1 + version%2); len(pairs) != want {
			return fmt.Errorf("a reader sees %d keys of version %d, want %d", len(pairs), version, want)
		}
		for _, p := range pairs {
			if p.value != pairs[0].value {
				return fmt.Errorf("a reader sees key %q in version %s among others in version %d", p.key, p.value, version)
			}
		}
		return nil
	}
	if err := step(0); err != nil {
		return err
	}
	var faults faultList
	var readersDone sync.WaitGroup
	written := make(chan struct{})
	for range readers {
		readersDone.Go(func() {
			for !faults.any() && !closed(written) {
				faults.add(look())
			}
		})
	}
	for version := 1; version <= versions && !faults.any(); version++ {
		faults.add(step(version))
	}
	close(written)
	readersDone.Wait()
	faults.add(look())
	return faults.first()
}

// faultList collects the faults that goroutines find.
type faultList struct {
	mu     sync.Mutex
	faults []error
}

// add takes the verdict of a goroutine: nil is none.
func (l *faultList) add(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, err)
}

func (l *faultList) any() bool { return l.first() != nil }

func (l *faultList) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) == 0 {
		return nil
	}
	return l.faults[0]
}

// closed reports whether c is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
