package plugintest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Recorder is a plugin.Handler for tests: it keeps what it is given, and
// answers as it is told. Its zero value leaves every prepare to the test,
// which finds it with [Recorder.Await] and answers by its Responder. The
// fields are set before the plugin is opened; all methods may be called
// concurrently.
type Recorder struct {
	// Answer gives the reply to a prepare at once. Where it is nil, or gives
	// nil, the prepare is left to the test.
	Answer func(p *ilp.Prepare) ilp.Reply

	// Book says what becomes of a settlement. nil books it.
	Book func(m plugin.Money) error

	mu        sync.Mutex
	prepares  []Received
	malformed []error
	money     []plugin.Money
	states    []State
	changed   chan struct{} // closed by the next call of the plugin; nil: nobody waits
}

var _ plugin.Handler = (*Recorder)(nil)

// Received is a prepare that came, and what answers it.
type Received struct {
	// Prepare is a copy of the struct; what it points to is the plugin's, and
	// does not change.
	Prepare   ilp.Prepare
	Responder plugin.Responder
}

// State is a change of the link.
type State struct {
	Connected bool
	Err       error // why it went down, where that is known
}

// HandlePrepare keeps p, and answers it if Answer does.
func (r *Recorder) HandlePrepare(ctx context.Context, p *ilp.Prepare, responder plugin.Responder) {
	r.record(func() { r.prepares = append(r.prepares, Received{Prepare: *p, Responder: responder}) })
	if r.Answer == nil {
		return
	}
	if reply := r.Answer(p); reply != nil {
		responder.Reply(ctx, reply)
	}
}

// HandleMalformed keeps err and answers F01.
func (r *Recorder) HandleMalformed(ctx context.Context, err error, responder plugin.Responder) {
	r.record(func() { r.malformed = append(r.malformed, err) })
	responder.Reply(ctx, ilp.Rejectf(ilp.F01InvalidPacket, "%v", err))
}

// HandleMoney keeps m, booked or not, and returns what Book does.
func (r *Recorder) HandleMoney(_ context.Context, m plugin.Money) error {
	r.record(func() { r.money = append(r.money, m) })
	if r.Book == nil {
		return nil
	}
	return r.Book(m)
}

// HandleState keeps the state.
func (r *Recorder) HandleState(connected bool, err error) {
	r.record(func() { r.states = append(r.states, State{connected, err}) })
}

// record makes a change and wakes all who wait for one.
func (r *Recorder) record(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// await waits until ok, which runs with the lock held, or until ctx ends.
func (r *Recorder) await(ctx context.Context, ok func() bool) error {
	for {
		r.mu.Lock()
		if ok() {
			r.mu.Unlock()
			return nil
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Await waits until n prepares have come since the beginning, and gives all
// that have, in order. The error is that of ctx, with how many there were.
func (r *Recorder) Await(ctx context.Context, n int) ([]Received, error) {
	err := r.await(ctx, func() bool { return len(r.prepares) >= n })
	prepares := r.Prepares()
	if err != nil {
		return prepares, fmt.Errorf("plugintest: %d of %d prepares have come: %w", len(prepares), n, err)
	}
	return prepares, nil
}

// AwaitState waits until the last change that the plugin told of is to
// connected. A link that was never up has told of none. The error is that of
// ctx.
func (r *Recorder) AwaitState(ctx context.Context, connected bool) error {
	err := r.await(ctx, func() bool {
		return len(r.states) > 0 && r.states[len(r.states)-1].Connected == connected
	})
	if err != nil {
		return fmt.Errorf("plugintest: HandleState(%t) has not come: %w", connected, err)
	}
	return nil
}

// Prepares gives what has come, in order. The slice is the caller's.
func (r *Recorder) Prepares() []Received { return read(r, &r.prepares) }

// Malformed gives the errors that HandleMalformed was given.
func (r *Recorder) Malformed() []error { return read(r, &r.malformed) }

// Money gives the settlements that HandleMoney was given, in order, booked or
// not.
func (r *Recorder) Money() []plugin.Money { return read(r, &r.money) }

// States gives the changes of the link, in order.
func (r *Recorder) States() []State { return read(r, &r.states) }

func read[T any](r *Recorder, list *[]T) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(*list)
}
