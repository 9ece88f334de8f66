package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// book is the book of one account. There is one at most for each account at
// any time: it stays in memory after it was closed, until all that it holds is
// durable, and is opened again if somebody asks for it before.
type book struct {
	l       *Local
	account string
	key     string // in the store

	mu     sync.Mutex // never held while anything waits
	opened bool
	terms  terms
	asset  ilp.Asset // what the figures count; zero: nobody has said

	figures figures
	frozen  figures // as of the end of the epoch before that of the last change
	stored  figures // as of the last batch
	epoch   uint64  // of the last change
	listed  uint64  // the last epoch in which the book is on the list of changes

	// What goes with the figures into the batch of an epoch, by its last bit:
	// there are never more than two epochs at once, that which is being
	// written and the present one.
	records [2][]record
	waiters [2][]Waiter

	outbox
	received map[string]received // by key
	purged   time.Time

	inDoubt figures // found in the store
}

// newBook makes the book of an account that has held contents.
func newBook(l *Local, account string, c contents) *book {
	b := &book{
		l: l, account: account, key: accountKey(bookPrefix, account),
		figures: figures{balance: c.figures.balance, remainder: c.figures.remainder}, stored: c.figures, inDoubt: c.figures,
		asset: c.asset, received: c.received,
	}
	b.outbox.settlements = c.settlements
	b.outbox.wake = make(chan struct{}, 1)
	return b
}

// open begins a use of the book, if it is closed.
func (b *book) open(t terms) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened {
		return ErrOpen
	}
	if err := b.count(t.asset); err != nil {
		return err
	}
	b.opened, b.terms = true, t
	b.backoff = 0
	return nil
}

// count says what the figures count. The caller holds mu.
func (b *book) count(asset ilp.Asset) error {
	switch f := b.figures; {
	case asset == ilp.Asset{} || asset == b.asset:
		return nil
	case b.asset != ilp.Asset{} && (f != figures{} || len(b.settlements) > 0):
		return fmt.Errorf("%w: its book holds a balance of %d in %v: settle it before the account is in %v, or use another account id",
			ErrAsset, f.balance, b.asset, asset)
	}
	if err := b.recount(asset); err != nil {
		return err
	}
	b.asset = asset
	b.record(b.touch(), record{key: accountKey(assetPrefix, b.account), value: assetValue(asset)})
	return nil
}

// ended reports whether the book is closed and all of it is durable, now that
// epoch is.
func (b *book) ended(epoch uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.opened && !b.paying && b.figures.in|b.figures.out == 0 && b.listed <= epoch
}

// opening is what somebody who has opened a book holds: closing it a second
// time must not close it for whoever has opened it again.
type opening struct {
	*book
	once sync.Once
}

var _ Immediate = (*opening)(nil)

// Close ends the use of the book.
func (o *opening) Close() { o.once.Do(o.book.close) }

func (b *book) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened, b.settles = false, false
	b.stopPaying()
	b.touch() // so that it is written without reservations, and then forgotten
}

// touch prepares for a change of the figures, and gives the epoch it belongs
// to. The caller holds mu, and changes them right away.
func (b *book) touch() uint64 {
	epoch := b.l.epoch.Load()
	if b.listed != epoch {
		epoch = b.l.changed(b)
		b.listed = epoch
	}
	if b.epoch != epoch {
		b.frozen, b.epoch = b.figures, epoch
	}
	return epoch
}

// Immediate says that Reserve never gives ErrPending.
func (b *book) Immediate() {}

