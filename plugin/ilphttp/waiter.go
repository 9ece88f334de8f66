package ilphttp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// waiter is where the goroutine of an HTTP request waits for the answer to
// its packet. It is used again for later requests: the token of a packet is
// the turn it was given out at, and whoever moves the turn on, the answer or
// the goroutine that gives up, has ended the wait. So an answer that comes
// later finds another turn and changes nothing.
type waiter struct {
	turn  atomic.Uint64
	token uint64        // the turn of the wait that is on
	done  chan struct{} // holds a token when the answer is in packet, or err is set
	timer *time.Timer

	packet []byte // the encoded reply; its memory is kept
	err    error  // why there is none
}

var _ plugin.Replier = (*waiter)(nil)

// waiters are those of one account that are not in use.
type waiters struct{ pool sync.Pool }

// get gives a waiter, and the responder that it waits for.
func (s *waiters) get() (*waiter, plugin.Responder) {
	w, ok := s.pool.Get().(*waiter)
	if !ok {
		w = &waiter{done: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
		w.timer.Stop()
	}
	w.token = w.turn.Load()
	return w, plugin.NewResponder(w, w.token)
}

// put takes w back when its wait is over.
func (s *waiters) put(w *waiter) {
	w.err = nil
	s.pool.Put(w)
}

// Reply takes the answer. It implements plugin.Replier.
func (w *waiter) Reply(_ context.Context, token uint64, reply ilp.Reply, err error) {
	if !w.turn.CompareAndSwap(token, token+1) {
		return
	}
	w.packet, w.err = encodeReply(w.packet[:0], reply, err)
	w.done <- struct{}{}
}

// await waits for the answer, until due. It reports false if there is none:
// because of the time, or because one of the channels was closed.
func (w *waiter) await(due time.Time, gone, closing <-chan struct{}) bool {
	select { // most links inside one program have answered by now
	case <-w.done:
		return true
	default:
	}
	w.timer.Reset(time.Until(due))
	defer w.timer.Stop()
	select {
	case <-w.done:
		return true
	case <-w.timer.C:
	case <-gone:
	case <-closing:
	}
	if w.abandon() {
		return false
	}
	<-w.done // it comes at this moment
	return true
}

// abandon ends the wait without an answer. It reports false if one has come.
func (w *waiter) abandon() bool {
	return w.turn.CompareAndSwap(w.token, w.token+1)
}

// encodeReply appends the packet that answers a Prepare, or says why there
// is none.
func encodeReply(dst []byte, reply ilp.Reply, err error) ([]byte, error) {
	if reply == nil {
		reject, ok := errors.AsType[*ilp.Reject](err)
		if !ok {
			return dst, err
		}
		reply = reject
	}
	return reply.AppendBinary(dst)
}
