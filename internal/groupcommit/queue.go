package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/interledger-go/connector/store"
)

// A group is closed when it has this many changes or bytes, so that nobody
// waits for the batches of too many others. A batch that is larger by itself
// is a group of its own.
const (
	maxChanges = 10_000
	maxBytes   = 16 << 20
)

// Queue joins the batches of concurrent callers into groups and has them
// committed, one group after the other, in the order of the calls. It starts
// no goroutine that outlives a commit: the caller whose turn it is makes the
// commit for the others.
type Queue struct {
	commit func(ctx context.Context, group []*store.Batch) error
	// turn holds an element while somebody commits or holds up commits.
	turn chan struct{}

	mu      sync.Mutex
	waiting []*request // in the order of the calls
}

// request is a batch that waits for its commit.
type request struct {
	batch  *store.Batch
	left   <-chan struct{} // closed when the caller's context is done
	result chan error      // has room for the result
}

// NewQueue returns a queue whose groups are committed by commit, which is
// never called twice at a time. Either all batches of the group take effect,
// or none does; its error is given to all their callers. Its context is done
// when the contexts of all of them are, not before, and holds the values of
// one of them.
func NewQueue(commit func(ctx context.Context, group []*store.Batch) error) *Queue {
	return &Queue{commit: commit, turn: make(chan struct{}, 1)}
}

// Write has b committed and returns the result. b is read until then. If ctx
// is done before its commit begins, b is not written and the error says so;
// from then on the result is waited for.
func (q *Queue) Write(ctx context.Context, b *store.Batch) error {
	r := &request{batch: b, left: ctx.Done(), result: make(chan error, 1)}
	q.mu.Lock()
	q.waiting = append(q.waiting, r)
	q.mu.Unlock()
	for {
		select {
		case err := <-r.result:
			return withCause(ctx, err)
		case q.turn <- struct{}{}:
			q.commitNext(ctx)
			<-q.turn
		case <-ctx.Done():
			if q.withdraw(r) {
				return fmt.Errorf("%w: %w", store.ErrNotWritten, ctx.Err())
			}
			return withCause(ctx, <-r.result)
		}
	}
}

// Hold waits until no commit is under way, and holds up all others until
// release is called.
func (q *Queue) Hold(ctx context.Context) (release func(), err error) {
	select {
	case q.turn <- struct{}{}:
		return func() { <-q.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// commitNext commits the group whose turn it is, if anybody still waits. The
// caller has the turn.
func (q *Queue) commitNext(ctx context.Context) {
	group := q.take()
	if len(group) == 0 {
		return
	}
	batches := make([]*store.Batch, len(group))
	for i, r := range group {
		batches[i] = r.batch
	}
	// The caller's own context would end the commit of all the others too.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	watch.Go(func() {
		defer cancel()
		for _, r := range group {
			select {
			case <-r.left:
			case <-ctx.Done():
				return
			}
		}
	})
	err := q.commit(ctx, batches)
	cancel()
	watch.Wait()
	for _, r := range group {
		r.result <- err
	}
}

// take removes the next group from the queue.
func (q *Queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, changes, bytes := 0, 0, 0
	for _, r := range q.waiting {
		changes += r.batch.Len()
		for op := range r.batch.Ops() {
			bytes += len(op.Key) + len(op.Value)
		}
		if n > 0 && (changes > maxChanges || bytes > maxBytes) {
			break
		}
		n++
	}
	group := q.waiting[:n:n]
	// The rest moves, so that the memory of the group is not kept.
	q.waiting = append([]*request(nil), q.waiting[n:]...)
	return group
}

// withdraw removes r from the queue. It reports whether r was still there.
func (q *Queue) withdraw(r *request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, r)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// withCause adds the error of ctx to err, if ctx is done: the commit ended
// early on that account, but not by that context.
func withCause(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