// Reserve makes room for a packet. It never waits.
func (b *book) Reserve(_ context.Context, side Side, amount uint64, _ Waiter) error {
	if b.l.unwell.Load() || b.l.closed.Load() {
		return ErrUnavailable
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.opened {
		return ErrUnavailable
	}
	f, ok := b.figures, false
	if side == Incoming {
		f, ok = f.addIn(amount, b.terms.maximum)
	} else {
		f, ok = f.addOut(amount, b.terms.minimum)
	}
	if !ok {
		return ErrLimit
	}
	b.figures = f
	return nil
}

// Release gives a reservation back.
func (b *book) Release(side Side, amount uint64) {
	if !b.release(side, amount) {
		b.misused(side, amount)
	}
}

func (b *book) release(side Side, amount uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if amount > b.figures.reserved(side) {
		return false
	}
	after := b.figures.release(side, amount)
	due := b.due && side == Incoming // there is more room for a settlement now
	// A book that has come to rest says so in the store if it says otherwise
	// there, so that after a crash no packets are in doubt that had long ended.
	rests := after.in|after.out == 0 && b.stored.in|b.stored.out != 0
	if !due && !rests {
		b.figures = after
		return true
	}
	epoch := b.touch()
	b.figures = after
	if due {
		b.settle(epoch)
	}
	return true
}

// misused tells that a caller has ended a reservation that it does not have.
// The balance stays as it is.
func (b *book) misused(side Side, amount uint64) {
	b.l.options.Logger.Error("a reservation was ended twice", slog.String("account", b.account),
		slog.String("side", side.String()), slog.Uint64("amount", amount))
}

// Post turns a reservation into balance.
func (b *book) Post(_ context.Context, side Side, amount uint64, w Waiter) error {
	err := b.post(side, amount, w)
	if err == ErrNotReserved {
		b.misused(side, amount)
	}
	return err
}

func (b *book) post(side Side, amount uint64, w Waiter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.l.closed.Load() {
		return ErrClosed
	}
	if amount > b.figures.reserved(side) {
		return ErrNotReserved
	}
	epoch := b.touch()
	b.figures = b.figures.post(side, amount)
	if side == Outgoing || b.due {
		b.settle(epoch)
	}
	if b.l.volatile {
		return nil
	}
	if w != nil {
		b.waiters[epoch&1] = append(b.waiters[epoch&1], w)
	}
	return ErrPending
}

// record adds a record to the batch of epoch. The caller holds mu.
func (b *book) record(epoch uint64, r record) {
	b.records[epoch&1] = append(b.records[epoch&1], r)
}

// tell tells w when the batch of epoch is durable. The caller holds mu.
func (b *book) tell(epoch uint64, w waiting) {
	if b.l.volatile {
		w <- nil
		return
	}
	b.waiters[epoch&1] = append(b.waiters[epoch&1], w)
}

// waiting is a Waiter that somebody waits for.
type waiting chan error

func newWaiting() waiting { return make(waiting, 1) }

func (w waiting) Done(_ context.Context, err error) { w <- err }

// wait gives what w was told, or the error of ctx if that ends first.
func (w waiting) wait(ctx context.Context) error {
	select {
	case err := <-w:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-w: // both: the answer is worth more
		return err
	default:
		return ctx.Err()
	}
}

// State gives the figures of now.
func (b *book) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{
		Account: b.account, Balance: b.figures.balance, Remainder: b.figures.remainder,
		ReservedIn: b.figures.in, ReservedOut: b.figures.out,
		InDoubtIn: b.inDoubt.in, InDoubtOut: b.inDoubt.out,
	}
	for _, made := range b.settlements {
		s.Settlements = append(s.Settlements, made.Settlement)
	}
	return s
}

// take gives what of the book belongs into the batch of epoch, appended to
// what the other books have.
func (b *book) take(epoch uint64, batch *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.figures
	if b.epoch != epoch { // changed again since the cut
		f = b.frozen
	}
	b.stored = f
	batch.buffer = bookRecord(batch.buffer[:0], f)
	batch.Put(b.key, batch.buffer)
	slot := epoch & 1
	for _, r := range b.records[slot] {
		batch.add(r)
	}
	batch.waiters = append(batch.waiters, b.waiters[slot]...)
	clear(b.records[slot])
	clear(b.waiters[slot])
	b.records[slot], b.waiters[slot] = b.records[slot][:0], b.waiters[slot][:0]
	if !b.opened || len(b.settlements) > 0 {
		batch.attend = append(batch.attend, b)
	}
}

// finish prepares for the last batch: the ledger is closed, and whoever had
// not seen it has ended when mu is free. What the store has of the book and is
// not so goes into the batch.
func (b *book) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.figures != b.stored {
		b.touch()
	}
}
