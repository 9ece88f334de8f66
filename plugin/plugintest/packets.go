package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

func checkPrepare(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	for _, v := range prepareVariants() {
		_, got, err := p.roundTrip(&v.prepare, fulfillOf(1, 0))
		if err == nil {
			err = comparePrepare(&got.Prepare, &v.prepare)
		}
		if err != nil {
			return fmt.Errorf("a prepare with %s: %w", v.name, err)
		}
	}
	return nil
}

type prepareVariant struct {
	name    string
	prepare ilp.Prepare
}

// prepareVariants go to the limits of each field.
func prepareVariants() []prepareVariant {
	var variants []prepareVariant
	with := func(name string, change func(p *ilp.Prepare)) {
		p := newPrepare(uint64(len(variants)+1), 300)
		change(&p)
		variants = append(variants, prepareVariant{name, p})
	}
	for _, amount := range []uint64{0, 1, 1<<53 + 1, 1 << 63, math.MaxUint64} {
		with(fmt.Sprintf("amount %d", amount), func(p *ilp.Prepare) { p.Amount = amount })
	}
	for _, size := range []int{0, 1, 127, 128, 255, 256, 1024, ilp.MaxDataLength} {
		with(fmt.Sprintf("%d bytes of data", size), func(p *ilp.Prepare) { p.Data = newData(7, size)[:size] })
	}
	for _, address := range []ilp.Address{ilp.MustParseAddress("g.a"), ilp.MustParseAddress("peer.config"), longAddress()} {
		with(fmt.Sprintf("an address of %d characters", len(address.String())), func(p *ilp.Prepare) { p.Destination = address })
	}
	second := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, ms := range []int{0, 1, 10, 999} {
		with(fmt.Sprintf("an expiry with %d milliseconds", ms), func(p *ilp.Prepare) {
			p.ExpiresAt = second.Add(time.Duration(ms) * time.Millisecond)
		})
	}
	with("the latest expiry", func(p *ilp.Prepare) { p.ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC) })
	with("an expiry in another time zone", func(p *ilp.Prepare) { p.ExpiresAt = second.In(time.FixedZone("", -12*3600)) })
	with("the condition of peer protocols", func(p *ilp.Prepare) { p.Condition = ilp.PeerCondition })
	with("everything at its limit", func(p *ilp.Prepare) {
		p.Amount, p.Destination, p.Data = math.MaxUint64, longAddress(), newData(7, ilp.MaxDataLength)
	})
	return variants
}

func checkForwarded(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	received, err := newExtendedPrepare()
	if err != nil {
		return err
	}
	var prepare ilp.Prepare
	if err := prepare.Decode(received); err != nil {
		return err
	}
	prepare.Amount, prepare.ExpiresAt = 41, prepare.ExpiresAt.Add(-time.Second)
	want := bytes.Clone(received)
	if err := ilp.Rewrite(want, prepare.Amount, prepare.ExpiresAt); err != nil {
		return err
	}
	_, got, err := p.roundTrip(&prepare, fulfillOf(1, 0))
	if err != nil {
		return err
	}
	sent, err := got.Prepare.AppendBinary(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(sent, want) {
		return fmt.Errorf("%d bytes arrived, want these %d: %x… and what a later version of the protocol may add after the data", len(sent), len(want), want[:16])
	}
	return nil
}

// newExtendedPrepare gives the bytes of a prepare with something after its
// last field (OER-17).
func newExtendedPrepare() ([]byte, error) {
	p := newPrepare(1, 64)
	b, err := p.AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	const extension = "extension"
	// The contents have 128 to 255 bytes, before and after: the envelope is
	// a type, the two octets of a length, and they.
	b[2] += byte(len(extension))
	return append(b, extension...), nil
}

func checkFulfill(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	for i, size := range []int{0, 1, 127, 128, 255, 256, 1024, ilp.MaxDataLength} {
		prepare := newPrepare(uint64(i), 300)
		reply := &ilp.Fulfill{Fulfillment: fulfillment(uint64(i)), Data: newData(7, size)[:size]}
		if i%2 == 1 {
			reply.Fulfillment = ilp.Fulfillment{1: 1} // a wrong one
		}
		a, _, err := p.roundTrip(&prepare, reply)
		if err == nil {
			err = a.wantFulfill(reply)
		}
		if err != nil {
			return fmt.Errorf("a fulfill with %d bytes of data: %w", size, err)
		}
	}
	return nil
}

func checkReject(p *pair) error {
	if err := p.connect(); err != nil {
		return err
	}
	for i, reject := range rejectVariants() {
		prepare := newPrepare(uint64(i), 300)
		a, _, err := p.roundTrip(&prepare, reject)
		if err == nil {
			err = a.wantReject(reject)
		}
		if err != nil {
			return fmt.Errorf("the reject %s with %d bytes of message and %d of data: %w", reject.Code, len(reject.Message), len(reject.Data), err)
		}
	}
	return nil
}

// rejectVariants have every code and go to the limits of each field.
func rejectVariants() []*ilp.Reject {
	node := ilp.MustParseAddress("g.connie")
	var variants []*ilp.Reject
	for _, code := range append(ilp.Codes(), "F42", "X00", "t1~") {
		variants = append(variants, &ilp.Reject{Code: code, TriggeredBy: node, Message: code.Name()})
	}
	tooLarge, _ := ilp.AmountTooLarge{Received: math.MaxUint64, Maximum: 1000}.AppendBinary(nil) // its error is always nil
	return append(variants,
		&ilp.Reject{Code: ilp.F02Unreachable},
		&ilp.Reject{Code: ilp.F02Unreachable, TriggeredBy: longAddress()},
		&ilp.Reject{Code: ilp.F08AmountTooLarge, TriggeredBy: node, Data: tooLarge},
		&ilp.Reject{Code: ilp.T00InternalError, TriggeredBy: node, Cause: errors.New("local")},
		&ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: node, Message: "Grüße, 世界"},
		&ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: node, Message: "not UTF-8: \xff\x00"},
		&ilp.Reject{
			Code: ilp.F99ApplicationError, TriggeredBy: longAddress(),
			Message: strings.Repeat("m", ilp.MaxMessageLength), Data: newData(7, ilp.MaxDataLength),
		},
	)
}

func checkAnswerLater(p *pair) error {
	const later = 3 // this number is left to the test
	var elsewhere sync.WaitGroup
	p.far.witness.take = func(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
		switch n := number(prepare); n {
		case 1:
			respondHere(ctx, r, fulfillOf(n, 300))
		case 2:
			elsewhere.Go(func() { respondHere(context.Background(), r, fulfillOf(n, 300)) })
		default:
			p.far.witness.Recorder.HandlePrepare(ctx, prepare, r)
		}
	}
	if err := p.connect(); err != nil {
		return err
	}
	defer elsewhere.Wait()
	names := [...]string{1: "during the call", 2: "from another goroutine", later: "after the call"}
	for n := uint64(1); n <= later; n++ {
		prepare := newPrepare(n, 300)
		a, err := p.near.send(context.Background(), &prepare)
		if err != nil {
			return err
		}
		if n == later {
			got, err := p.far.take(1)
			if err != nil {
				return err
			}
			if err := p.far.respond(got[0].Responder, fulfillOf(n, 300)); err != nil {
				return err
			}
		}
		if err = p.near.await(a); err == nil {
			err = a.wantFulfill(fulfillOf(n, 300))
		}
		if err != nil {
			return fmt.Errorf("answered %s: %w", names[n], err)
		}
	}
	return nil
}
