package middlewaretest

import (
	"fmt"
	"sync"

	"github.com/interledger-go/connector/ilp"
)

// The concurrent cases run as many goroutines at once, each of which sends
// its packets one after the other.
const (
	senders = 8
	perEach = 32
)

// atOnce calls f from all senders at once and gives the first error.
func atOnce(f func(sender int) error) error {
	var all sync.WaitGroup
	var found findings
	start := make(chan struct{})
	for sender := range senders {
		all.Go(func() {
			<-start
			if err := f(sender); err != nil {
				found.report("%w", err)
			}
		})
	}
	close(start)
	all.Wait()
	return found.err()
}

func checkConcurrent(s *subject) error {
	chains, err := s.attachAll()
	if err != nil {
		return err
	}
	return atOnce(func(sender int) error {
		for i := range perEach {
			n := sender*perEach + i
			var reply ilp.Reply = &ilp.Fulfill{Fulfillment: preimage(n)}
			if n%2 == 1 {
				reply = &ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.far")}
			}
			for _, c := range chains {
				for _, d := range []Direction{Incoming, Outgoing} {
					out, err := s.pass(c, d, n, reply)
					if err == nil {
						err = unchanged(reply, out.Reply)
					}
					if err != nil {
						return fmt.Errorf("account %q, %s: %w", c.account.ID, d, err)
					}
				}
			}
		}
		return nil
	})
}
