package connector_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ping"
	"github.com/interledger-go/connector/plugin"
)

// sendResult is what Send gives.
type sendResult struct {
	connector.Sent
	err error
}

// sending calls Send, which may wait, and gives what it returns.
func sending(ctx context.Context, n *network, p ilp.Prepare) <-chan sendResult {
	ended := make(chan sendResult, 1)
	go func() {
		sent, err := n.c.Send(ctx, &p)
		ended <- sendResult{sent, err}
	}()
	synctest.Wait() // until it waits, if it does
	return ended
}

func wantPending(t *testing.T, ended <-chan sendResult) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-ended:
		t.Fatalf("Send has returned already: %+v", got)
	default:
	}
}

// wantRejected fails the test unless nothing was paid, for this reason.
func (r sendResult) wantRejected(t *testing.T, code ilp.Code, by string) {
	t.Helper()
	reject, _ := errors.AsType[*ilp.Reject](r.err)
	if reject == nil || reject.Code != code || reject.TriggeredBy.String() != by || r.Fulfill != nil || r.Paid != 0 {
		t.Errorf("Send gives %+v, want %s of %s", r, code, by)
	}
}

// inSending runs a test with a connector whose accounts are one and two, over
// a disk.
func inSending(t *testing.T, test func(t *testing.T, n *network, d *disk, log *logBuffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		n, log := diskNetwork(t, d)
		n.run()
		synctest.Wait() // what the books begin with is written
		test(t, n, d, log)
	})
}

// A packet that is fulfilled is paid: Send says so when that is durable, and
// not before.
func TestSendWaitsForTheBooking(t *testing.T) {
	inSending(t, func(t *testing.T, n *network, d *disk, _ *logBuffer) {
		p := longPrepare("two.shop")
		p.Data = []byte("for the shop")
		ended := sending(t.Context(), n, p)
		at := n.links["two"].take(t)
		if got := at.prepare; got.Amount != 100 || string(got.Data) != "for the shop" || got.Condition != condition1 || !got.ExpiresAt.Equal(p.ExpiresAt.Add(-time.Second)) {
			t.Errorf("what arrives is %+v", got)
		}
		mend := d.hangs()
		time.Sleep(100 * time.Millisecond)
		at.reply(&ilp.Fulfill{Fulfillment: fulfillment1, Data: []byte("thanks")})
		time.Sleep(2 * time.Second)
		wantPending(t, ended)
		mend()
		got := <-ended
		if got.err != nil || got.Account != "two" || got.Paid != 100 || got.Fulfill == nil || got.Fulfill.Fulfillment != fulfillment1 || string(got.Fulfill.Data) != "thanks" {
			t.Errorf("Send gives %+v", got)
		}
		if got.RoundTrip != 2100*time.Millisecond {
			t.Errorf("the round trip took %v", got.RoundTrip)
		}
		d.wantBooks(t, map[string]int64{"two": -100}) // a process that ends now finds it
		wantNothingReserved(t, n.c)
	})
}

