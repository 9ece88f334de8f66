package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// committer writes one batch after the other. It belongs to the goroutine of
// Run.
type committer struct {
	l       *Local
	batch   batch
	changed []*book
	watch   *watch

	payers   sync.WaitGroup
	stopping bool // no payers are started any more

	// Waiters are told by another goroutine, while the next batch is being
	// written; the two lists change hands through these channels.
	tell, told chan []Waiter
	teller     sync.WaitGroup
}

// batch is what is written together, and who is concerned by it.
type batch struct {
	store.Batch
	waiters []Waiter
	attend  []*book // closed, or with settlements to pay
	buffer  []byte
}

func (b *batch) add(r record) {
	if r.delete {
		b.Delete(r.key)
	} else {
		b.Put(r.key, r.value)
	}
}

func newCommitter(l *Local, giveUp func()) *committer {
	c := &committer{l: l, tell: make(chan []Waiter), told: make(chan []Waiter, 2)}
	c.told <- nil
	c.told <- nil
	c.watch = newWatch(l.options, c.isSlow, giveUp)
	c.teller.Go(c.tellAll)
	return c
}

// tellAll tells waiters that their postings are durable.
func (c *committer) tellAll() {
	burst := plugin.NewBurst(context.Background())
	for waiters := range c.tell {
		for i, w := range waiters {
			w.Done(burst.Context(), nil)
			waiters[i] = nil
		}
		burst.Flush()
		c.told <- waiters[:0]
	}
}

// run commits until stop is closed, or until nothing can be made durable ever
// again. What is written, and paid, is with ctx.
func (c *committer) run(ctx context.Context, stop <-chan struct{}) error {
	for {
		select {
		case <-c.l.work:
			if err := c.commit(ctx); err != nil {
				return err
			}
		case <-stop:
			return nil
		}
		if c.l.volatile { // nobody waits: once in a while will do
			select {
			case <-time.After(volatileInterval):
			case <-stop:
			}
		}
	}
}

// volatileInterval is the time between writes to a store that forgets.
const volatileInterval = 50 * time.Millisecond

// commit writes all that was changed until now, and returns when it is
// durable.
func (c *committer) commit(ctx context.Context) error {
	epoch := c.collect(<-c.told)
	if c.batch.Len() > 0 {
		began := time.Now()
		if err := c.write(ctx); err != nil {
			return err
		}
		c.l.commits.observe(&c.batch, time.Since(began))
	}
	c.tell <- c.batch.waiters
	c.batch.waiters = nil
	for _, b := range c.batch.attend {
		if !c.l.forget(b, epoch) && !c.stopping {
			c.startPaying(ctx, b, epoch)
		}
	}
	return nil
}

// collect fills the batch with the present epoch, and gives that. waiters is
// memory for those who wait for it.
func (c *committer) collect(waiters []Waiter) uint64 {
	epoch, changed := c.l.cut(c.changed)
	c.batch.Reset()
	clear(c.batch.attend)
	c.batch.attend = c.batch.attend[:0]
	c.batch.waiters = waiters
	for i, b := range changed {
		b.take(epoch, &c.batch)
		changed[i] = nil
	}
	c.changed = changed
	return epoch
}

// write writes the batch, again and again until it is in the store, since
// after a failure nobody knows whether it is. A batch holds figures, not
// changes of figures, so writing it twice does no harm.
func (c *committer) write(ctx context.Context) error {
	c.watch.beginBatch()
	defer c.watch.endBatch()
	for retry := minRetry; ; retry = min(2*retry, maxRetry) {
		c.watch.beginAttempt()
		err := c.l.store.Write(ctx, &c.batch.Batch)
		c.watch.endAttempt()
		if err == nil {
			c.recovered()
			return nil
		}
		c.l.commits.failures.Add(1)
		c.failing(err)
		if errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrInvalid) {
			return fmt.Errorf("ledger: the store takes nothing any more: %w", err)
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return fmt.Errorf("ledger: what was posted last may be lost: %w", err)
		}
	}
}

// isSlow is told by the watch that an attempt to write takes long.
func (c *committer) isSlow() {
	c.failing(fmt.Errorf("ledger: a write has taken %v", c.l.options.SlowAfter))
}

// failing says, once, that nothing can be made durable now.
func (c *committer) failing(err error) {
	if c.l.unwell.CompareAndSwap(false, true) {
		c.l.options.Logger.Error("the store fails: no packets are taken until it works again", slog.Any("error", err))
		c.l.event(Event{Kind: StoreFailing, Err: err})
	}
}

// recovered says that it can again, if it could not.
func (c *committer) recovered() {
	if c.l.unwell.CompareAndSwap(true, false) {
		c.l.options.Logger.Info("the store works again")
		c.l.event(Event{Kind: StoreRecovered})
	}
}

// startPaying pays the settlements of b that were made up to epoch, with a
// goroutine of its own, if nobody does.
func (c *committer) startPaying(ctx context.Context, b *book, epoch uint64) {
	if ctx, begin := b.pays(ctx, epoch); begin {
		c.payers.Go(func() { b.pay(ctx) })
	}
}

// stopPaying tells all payers to end, and returns a channel that is closed
// when they have.
func (c *committer) stopPaying() <-chan struct{} {
	c.stopping = true
	for _, b := range c.l.all() {
		b.mu.Lock()
		b.stopPaying()
		b.mu.Unlock()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.payers.Wait()
	}()
	return ended
}

// abandon tells those that still wait that it was in vain, and ends the
// teller. The ledger is closed, and everybody knows it: nobody begins to wait.
func (c *committer) abandon() {
	close(c.tell)
	c.teller.Wait()
	waiters := c.batch.waiters
	c.collect(nil)
	for _, w := range append(waiters, c.batch.waiters...) {
		w.Done(context.Background(), ErrClosed)
	}
}
