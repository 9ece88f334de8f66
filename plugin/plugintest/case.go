package plugintest

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"testing"
)

// A conformanceCase is one thing that the contract asks.
type conformanceCase struct {
	name string
	// contract says what is asked, for whoever reads the failure.
	contract string
	// check returns what is wrong with the plugins of p, which are not open
	// yet. It leaves the verdict to the caller, so that the suite itself can
	// be tested.
	check func(p *pair) error
	// needs says why there is nothing to check; nil or "": there is.
	needs func(opts Options) string
	// rounds is how often the case runs, each time on a new pair, because it
	// looks for a race; 0 means once.
	rounds int
}

// run returns what is wrong with the plugins that opts describe.
func (c conformanceCase) run(t testing.TB, opts Options) error {
	for range max(c.rounds, 1) {
		if err := c.once(t, opts); err != nil {
			return err
		}
	}
	return nil
}

// once runs the case on a new pair. All goroutines that come of it carry a
// label, by which those that stay are found.
func (c conformanceCase) once(t testing.TB, opts Options) error {
	var p *pair
	var fault error
	label := fmt.Sprintf("%s %p", t.Name(), &p)
	pprof.Do(context.Background(), pprof.Labels(goroutineLabel, label), func(context.Context) {
		p = newPair(t, opts)
		fault = c.check(p)
		fault = errors.Join(fault, p.end())
	})
	return errors.Join(fault, awaitGoroutines(label, p.timeout), p.verdict())
}

func cases() []conformanceCase {
	return []conformanceCase{
		{name: "Prepare", check: checkPrepare,
			contract: "A prepare arrives as it was sent: a link verifies nothing that is the connector's business."},
		{name: "Forwarded", check: checkForwarded,
			contract: "A prepare that was received is sent on as the very bytes it came in, but for its amount and expiry (ILP4-21)."},
		{name: "Fulfill", check: checkFulfill,
			contract: "A fulfill comes back as it was given, whether or not it fits the condition (ILP4-22)."},
		{name: "Reject", check: checkReject,
			contract: "A reject comes back as it was given, with any code (ILP4-22, ILP4-55), and without its Cause."},
		{name: "AnswerLater", check: checkAnswerLater,
			contract: "A responder takes the answer during the call, later, and from any goroutine."},
		{name: "OutOfOrder", check: checkOutOfOrder,
			contract: "Answers come in any order, and each one reaches the packet that it is for."},
		{name: "Concurrent", check: checkConcurrent,
			contract: "All methods may be called concurrently, and each packet gets its own answer."},
		{name: "Unanswered", check: checkUnanswered,
			contract: "SendPrepare returns at once and waits for no answer, and a packet without one keeps no other waiting."},
		{name: "Nested", check: checkNested,
			contract: "The handler may use the plugin while it is called: a plugin holds no lock then."},
		{name: "Burst", check: checkBurst,
			contract: "The frames of a burst have left when its Flush returns, and without a burst a frame leaves at once."},
		{name: "ContextIsNoDeadline", check: checkContext,
			contract: "The context of SendPrepare carries values and is no deadline: a packet under one that has ended is sent and answered."},
		{name: "CallerReuses", check: checkCallerReuses,
			contract: "The struct given to SendPrepare or to Responder.Reply is the caller's again when the call returns: copy it to keep it."},
		{name: "BytesStay", check: checkBytesStay,
			contract: "Bytes that a packet was decoded from are never written again: read into fresh memory, not into a pool."},
		{name: "Fail", check: checkFail,
			contract: "When the counterparty has no reply, the outcome is a reject or an error: no fulfill, and not ErrNotSent, for it did get the packet."},
		{name: "AnsweredTwice", check: checkAnsweredTwice,
			contract: "A second answer to a packet changes nothing, neither for it nor for a later one."},

		{name: "Open", check: checkOpen,
			contract: "The context of Open bounds the call alone, and Open does not wait for the counterparty, whichever side is opened first."},
		{name: "OpenTwice", check: checkOpenTwice,
			contract: "Open is called once: a second call is an error and changes nothing."},
		{name: "State", check: checkState,
			contract: "HandleState is told of every change between connected and not, and Connected agrees with it."},
		{name: "StateOrder", check: checkStateOrder, rounds: 20,
			contract: "The calls of HandleState are in order, one at a time, and the last one says that the link is down."},
		{name: "Absent", check: checkAbsent,
			contract: "A packet for a counterparty that is not there fails with ErrNotSent, or is answered later with an error, by Close at the latest."},
		{name: "Gone", check: checkGone,
			contract: "A packet for a counterparty that is gone fails with ErrNotSent, or is answered later with an error, by Close at the latest."},
		{name: "GoneUnanswered", check: checkGoneUnanswered,
			contract: "A packet whose counterparty went before it answered has an unknown outcome: it is answered, by Close at the latest, and not with ErrNotSent."},
		{name: "Close", check: checkClose,
			contract: "Close answers every outstanding responder with an error before it returns. The packets may have been delivered: not with ErrNotSent."},
		{name: "CloseTwice", check: checkCloseTwice,
			contract: "Close is idempotent, and every call of it returns only when the link has ended."},
		{name: "CloseUnopened", check: checkCloseUnopened,
			contract: "A plugin that was never opened can be closed."},
		{name: "AfterClose", check: checkAfterClose,
			contract: "After Close, calls fail with net.ErrClosed, and what was to be sent with ErrNotSent as well."},
		{name: "CloseWhileReceiving", check: checkCloseWhileReceiving, rounds: 10,
			contract: "No call into the handler begins after Close returned."},
		{name: "CloseWhileSending", check: checkCloseWhileSending, rounds: 10,
			contract: "A packet sent while Close runs is answered once, as any other."},

		{name: "Money", check: checkMoney, needs: needsMoney,
			contract: "SendMoney returns when the counterparty's handler has booked the settlement, with its amount and key."},
		{name: "MoneyRefused", check: checkMoneyRefused, needs: needsMoney,
			contract: "A settlement that the handler has not booked is not paid: SendMoney says so, or the plugin asks again until it is booked."},
		{name: "MoneyAgain", check: checkMoneyAgain, needs: needsMoney,
			contract: "A settlement that is sent again under its key, even by several at once, is the same settlement: it is paid, and nothing else is."},
		{name: "MoneyHeld", check: checkMoneyHeld, needs: needsMoney,
			contract: "SendMoney blocks up to its context. Then a settlement that the counterparty has been told of has an unknown outcome: it is not paid, and not ErrNotSent either."},
		{name: "MoneyUnsent", check: checkMoneyUnsent, needs: needsMoney,
			contract: "SendMoney fails, and nothing is booked, when the counterparty is not there or the plugin is closed."},
	}
}

func needsMoney(opts Options) string {
	if !opts.Money {
		return "Options.Money is false: the plugins do not settle"
	}
	return ""
}
