// Package plugintest proves that a link keeps the contract of package plugin.
//
// Whoever writes a plugin calls [Run] from a test of its own:
//
//	func TestConformance(t *testing.T) {
//		plugintest.Run(t, plugintest.Options{
//			New: func(t testing.TB) (first, second plugin.Plugin, stop func()) {
//				broker := startBroker(t)
//				return mylink.New(broker, "a"), mylink.New(broker, "b"), broker.Stop
//			},
//			Symmetric: true,
//		})
//	}
//
// The suite needs both ends of the link: it opens one with a handler of its
// own, sends into the other, and compares. The same cases run over every
// transport, over real sockets as well as inside a bubble of testing/synctest.
//
// Each case is a subtest on a pair of plugins of its own, and fails with a
// sentence that says what the contract asks. Whatever a case is about, it also
// watches what holds always: each packet is answered once, and by the time
// Close returns; the handler is not called after that; changes of state come
// in order; what was received is not overwritten; no goroutine stays behind.
//
// [Bench] measures a link by the same options. [Recorder] is a handler for the
// tests of everything that needs one: with one end of inproc.Pipe it makes a
// counterparty. [Bank] is a settlement system that fails as it is told to, and
// knows what it has really paid; [Settler] is a link that settles through one.
package plugintest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/plugin"
)

// Options describe the plugins under test.
type Options struct {
	// New returns two plugins that are each other's counterparty, neither of
	// them open, and a function that releases what they stand on (a server, a
	// broker) once both are closed, or nil. It is called once for each case,
	// and starts what it starts from the goroutine that calls it. Where one
	// plugin listens for the other, it is the first: the suite opens it first,
	// but for the cases that are about this. Required.
	New func(t testing.TB) (first, second plugin.Plugin, stop func())

	// Symmetric says that the two plugins are of one kind. Otherwise the cases
	// run twice: with the first plugin at the near end, then with the second.
	Symmetric bool

	// Connectionless says that the plugins do not know whether a counterparty
	// is there before they send: they are connected from Open to Close.
	Connectionless bool

	// Money says that the plugins settle: each is a plugin.MoneySender, and
	// what one sends is given to the handler of the other.
	Money bool

	// MaxInFlight is how many unanswered packets each plugin takes before it
	// answers ErrBusy. 0 stands for thousands.
	MaxInFlight int

	// Bubble runs each case in a bubble of testing/synctest, in which time is
	// not spent. It is for plugins that wait for nothing outside of it: no
	// sockets.
	Bubble bool

	// Timeout is how long anything may take that must not wait, connecting
	// included. Only a plugin that fails a case spends it. 0 means 30 seconds.
	Timeout time.Duration

	swapped bool // the second plugin is at the near end
}

const defaultTimeout = 30 * time.Second

// Run tests a pair of plugins.
func Run(t *testing.T, opts Options) {
	t.Helper()
	if opts.New == nil {
		t.Fatal("plugintest: Options.New is nil: want a function that returns the plugins under test")
	}
	if opts.Symmetric {
		run(t, opts)
		return
	}
	t.Run("First", func(t *testing.T) { run(t, opts) })
	t.Run("Second", func(t *testing.T) { run(t, opts.swap()) })
}

func run(t *testing.T, opts Options) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			if c.needs != nil {
				if reason := c.needs(opts); reason != "" {
					t.Skip(reason)
				}
			}
			if opts.Bubble {
				synctest.Test(t, func(t *testing.T) { judge(t, c, opts) })
				return
			}
			judge(t, c, opts)
		})
	}
}

func judge(t *testing.T, c conformanceCase, opts Options) {
	t.Helper()
	if err := c.run(t, opts); err != nil {
		t.Errorf("%v\nThe contract: %s", err, c.contract)
	}
}