// What is not paid is a reject, whoever says so, and moves nothing.
func TestSendIsRejected(t *testing.T) {
	for name, c := range map[string]struct {
		change func(n *network, p *ilp.Prepare)
		answer ilp.Reply // nil: none comes
		code   ilp.Code
		by     string
	}{
		"by the receiver":     {answer: &ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.far")}, code: ilp.F99ApplicationError, by: "test.far"},
		"wrong fulfillment":   {answer: &ilp.Fulfill{}, code: ilp.F05WrongCondition, by: "test.connie"},
		"no answer":           {change: func(_ *network, p *ilp.Prepare) { p.ExpiresAt = time.Now().Add(5 * time.Second) }, code: ilp.R00TransferTimedOut, by: "test.connie"},
		"expired before":      {change: func(_ *network, p *ilp.Prepare) { p.ExpiresAt = time.Now().Add(-time.Millisecond) }, code: ilp.R02InsufficientTimeout, by: "test.connie"},
		"too little time":     {change: func(_ *network, p *ilp.Prepare) { p.ExpiresAt = time.Now().Add(time.Second) }, code: ilp.R02InsufficientTimeout, by: "test.connie"},
		"our own address":     {change: to("test.connie"), code: ilp.F02Unreachable, by: "test.connie"},
		"below it, no child":  {change: to("test.connie.nobody.x"), code: ilp.F02Unreachable, by: "test.connie"},
		"no route":            {change: to("test.far"), code: ilp.F02Unreachable, by: "test.connie"},
		"the other network":   {change: to("g.two"), code: ilp.F02Unreachable, by: "test.connie"},
		"link down":           {change: func(n *network, _ *ilp.Prepare) { n.links["two"].setOffline() }, code: ilp.T01PeerUnreachable, by: "test.connie"},
		"paused":              {change: func(n *network, _ *ilp.Prepare) { n.c.PauseAccount("two") }, code: ilp.T01PeerUnreachable, by: "test.connie"},
		"stopped":             {change: func(n *network, _ *ilp.Prepare) { n.stop() }, code: ilp.T03ConnectorBusy, by: "test.connie"},
		"beyond what we have": {change: func(_ *network, p *ilp.Prepare) { p.Amount = 1<<64 - 1 }, code: ilp.T04InsufficientLiquidity, by: "test.connie"},
	} {
		t.Run(name, func(t *testing.T) {
			inSending(t, func(t *testing.T, n *network, d *disk, _ *logBuffer) {
				n.links["two"].answer = func(*ilp.Prepare) ilp.Reply { return c.answer }
				p := longPrepare("two")
				if c.change != nil {
					c.change(n, &p)
				}
				got := <-sending(t.Context(), n, p)
				got.wantRejected(t, c.code, c.by)
				n.stop()
				d.wantBooks(t, map[string]int64{"one": 0, "two": 0})
			})
		})
	}
}

func to(address string) func(*network, *ilp.Prepare) {
	return func(_ *network, p *ilp.Prepare) { p.Destination = ilp.MustParseAddress(address) }
}

// A ping of ourselves is answered, and leaves by no account.
func TestSendToOurselves(t *testing.T) {
	inSending(t, func(t *testing.T, n *network, d *disk, _ *logBuffer) {
		p := longPrepare("~x")
		p.Condition = ping.Condition
		got := <-sending(t.Context(), n, p)
		if got.err != nil || got.Fulfill == nil || got.Fulfill.Fulfillment != ping.Fulfillment || got.Paid != 0 || got.Account != "" {
			t.Errorf("Send gives %+v", got)
		}
	})
}

// A packet of no amount has nothing to be booked.
func TestSendOfNothing(t *testing.T) {
	inSending(t, func(t *testing.T, n *network, d *disk, _ *logBuffer) {
		defer d.hangs()()
		n.links["two"].answer = fulfills(fulfillment1)
		p := longPrepare("two")
		p.Amount = 0
		if got := <-sending(t.Context(), n, p); got.err != nil || got.Fulfill == nil || got.Paid != 0 || got.Account != "two" {
			t.Errorf("Send gives %+v", got)
		}
	})
}

// What is no packet is not sent, and the error says so.
func TestSendRefusesWhatIsNoPacket(t *testing.T) {
	inSending(t, func(t *testing.T, n *network, _ *disk, _ *logBuffer) {
		for want, change := range map[string]func(p *ilp.Prepare){
			"destination":   func(p *ilp.Prepare) { p.Destination = ilp.Address{} },
			"data":          func(p *ilp.Prepare) { p.Data = make([]byte, ilp.MaxDataLength+1) },
			"year 10000":    func(p *ilp.Prepare) { p.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
			"scheme peer":   func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.config") },
			"scheme self":   func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("self.x") },
			"context ended": nil,
		} {
			p, ctx := longPrepare("two"), t.Context()
			if change != nil {
				change(&p)
			} else {
				ended, cancel := context.WithCancelCause(ctx)
				cancel(errors.New("context ended"))
				ctx = ended
			}
			if got := <-sending(ctx, n, p); !errors.Is(got.err, plugin.ErrNotSent) || !strings.Contains(got.err.Error(), want) {
				t.Errorf("%s: %v", want, got.err)
			}
		}
		if n.links["two"].count() != 0 {
			t.Error("something was sent")
		}
	})
}

// Whoever stops waiting is told what is known, and the log what has become of
// the packet.
func TestSendThatIsNotWaitedFor(t *testing.T) {
	const message = "a packet of our own was answered when nobody waited for it"
	enough := errors.New("enough")
	t.Run("on its way", func(t *testing.T) {
		for name, c := range map[string]struct {
			reply ilp.Reply
			books int64
		}{"fulfilled later": {&ilp.Fulfill{Fulfillment: fulfillment1}, -100}, "rejected later": {&ilp.Reject{Code: ilp.F00BadRequest}, 0}} {
			t.Run(name, func(t *testing.T) {
				inSending(t, func(t *testing.T, n *network, d *disk, log *logBuffer) {
					ctx, cancel := context.WithCancelCause(t.Context())
					ended := sending(ctx, n, longPrepare("two"))
					at := n.links["two"].take(t)
					wantPending(t, ended)
					cancel(enough)
					got := <-ended
					if !errors.Is(got.err, plugin.ErrUnknownOutcome) || !errors.Is(got.err, enough) || got.Account != "two" || got.Fulfill != nil || got.Paid != 0 {
						t.Errorf("Send gives %+v", got)
					}
					log.want(t, message, 0)
					at.reply(c.reply)
					synctest.Wait()
					log.want(t, message, 1)
					n.stop()
					d.wantBooks(t, map[string]int64{"two": c.books})
				})
			})
		}
	})
	t.Run("fulfilled, and not durable yet", func(t *testing.T) {
		inSending(t, func(t *testing.T, n *network, d *disk, log *logBuffer) {
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := sending(ctx, n, longPrepare("two"))
			mend := d.hangs()
			n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
			wantPending(t, ended)
			cancel(enough)
			got := <-ended
			if !errors.Is(got.err, enough) || errors.Is(got.err, plugin.ErrUnknownOutcome) || got.Fulfill == nil || got.Paid != 100 {
				t.Errorf("Send gives %+v", got)
			}
			mend()
			time.Sleep(time.Second)
			log.want(t, message, 1)
		})
	})
}

// A fulfillment whose booking is lost with the ledger is no reject: it was
// paid.
func TestSendWhoseBookingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		n, _ := diskNetwork(t, d)
		ctx, cancel := context.WithCancel(context.Background())
		stopped := make(chan error, 1)
		go func() { stopped <- n.c.Run(ctx) }()
		<-n.links["two"].opened
		synctest.Wait()
		ended := sending(t.Context(), n, longPrepare("two"))
		mend := d.hangs()
		defer mend()
		n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
		wantPending(t, ended)
		cancel()
		if err := <-stopped; err == nil {
			t.Error("Run returns no error, though a posting may be lost")
		}
		got := <-ended
		if reject, ok := errors.AsType[*ilp.Reject](got.err); got.err == nil || ok || got.Fulfill == nil || got.Paid != 100 {
			t.Errorf("Send gives %+v, %v, want what was fulfilled, with an error that is no reject", got, reject)
		}
	})
}

