package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/store"
)

// Local is a ledger for one process. Books live in memory; one committer
// writes all that have changed in one batch, and then all that have changed
// meanwhile in the next. No other process may use the same store.
//
// # The cut
//
// Each batch is a consistent cut through all postings: if it holds a posting
// it holds every one that was made before it. Postings are made under an
// epoch, which is read with the book locked, and a batch is all postings of
// one epoch. To begin a batch the committer advances the epoch and then visits
// the books that have changed, one by one, while postings go on. A book that
// is posted to under the new epoch before the committer has seen it keeps its
// figures of before that posting, frozen, and the committer takes those.
// Epochs only grow, so what is posted first has the lower or the same one.
type Local struct {
	options  LocalOptions
	store    store.Store
	volatile bool // nothing in the store survives the process: nobody has to wait for it

	commits commits

	epoch  atomic.Uint64 // of postings; changed with dirtyMu held
	unwell atomic.Bool   // the store fails, or is slow
	closed atomic.Bool   // nothing more is posted
	work   chan struct{} // tells the committer that there is something to write

	// Locks are taken in this order: mu, a book's, dirtyMu.
	mu      sync.Mutex // not held while a packet moves
	running bool       // or did run
	opening map[string]struct{}
	books   map[string]*book // open, or closed and not yet durable

	dirtyMu sync.Mutex
	dirty   []*book // changed in this epoch
}

// LocalOptions are the parts of a Local. Store is needed.
type LocalOptions struct {
	// Store keeps the books. The host opens and closes it.
	Store store.Store
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// OnEvent is told what should become an alert; nil: nobody is. It must
	// not block.
	OnEvent func(Event)
	// SlowAfter is how long a write may take until no new packets are taken.
	// 0 means one second.
	SlowAfter time.Duration
	// CloseTimeout is how long Run tries, when it stops, to write a batch to a
	// store that fails or hangs. The context of the write ends then. 0 means
	// five seconds.
	CloseTimeout time.Duration
}

const (
	defaultSlowAfter    = time.Second
	defaultCloseTimeout = 5 * time.Second
	minRetry, maxRetry  = 50 * time.Millisecond, 2 * time.Second // between writes to a store that fails
)

var _ Ledger = (*Local)(nil)

// NewLocal makes a ledger over a store. It starts nothing: Run does.
func NewLocal(o LocalOptions) (*Local, error) {
	if o.Store == nil {
		return nil, errors.New("ledger: LocalOptions.Store is nil: open a store, such as memstore.New()")
	}
	if s, ok := o.Store.(interface{ MaxKeySize() int }); ok && s.MaxKeySize() < maxStoreKey {
		return nil, fmt.Errorf("ledger: LocalOptions.Store takes keys of %d bytes: it must take %d: give the view a shorter name", s.MaxKeySize(), maxStoreKey)
	}
	if o.SlowAfter < 0 || o.CloseTimeout < 0 {
		return nil, fmt.Errorf("ledger: LocalOptions.SlowAfter is %v and CloseTimeout %v: they must be positive, or 0 for the default", o.SlowAfter, o.CloseTimeout)
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.SlowAfter = cmp.Or(o.SlowAfter, defaultSlowAfter)
	o.CloseTimeout = cmp.Or(o.CloseTimeout, defaultCloseTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Local{options: o, store: o.Store, work: make(chan struct{}, 1), opening: make(map[string]struct{}), books: make(map[string]*book)}
	_, l.volatile = o.Store.(store.Volatile)
	l.epoch.Store(1)
	return l, nil
}

// Open gives the book of an account. A book that holds more than the present
// limits allow is opened all the same: the limits are about what comes. One
// that was closed a moment ago is opened as it is in memory, durable or not.
func (l *Local) Open(ctx context.Context, t Terms) (Book, error) {
	checked, err := t.check()
	if err != nil {
		return nil, err
	}
	b, err := l.claim(t.Account, checked)
	if b == nil && err == nil {
		var c contents
		c, err = read(ctx, l.store, t.Account)
		b, err = l.add(t.Account, checked, c, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: account %q: %w", t.Account, err)
	}
	return &opening{book: b}, nil
}

// claim opens the book of an account if it is in memory. If it is not, the
// account is the caller's to read and to add.
func (l *Local) claim(account string, t terms) (*book, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return nil, ErrClosed
	}
	if _, claimed := l.opening[account]; claimed {
		return nil, ErrOpen
	}
	b := l.books[account]
	if b == nil {
		l.opening[account] = struct{}{}
		return nil, nil
	}
	return b, b.open(t)
}

// add makes the book of an account that was claimed from what was read, or
// gives the claim up if that failed.
func (l *Local) add(account string, t terms, c contents, err error) (*book, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.opening, account)
	if err != nil {
		return nil, err
	}
	b := newBook(l, account, c)
	if err := b.open(t); err != nil {
		return nil, err
	}
	l.books[account] = b
	if c.figures.in|c.figures.out != 0 {
		l.options.Logger.Warn("packets were in flight when the process ended", slog.String("account", account),
			slog.Uint64("incoming", c.figures.in), slog.Uint64("outgoing", c.figures.out))
	}
	return b, nil
}

// Run is the committer. It returns nil if all that was posted is durable.
func (l *Local) Run(ctx context.Context) error {
	if err := l.start(); err != nil {
		return err
	}
	writing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	c := newCommitter(l, giveUp)
	defer context.AfterFunc(ctx, c.watch.stop)()
	err := c.run(writing, ctx.Done())
	if err != nil {
		l.closed.Store(true)
	}
	paid := c.stopPaying()
	if err == nil {
		err = c.run(writing, paid) // others need not wait until the last payer has heeded its context
	}
	<-paid // what the payers have to say is posted
	l.closed.Store(true)
	for _, b := range l.all() {
		b.finish()
	}
	if err == nil {
		err = c.commit(writing)
	}
	c.abandon()
	return err
}

func (l *Local) start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		return errors.New("ledger: Run was called before: make a new ledger to run again")
	}
	l.running = true
	return nil
}

// all gives the books that are in memory.
func (l *Local) all() []*book {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.books))
}

// changed puts b on the list of the present epoch, and gives that. The caller
// holds b.mu.
func (l *Local) changed(b *book) uint64 {
	l.dirtyMu.Lock()
	defer l.dirtyMu.Unlock()
	l.dirty = append(l.dirty, b)
	select {
	case l.work <- struct{}{}:
	default:
	}
	return l.epoch.Load()
}

// cut ends the present epoch and gives it, with the books that were changed
// in it. list is memory for the next.
func (l *Local) cut(list []*book) (uint64, []*book) {
	l.dirtyMu.Lock()
	defer l.dirtyMu.Unlock()
	epoch, changed := l.epoch.Load(), l.dirty
	l.dirty = list[:0]
	l.epoch.Store(epoch + 1)
	return epoch, changed
}

// forget takes a book out of memory that is closed and of which the store has
// everything, now that epoch is durable. It reports false for any other.
func (l *Local) forget(b *book, epoch uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !b.ended(epoch) {
		return false
	}
	delete(l.books, b.account)
	return true
}

func (l *Local) event(e Event) {
	if l.options.OnEvent != nil {
		l.options.OnEvent(e)
	}
}

// newKey names a settlement, for ever and everywhere.
func newKey() string { return rand.Text() }
