package middlewaretest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// A conformanceCase is one thing that the contract asks.
type conformanceCase struct {
	name string
	// contract says what is asked, for whoever reads the failure.
	contract string
	// check returns what is wrong with the middleware. The verdict is left to
	// the caller, so that the suite itself can be tested.
	check func(s *subject) error
}

// run runs the case on a fresh middleware.
func (c conformanceCase) run(t testing.TB, opts Options) error {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done) // also if New ends the goroutine with t.Fatal
		err = guard("The middleware", func() error {
			s, err := newSubject(t, opts)
			if err != nil {
				return err
			}
			defer s.close()
			if err := c.check(s); err != nil {
				return err
			}
			return s.findings.err()
		})
	}()
	select {
	case <-done:
		return err
	case <-time.After(caseLimit):
		return fmt.Errorf("not done after %v: a hook or a wrapper blocks", caseLimit)
	}
}

// notApplicable says why a case has nothing to check.
type notApplicable string

func (reason notApplicable) Error() string { return string(reason) }

func cases() []conformanceCase {
	return []conformanceCase{
		{"Name", "Name is not empty and always the same.", checkName},
		{"Attach", "Attach gives stages for every account, also while the connector has no address yet.", checkAttach},
		{"Pass", "What passes is passed as it came: condition, destination and data are not a stage's to change (ILP4-21).", checkPass},
		{"Replies", "For every packet that Prepare let pass, Reply gives the reply to pass on, " +
			"whatever the amount and the reply; a hook never panics.", checkReplies},
		{"Relay", "What the next hop answered is relayed as received: a good fulfill stays one, with its data, " +
			"and a reject keeps its code, origin and data (ILP4-22, ILP4-31, ILP4-53, ILP4-55).", checkRelay},
		{"Refused", "A packet that was refused further in stays refused, for the same reason, and the next one passes.", checkRefused},
		{"Expired", "An answer that comes after the packet had expired may be counted and nothing else; it never makes a fulfill of the R00.", checkExpired},
		{"Concurrent", "Hooks are called concurrently for different packets.", checkConcurrent},
		{"Money", "A money wrapper calls the next one exactly once for each settlement, " +
			"with the same amount, fraction, key and context, and hands its error on.", checkMoney},
		{"Close", "Close ends the stages of one account, after its last packet; " +
			"those of the others go on, and the account may be added again.", checkClose},
		{"Run", "A Runner lets packets pass before, during and after Run, whatever its store does, " +
			"and returns soon after its context has ended, with nil or with that context's error.", checkRun},
		{"Ledger", "A LedgerObserver is told of any event of the ledger, concurrently; it does not block and never panics.", checkLedger},
		{"Allocations", "Hooks are called for each packet and allocate nothing (Options.MaxAllocs).", checkAllocations},
	}
}

func checkName(s *subject) error {
	name := s.m.Name()
	if name == "" {
		return errors.New("the name is empty")
	}
	if _, err := s.attachAll(); err != nil {
		return err
	}
	other := s.opts.New()
	for _, again := range []string{s.m.Name(), s.m.Name(), other.Name()} {
		if again != name {
			return fmt.Errorf("the name was %q and is now %q", name, again)
		}
	}
	return nil
}

func checkAttach(s *subject) error {
	address := s.host.Address()
	s.host.SetAddress(ilp.Address{})
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	for _, c := range chains {
		// While a child asks its parent for an address, nothing else is on the
		// way: a packet may be refused then.
		if _, err := s.send(c, Outgoing, s.packet(Outgoing, 0), &ilp.Fulfill{Fulfillment: preimage(0)}); err != nil {
			return fmt.Errorf("account %q, without an address: %w", c.account.ID, err)
		}
	}
	s.host.SetAddress(address)
	for _, c := range chains {
		for _, d := range []Direction{Incoming, Outgoing} {
			if _, err := s.pass(c, d, 1, &ilp.Fulfill{Fulfillment: preimage(1)}); err != nil {
				return fmt.Errorf("account %q, %s: %w", c.account.ID, d, err)
			}
		}
	}
	return nil
}

func checkPass(s *subject) error {
	return s.each(func(c *Chain, d Direction) error {
		for n := range 10 {
			p := s.packet(d, n)
			original := p.Clone()
			out, err := s.send(c, d, p, &ilp.Fulfill{Fulfillment: preimage(n)})
			if err != nil {
				return err
			}
			if err := passed(p, out); err != nil {
				return err
			}
			switch {
			case out.Sent.Condition != original.Condition:
				return fmt.Errorf("the condition was %s and is now %s", original.Condition, out.Sent.Condition)
			case out.Sent.Destination != original.Destination:
				return fmt.Errorf("the destination was %s and is now %s", original.Destination, out.Sent.Destination)
			case !bytes.Equal(out.Sent.Data, original.Data):
				return fmt.Errorf("the data was %x and is now %x", original.Data, out.Sent.Data)
			case !bytes.Equal(p.Data, original.Data):
				return errors.New("the bytes that the data points to were written over")
			}
		}
		return nil
	})
}

