package plugintest

import (
	"context"
	"errors"
	"sync"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

const (
	senders   = 4
	perSender = 250
)

// checkConcurrent has both ends send at once, from several goroutines each.
// Half of the packets are answered at once, half from goroutines that overtake
// one another.
func checkConcurrent(p *pair) error {
	var answering sync.WaitGroup
	for _, s := range p.order {
		s.witness.take = func(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
			n := number(prepare)
			want := newPrepare(n, 300)
			want.ExpiresAt = prepare.ExpiresAt
			if err := comparePrepare(prepare, &want); err != nil {
				s.witness.fault("prepare %d: %w", n, err)
			}
			if n%2 == 0 {
				respondHere(ctx, r, replyTo(n))
				return
			}
			answering.Go(func() { respondHere(context.Background(), r, replyTo(n)) })
		}
	}
	if err := p.connect(); err != nil {
		return err
	}
	defer answering.Wait()
	var sending sync.WaitGroup
	var faults [2][senders]error
	n := min(senders, p.window(senders))
	for at, s := range p.order {
		for i := range n {
			sending.Go(func() {
				faults[at][i] = s.sendMany(uint64(i*perSender), perSender, p.window(senders*perSender)/n)
			})
		}
	}
	if err := within(2*p.timeout, "SendPrepare among concurrent calls", sending.Wait); err != nil {
		return err
	}
	return errors.Join(append(faults[0][:], faults[1][:]...)...)
}

// sendMany sends n packets with the numbers from first on, at most window of
// them unanswered, and checks their answers.
func (s *side) sendMany(first uint64, n, window int) error {
	var sent []*answer
	for i := range n {
		if i >= window {
			if err := s.await(sent[i-window]); err != nil {
				return err
			}
		}
		prepare := newPrepare(first+uint64(i), 300)
		sent = append(sent, s.sendHere(context.Background(), &prepare))
	}
	if err := s.await(sent...); err != nil {
		return err
	}
	for _, a := range sent {
		if err := a.wantReply(); err != nil {
			return err
		}
	}
	return nil
}

// checkCloseWhileReceiving closes the near end while the far one sends.
func checkCloseWhileReceiving(p *pair) error {
	const enough = 20 // packets before Close, and after
	arrived := make(chan struct{}, senders*perSender)
	p.near.witness.take = func(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
		respondHere(ctx, r, replyTo(number(prepare)))
		arrived <- struct{}{}
	}
	if err := p.connect(); err != nil {
		return err
	}
	closed := make(chan struct{})
	var sending sync.WaitGroup
	for i := range senders {
		sending.Go(func() { p.far.sendUntil(closed, uint64(i*perSender), perSender-enough, enough) })
	}
	fault := p.near.awaitArrivals(arrived, enough)
	fault = errors.Join(fault, p.near.close())
	close(closed)
	return errors.Join(fault, within(p.timeout, p.far.name+": SendPrepare while the counterparty closes", sending.Wait))
}

// checkCloseWhileSending closes the near end while it sends.
func checkCloseWhileSending(p *pair) error {
	const enough = 20
	arrived := make(chan struct{}, senders*perSender)
	p.far.witness.take = func(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
		respondHere(ctx, r, replyTo(number(prepare)))
		arrived <- struct{}{}
	}
	if err := p.connect(); err != nil {
		return err
	}
	closed := make(chan struct{})
	var sending sync.WaitGroup
	for i := range senders {
		sending.Go(func() { p.near.sendUntil(closed, uint64(i*perSender), perSender-enough, enough) })
	}
	fault := p.far.awaitArrivals(arrived, enough)
	// Not p.near.close, which would count packets that are being sent now.
	fault = errors.Join(fault, within(p.timeout, p.near.name+": Close", func() { _ = p.near.plugin.Close() }))
	close(closed)
	fault = errors.Join(fault, within(p.timeout, p.near.name+": SendPrepare while Close runs", sending.Wait))
	return errors.Join(fault, p.near.close())
}

// sendUntil sends at most so many packets until ended is closed, and a few
// more after that.
func (s *side) sendUntil(ended <-chan struct{}, first uint64, most, more int) {
	send := func() {
		prepare := newPrepare(first, 300)
		_ = s.sendHere(context.Background(), &prepare) // answered, whatever the answer is
		first++
	}
	for range most {
		select {
		case <-ended:
		default:
			send()
		}
	}
	<-ended
	for range more {
		send()
	}
}

// awaitArrivals waits until n prepares have arrived at s.
func (s *side) awaitArrivals(arrived <-chan struct{}, n int) error {
	return within(s.timeout, s.name+": the arrival of prepares", func() {
		for range n {
			<-arrived
		}
	})
}
