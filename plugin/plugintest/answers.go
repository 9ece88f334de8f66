package plugintest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// answers takes the answers to what one end has sent. The token of a packet
// is its place in the list.
type answers struct {
	mu     sync.Mutex
	list   []*answer
	faults []error
}

// answer is what came back for one packet.
type answer struct {
	sent ilp.Prepare
	came chan struct{} // closed when the first answer has come

	times int // guarded by answers.mu

	// The first answer; constant once it has come.
	fulfill *ilp.Fulfill
	reject  *ilp.Reject
	err     error

	// Copies of what the reply pointed to when it came.
	copiedFulfill ilp.Fulfill
	copiedReject  ilp.Reject
}

var _ plugin.Replier = (*answers)(nil)

// expect makes the responder for a packet.
func (a *answers) expect(p ilp.Prepare) (*answer, plugin.Responder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	expected := &answer{sent: p, came: make(chan struct{})}
	a.list = append(a.list, expected)
	return expected, plugin.NewResponder(a, uint64(len(a.list)-1))
}

// Reply takes an answer.
func (a *answers) Reply(_ context.Context, token uint64, reply ilp.Reply, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if token >= uint64(len(a.list)) {
		a.fault("an answer came for a responder that nobody made")
		return
	}
	x := a.list[token]
	x.times++
	if x.times > 1 {
		return
	}
	switch r := reply.(type) {
	case *ilp.Fulfill:
		kept := *r // the struct is the plugin's again when this call returns
		x.fulfill, x.copiedFulfill = &kept, r.Clone()
	case *ilp.Reject:
		kept := *r
		x.reject, x.copiedReject = &kept, r.Clone()
	default:
		x.err = err
	}
	close(x.came)
}

// fault needs the lock.
func (a *answers) fault(format string, args ...any) {
	if len(a.faults) < maxFaults {
		a.faults = append(a.faults, fmt.Errorf(format, args...))
	}
}

// unanswered is the number of packets that have no answer.
func (a *answers) unanswered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, x := range a.list {
		if x.times == 0 {
			n++
		}
	}
	return n
}

// verdict gives all faults, when nothing can come any more.
func (a *answers) verdict() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, x := range a.list {
		switch x.times {
		case 0:
			a.fault("packet %d of %d was never answered: a responder is answered exactly once", i+1, len(a.list))
		case 1:
			if err := x.overwritten(); err != nil {
				a.fault("the reply to packet %d of %d was overwritten after it had been received: %w", i+1, len(a.list), err)
			}
		default:
			a.fault("packet %d of %d was answered %d times: a responder is answered exactly once", i+1, len(a.list), x.times)
		}
	}
	return errors.Join(a.faults...)
}

// overwritten says how the reply differs from what it was when it came.
func (x *answer) overwritten() error {
	if x.fulfill != nil {
		return compareFulfill(x.fulfill, &x.copiedFulfill)
	}
	if x.reject != nil {
		return compareReject(x.reject, &x.copiedReject)
	}
	return nil
}

// answered reports whether the answer has come.
func (x *answer) answered() bool {
	select {
	case <-x.came:
		return true
	default:
		return false
	}
}

// wantFulfill says how the answer, which has come, differs from f.
func (x *answer) wantFulfill(f *ilp.Fulfill) error {
	if x.fulfill == nil {
		return fmt.Errorf("%v came back, want a fulfill", x)
	}
	return compareFulfill(x.fulfill, f)
}

// wantReject says how the answer, which has come, differs from r.
func (x *answer) wantReject(r *ilp.Reject) error {
	if x.reject == nil {
		return fmt.Errorf("%v came back, want the reject %s", x, r.Code)
	}
	if x.reject.Cause != nil {
		return fmt.Errorf("the reject has the cause %q, which is for the node that made it alone", x.reject.Cause)
	}
	return compareReject(x.reject, r)
}

// wantError says what is wrong with the answer, which has come, to a packet
// that the counterparty may have got but did not reply to.
func (x *answer) wantError() error {
	switch {
	case x.err == nil:
		return fmt.Errorf("%v came back, want an error", x)
	case errors.Is(x.err, plugin.ErrNotSent):
		return fmt.Errorf("the error %q is ErrNotSent, but the counterparty has got the packet: it would be sent twice", x.err)
	}
	return nil
}

// String describes the answer for failures.
func (x *answer) String() string {
	switch {
	case !x.answered():
		return "no answer"
	case x.fulfill != nil:
		return fmt.Sprintf("a fulfill with %d bytes of data", len(x.fulfill.Data))
	case x.reject != nil:
		return fmt.Sprintf("the reject %q", x.reject)
	default:
		return fmt.Sprintf("the error %q", x.err)
	}
}
