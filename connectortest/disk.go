package connectortest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// disk is what outlives a connector that crashes. One store at a time is open
// on it.
type disk struct {
	contents memstore.Store
	random   *rand.Rand
}

func newDisk(seed uint64) *disk {
	return &disk{random: rand.New(rand.NewPCG(seed, seed))}
}

// slowestWrite is how long a batch takes at most to become durable.
const slowestWrite = 2 * time.Millisecond

// mount is a durable store on a disk, until it crashes: a batch takes some time
// to get there, and of one that is under way when the power goes nobody knows.
type mount struct {
	disk *disk

	mu      sync.Mutex
	closed  bool
	crashed chan struct{}
	writing []*write  // in their order
	ended   time.Time // the last of them
}

// write is a batch under way.
type write struct {
	batch *store.Batch
	torn  bool // it is not there if the power goes now
	done  bool
}

var _ store.Store = (*mount)(nil)

func (d *disk) mount() *mount { return &mount{disk: d, crashed: make(chan struct{})} }

var errPowerLost = errors.New("connectortest: the power was lost")

// crash makes the store unusable. What was durable stays on the disk, and with
// it, or not, what was being written.
func (m *mount) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	for _, w := range m.writing {
		if w.done {
			continue
		}
		if w.torn {
			break
		}
		w.done = true
		_ = m.disk.contents.Write(background, w.batch) // its batch was checked
	}
	close(m.crashed)
}

// Write implements the method of [store.Store].
func (m *mount) Write(ctx context.Context, b *store.Batch) error {
	if err := errors.Join(b.Err(), notWritten(ctx.Err())); err != nil {
		return err
	}
	w, delay, err := m.begin(b)
	if err != nil {
		return err
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-m.crashed:
		}
	}
	return m.end(w)
}

func notWritten(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(store.ErrNotWritten, err)
}

func (m *mount) begin(b *store.Batch) (*write, time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, 0, store.ErrClosed
	}
	w := &write{batch: b}
	m.writing = append(m.writing, w)
	// What was posted at one instant may come as one batch or as two, as the
	// scheduler has it. So that it becomes durable at one instant all the same,
	// a batch that begins when another has just ended takes no time.
	if time.Now().Equal(m.ended) {
		return w, 0, nil
	}
	w.torn = m.disk.random.IntN(2) == 0
	return w, time.Duration(1 + m.disk.random.Int64N(int64(slowestWrite))), nil
}

func (m *mount) end(w *write) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.crashed:
		return errPowerLost
	default:
	}
	m.ended = time.Now()
	if !w.done {
		w.done = true
		if err := m.disk.contents.Write(background, w.batch); err != nil {
			return err
		}
	}
	for len(m.writing) > 0 && m.writing[0].done {
		m.writing = m.writing[1:]
	}
	return nil
}

// Get implements the method of [store.Store].
func (m *mount) Get(ctx context.Context, key string) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return m.disk.contents.Get(ctx, key)
}

// Scan implements the method of [store.Store].
func (m *mount) Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	if err := m.check(); err != nil {
		return err
	}
	return m.disk.contents.Scan(ctx, prefix, visit)
}

func (m *mount) check() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return store.ErrClosed
	}
	return nil
}

// Close implements the method of [store.Store]. What is being written becomes
// durable.
func (m *mount) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
