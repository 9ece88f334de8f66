package plugintest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// witness is the handler of the plugins under test. It notes whatever the
// contract never allows.
type witness struct {
	Recorder

	// take answers a prepare instead of the Recorder. Set before Open.
	take func(ctx context.Context, p *ilp.Prepare, r plugin.Responder)
	// book books a settlement instead of the Recorder's Book. Set before Open.
	book func(ctx context.Context, m plugin.Money) error
	// onState is called with each state. Set before Open.
	onState func(connected bool)

	closed  atomic.Bool  // Close has returned
	telling atomic.Int32 // calls of HandleState under way

	mu        sync.Mutex
	connected bool
	kept      []keptPrepare
	faults    []error
}

// keptPrepare is a prepare as it was received and a copy of what it pointed
// to then.
type keptPrepare struct{ alias, copied ilp.Prepare }

func (w *witness) HandlePrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	w.notClosed("HandlePrepare")
	w.mu.Lock()
	w.kept = append(w.kept, keptPrepare{alias: *p, copied: p.Clone()})
	w.mu.Unlock()
	if w.take != nil {
		w.take(ctx, p, r)
		return
	}
	w.Recorder.HandlePrepare(ctx, p, r)
}

func (w *witness) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	w.fault("HandleMalformed was called with %q: the suite sends nothing malformed", err)
	w.Recorder.HandleMalformed(ctx, err, r)
}

func (w *witness) HandleMoney(ctx context.Context, m plugin.Money) error {
	w.notClosed("HandleMoney")
	if err := w.Recorder.HandleMoney(ctx, m); err != nil || w.book == nil {
		return err
	}
	return w.book(ctx, m)
}

func (w *witness) HandleState(connected bool, err error) {
	w.notClosed("HandleState")
	if w.telling.Add(1) > 1 {
		w.fault("HandleState(%t) began while another call of it was under way: the calls of one plugin are in order", connected)
	}
	w.mu.Lock()
	again := connected == w.connected
	w.connected = connected
	w.mu.Unlock()
	if again {
		w.fault("HandleState(%t) told of no change: the link was that already", connected)
	}
	w.Recorder.HandleState(connected, err)
	if w.onState != nil {
		w.onState(connected)
	}
	w.telling.Add(-1)
}

func (w *witness) notClosed(method string) {
	if w.closed.Load() {
		w.fault("%s was called after Close had returned: no call into the handler begins then", method)
	}
}

// up reports what the last call of HandleState has said.
func (w *witness) up() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connected
}

const maxFaults = 5 // of one kind are enough

func (w *witness) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < maxFaults {
		w.faults = append(w.faults, fmt.Errorf(format, args...))
	}
}

// verdict gives all faults, when nothing is called any more.
func (w *witness) verdict() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	faults := w.faults
	for i := range w.kept {
		if err := comparePrepare(&w.kept[i].alias, &w.kept[i].copied); err != nil {
			faults = append(faults, fmt.Errorf("prepare %d of %d was overwritten after it had been received: %w", i+1, len(w.kept), err))
			break
		}
	}
	return errors.Join(faults...)
}