// The same packet is not paid twice.
func TestSendOfADuplicate(t *testing.T) {
	inSending(t, func(t *testing.T, n *network, d *disk, _ *logBuffer) {
		n.links["two"].answer = fulfills(fulfillment1)
		p := longPrepare("two")
		if got := <-sending(t.Context(), n, p); got.err != nil {
			t.Fatal(got.err)
		}
		got := <-sending(t.Context(), n, p)
		got.wantRejected(t, ilp.F00BadRequest, "test.connie")
		n.stop()
		d.wantBooks(t, map[string]int64{"two": -100})
	})
}

// Packets of our own are sent by many at once, while the connector stops.
func TestSendWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.delay = time.Millisecond
		n := newNetwork(t, connector.Config{Store: d, Logger: slog.New(slog.DiscardHandler)})
		n.add(connector.Account{ID: "two", Relation: connector.Child}).answer = fulfills(fulfillment1)
		n.run()
		const packets = 50
		stopped := make(chan struct{})
		var all []<-chan sendResult
		for i := range packets {
			p := longPrepare("two")
			p.Data = []byte{byte(i)}
			all = append(all, sending(t.Context(), n, p))
			if i == packets/2 {
				go func() {
					defer close(stopped)
					n.stop()
				}()
			}
		}
		paid := int64(0)
		for _, ended := range all {
			got := <-ended
			reject, _ := errors.AsType[*ilp.Reject](got.err)
			switch {
			case got.err == nil:
				paid += int64(got.Paid)
			case reject != nil && reject.Code == ilp.T01PeerUnreachable: // its link was the first that took nothing any more
				got.wantRejected(t, ilp.T01PeerUnreachable, "test.connie")
			default:
				got.wantRejected(t, ilp.T03ConnectorBusy, "test.connie")
			}
		}
		<-stopped
		if paid == 0 {
			t.Error("nothing was paid")
		}
		d.wantBooks(t, map[string]int64{"two": -paid})
	})
}