// answers are what a packet may be answered. Each makes a fresh answer to the
// n-th packet.
func answers() []func(n int) ilp.Reply {
	far := ilp.MustParseAddress("test.middlewaretest.far")
	fulfill := func(data string) func(n int) ilp.Reply {
		return func(n int) ilp.Reply { return &ilp.Fulfill{Fulfillment: preimage(n), Data: []byte(data)} }
	}
	reject := func(r ilp.Reject) func(n int) ilp.Reply {
		return func(int) ilp.Reply { fresh := r.Clone(); return &fresh }
	}
	largest := strings.Repeat("d", ilp.MaxDataLength)
	all := []func(n int) ilp.Reply{
		fulfill(""), fulfill("thanks"), fulfill(largest),
		reject(ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: far, Data: []byte(largest)}),
		reject(ilp.Reject{Code: ilp.T00InternalError, TriggeredBy: far, Message: strings.Repeat("\xff", ilp.MaxMessageLength)}),
		reject(ilp.Reject{Code: ilp.T04InsufficientLiquidity}), // names nobody, says nothing
	}
	// After the codes that the RFC names come some that it does not.
	for _, code := range append(ilp.Codes(), "F10", "T42", "R98", "X00", "f00", "abc", "~~~", "\x00\x00\x00") {
		all = append(all, reject(ilp.Reject{Code: code, TriggeredBy: far, Message: "no.", Data: []byte("why")}))
	}
	return all
}

func checkReplies(s *subject) error {
	amounts := []uint64{0, 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	return s.each(func(c *Chain, d Direction) error {
		n := 0
		for _, answer := range answers() {
			for _, amount := range amounts {
				p, reply := s.packet(d, n), answer(n)
				p.Amount = amount
				n++
				out, err := s.send(c, d, p, reply)
				if err != nil {
					return fmt.Errorf("amount %d, answered %s: %w", amount, describe(reply), err)
				}
				_, refused := reply.(*ilp.Reject)
				if _, fulfilled := out.Reply.(*ilp.Fulfill); fulfilled && (refused || out.Sent == nil) {
					return fmt.Errorf("amount %d: nobody has fulfilled the packet, and the answer is %s", amount, describe(out.Reply))
				}
			}
		}
		return nil
	})
}

func checkRelay(s *subject) error {
	return s.each(func(c *Chain, d Direction) error {
		for n, answer := range answers() {
			// Made twice: a stage must not write over what a reply points to.
			given, want := answer(n), answer(n)
			if r, ok := want.(*ilp.Reject); ok && r.TriggeredBy.IsZero() {
				continue // may be filled in
			}
			out, err := s.pass(c, d, n, given)
			if err != nil {
				return err
			}
			if err := unchanged(want, out.Reply); err != nil {
				return err
			}
		}
		return nil
	})
}

func checkRefused(s *subject) error {
	return s.each(func(c *Chain, d Direction) error {
		n := 0
		for _, code := range ilp.Codes() {
			reject := &ilp.Reject{Code: code, Message: "refused further in.", Data: []byte("data"), Cause: errors.New("a cause")}
			out, err := s.refuse(c, d, s.packet(d, n), reject)
			if err != nil {
				return err
			}
			r, ok := out.Reply.(*ilp.Reject)
			if !ok || r.Code != code || string(r.Data) != "data" {
				return fmt.Errorf("the connector answered %s, and the answer became %s", describe(reject), describe(out.Reply))
			}
			if err := s.fulfilled(c, d, n+1); err != nil {
				return fmt.Errorf("after a packet that was refused: %w", err)
			}
			n += 2
		}
		return nil
	})
}

func checkExpired(s *subject) error {
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	for _, c := range chains {
		for n := range 3 {
			out, err := s.refuse(c, Outgoing, s.packet(Outgoing, n), &ilp.Reject{Code: ilp.R00TransferTimedOut, Message: "packet expired."})
			if err != nil {
				return fmt.Errorf("account %q: %w", c.account.ID, err)
			}
			if _, ok := out.Reply.(*ilp.Fulfill); ok {
				return fmt.Errorf("account %q: an expired packet was answered %s", c.account.ID, describe(out.Reply))
			}
			for _, answer := range answers() {
				out.Late(answer(n))
			}
			if err := s.findings.err(); err != nil {
				return fmt.Errorf("account %q: %w", c.account.ID, err)
			}
		}
		if err := s.fulfilled(c, Outgoing, 3); err != nil {
			return fmt.Errorf("account %q: after packets that expired: %w", c.account.ID, err)
		}
	}
	return nil
}

func checkClose(s *subject) error {
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	n := 0
	useAll := func(chains []*Chain) error {
		for _, c := range chains {
			for _, d := range []Direction{Incoming, Outgoing} {
				if err := s.fulfilled(c, d, n); err != nil {
					return fmt.Errorf("account %q, %s: %w", c.account.ID, d, err)
				}
				n++
			}
		}
		return nil
	}
	if err := useAll(chains); err != nil {
		return err
	}
	for i, c := range chains {
		if err := guard("Close", func() error { c.Close(); return nil }); err != nil {
			return err
		}
		if err := useAll(chains[i+1:]); err != nil {
			return fmt.Errorf("after account %q was closed: %w", c.account.ID, err)
		}
	}
	again, err := s.attach(s.accounts[0])
	if err != nil {
		return fmt.Errorf("added again: %w", err)
	}
	if err := useAll([]*Chain{again}); err != nil {
		return fmt.Errorf("added again: %w", err)
	}
	return guard("Close", func() error { again.Close(); return nil })
}
