package middlewaretest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// limit is how long a stage may hold a packet, and caseLimit how long a case
// may take. Only a middleware that fails a case ever spends them.
const (
	limit     = 10 * time.Second
	caseLimit = 30 * time.Second
)

// subject is the middleware under test in one case.
type subject struct {
	t        testing.TB // for logs; the verdict is the caller's
	opts     Options
	m        middleware.Middleware
	host     *Host
	accounts []*account.Account
	chains   []*Chain // all that were attached
	findings findings
}

// newSubject makes a fresh middleware and a host with an address and a ledger.
func newSubject(t testing.TB, opts Options) (*subject, error) {
	s := &subject{t: t, opts: opts, host: new(Host), accounts: opts.Accounts}
	if len(s.accounts) == 0 {
		asset := ilp.Asset{Code: "USD", Scale: 9}
		s.accounts = []*account.Account{
			{ID: "child", Relation: account.Child, Asset: asset},
			{ID: "peer", Relation: account.Peer, Asset: asset},
			{ID: "parent", Relation: account.Parent, Asset: asset},
		}
	}
	if s.m = opts.New(); s.m == nil {
		return nil, errors.New("Options.New gave nil")
	}
	s.host.SetAddress(ilp.MustParseAddress("test.middlewaretest"))
	s.host.SetBooks(MemoryBooks())
	return s, nil
}

// attach makes the chain that the middleware under test is alone, with a
// probe around each of its stages.
func (s *subject) attach(a *account.Account) (*Chain, error) {
	return s.attachTo(a, probed{s.m, &s.findings})
}

func (s *subject) attachTo(a *account.Account, m middleware.Middleware) (c *Chain, err error) {
	err = guard(fmt.Sprintf("Attach of account %q", a.ID), func() error {
		c, err = Attach(s.host, a, m)
		return err
	})
	if err == nil {
		s.chains = append(s.chains, c)
	}
	return c, err
}

// close closes the chains that the case has left open. How they take it is
// for the case Close to say.
func (s *subject) close() {
	for _, c := range s.chains {
		_ = guard("Close", func() error { c.Close(); return nil })
	}
}

// attachAll makes a chain for each account.
func (s *subject) attachAll() ([]*Chain, error) {
	chains := make([]*Chain, 0, len(s.accounts))
	for _, a := range s.accounts {
		c, err := s.attach(a)
		if err != nil {
			return nil, err
		}
		chains = append(chains, c)
	}
	return chains, nil
}

// each calls f for each account and direction.
func (s *subject) each(f func(c *Chain, d Direction) error) error {
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	for _, c := range chains {
		for _, d := range []Direction{Incoming, Outgoing} {
			if err := f(c, d); err != nil {
				return fmt.Errorf("account %q, %s: %w", c.account.ID, d, err)
			}
		}
	}
	return nil
}

// preimage fulfills the n-th packet.
func preimage(n int) (f ilp.Fulfillment) {
	copy(f[:], "middlewaretest")
	binary.BigEndian.PutUint64(f[len(f)-8:], uint64(n))
	return f
}

// packet makes the n-th packet in a direction.
func (s *subject) packet(d Direction, n int) ilp.Prepare {
	p := ilp.Prepare{
		Amount:      100,
		ExpiresAt:   s.host.Now().Add(30 * time.Second),
		Destination: ilp.MustParseAddress("test.middlewaretest.receiver"),
		Data:        fmt.Appendf(nil, "packet %d", n),
	}
	if s.opts.Prepare != nil {
		p = s.opts.Prepare(d, n)
	}
	p.Condition = preimage(n).Condition()
	return p
}

// send sends p, which may be refused, and gives the outcome.
func (s *subject) send(c *Chain, d Direction, p ilp.Prepare, reply ilp.Reply) (Outcome, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, errLimit)
	defer cancel()
	out, err := c.Send(ctx, d, p, reply)
	return out, s.answered(out, err)
}

// refuse sends p, which is answered by the connector further in.
func (s *subject) refuse(c *Chain, d Direction, p ilp.Prepare, reject *ilp.Reject) (Outcome, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, errLimit)
	defer cancel()
	out, err := c.Refuse(ctx, d, p, reject)
	if err := s.answered(out, err); err != nil {
		return out, err
	}
	return out, passed(p, out)
}

var errLimit = fmt.Errorf("no answer in %v: a hook that gives Held has taken a Hold, which must be used", limit)

func (s *subject) answered(out Outcome, err error) error {
	switch {
	case err != nil:
		return err
	case out.Reply == nil:
		return errors.New("a packet has no answer")
	}
	return s.findings.err()
}

// pass sends the n-th packet, which must pass, and gives the outcome.
func (s *subject) pass(c *Chain, d Direction, n int, reply ilp.Reply) (Outcome, error) {
	p := s.packet(d, n)
	out, err := s.send(c, d, p, reply)
	if err != nil {
		return out, err
	}
	return out, passed(p, out)
}

// fulfilled sends the n-th packet, which must pass and be fulfilled.
func (s *subject) fulfilled(c *Chain, d Direction, n int) error {
	out, err := s.pass(c, d, n, &ilp.Fulfill{Fulfillment: preimage(n)})
	if err != nil {
		return err
	}
	return unchanged(&ilp.Fulfill{Fulfillment: preimage(n)}, out.Reply)
}

// passed says that p was not let pass, if so.
func passed(p ilp.Prepare, out Outcome) error {
	if out.Sent != nil {
		return nil
	}
	return fmt.Errorf("a packet of %d to %s was answered %s, want it let pass", p.Amount, p.Destination, describe(out.Reply))
}

// unchanged says in what the answer to a packet differs from what the next
// hop gave (ILP4-22, ILP4-53, ILP4-55). Messages are for humans, and may.
func unchanged(want, got ilp.Reply) error {
	same, sameData := false, false
	switch want := want.(type) {
	case *ilp.Fulfill:
		if f, ok := got.(*ilp.Fulfill); ok {
			same, sameData = f.Fulfillment == want.Fulfillment, bytes.Equal(f.Data, want.Data)
		}
	case *ilp.Reject:
		if r, ok := got.(*ilp.Reject); ok {
			same, sameData = r.Code == want.Code && r.TriggeredBy == want.TriggeredBy, bytes.Equal(r.Data, want.Data)
		}
	}
	switch {
	case !same:
		return fmt.Errorf("the next hop answered %s, and the answer became %s", describe(want), describe(got))
	case !sameData:
		return fmt.Errorf("the next hop answered %s, and the answer became %s: the data is another", describe(want), describe(got))
	}
	return nil
}

// describe names a reply in a failure.
func describe(reply ilp.Reply) string {
	switch r := reply.(type) {
	case *ilp.Fulfill:
		return fmt.Sprintf("fulfill %x with %d bytes of data", r.Fulfillment, len(r.Data))
	case *ilp.Reject:
		return fmt.Sprintf("reject %.64q with %d bytes of data", r.Error(), len(r.Data))
	}
	return "nothing"
}

// guard calls f and makes an error of its panic.
func guard(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s panicked: %v", what, v)
		}
	}()
	return f()
}

// findings are what the probes have found. They are safe for concurrent use.
type findings struct {
	mu    sync.Mutex
	first error // that a hook gave reason for
	money bool  // there is a wrapper of money; set by Attach, and read after it
}

func (f *findings) report(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		f.first = fmt.Errorf(format, args...)
	}
}

func (f *findings) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}
