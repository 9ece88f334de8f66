package connector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// storeFailures are the ways in which a store keeps a connector from booking.
var storeFailures = []struct {
	name string
	// written says that what the store has said to fail is there all the same.
	written bool
	fail    func(d *disk) (mend func())
}{
	{"full disk", false, breaks(fmt.Errorf("%w: %w", store.ErrNotWritten, syscall.ENOSPC), false)},
	{"read-only directory", false, breaks(fmt.Errorf("%w: %w", store.ErrNotWritten, syscall.EROFS), false)},
	{"lost request", false, breaks(errors.New("connection reset"), false)},
	{"lost answer", true, breaks(errors.New("connection reset"), true)},
	{"hanging store", false, (*disk).hangs},
}

func breaks(err error, lies bool) func(*disk) func() {
	return func(d *disk) func() {
		d.breaks(err, lies)
		return func() { d.breaks(nil, false) }
	}
}

// Nothing is acknowledged that is not durable: a fulfillment waits, new
// packets get T03, a settlement is not confirmed, the log says so once. When
// the store works again all of it goes on by itself.
func TestStoreFailsAndRecovers(t *testing.T) {
	for _, f := range storeFailures {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				n, log := diskNetwork(t, d)
				n.run()
				fulfilled, rejected := n.send("one", longPrepare("two")), n.send("one", longPrepare("two"))
				mend := f.fail(d)
				n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
				n.links["two"].take(t).reply(&ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: n.c.Address()})
				rejected.wantReject(t, ilp.F99ApplicationError, "")
				time.Sleep(time.Minute)
				synctest.Wait()
				if !fulfilled.pending() {
					t.Fatal("a fulfillment was relayed that is not durable")
				}
				n.send("one", longPrepare("two")).wantReject(t, ilp.T03ConnectorBusy, "the books cannot be kept at the moment.")
				n.send("two", longPrepare("one")).wantReject(t, ilp.T03ConnectorBusy, "the books cannot be kept at the moment.")
				money := plugin.Money{Amount: 7, Key: "k"}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := n.links["one"].handler.HandleMoney(ctx, money); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a settlement was confirmed with %v, want the end of its context", err)
				}
				log.want(t, "the store fails: no packets are taken until it works again", 1)
				log.want(t, "the store works again", 0)

				mend()
				time.Sleep(time.Minute)
				fulfilled.wantFulfill(t, fulfillment1)
				log.want(t, "the store works again", 1)
				if err := n.links["one"].handler.HandleMoney(t.Context(), money); err != nil {
					t.Error(err)
				}
				again := n.send("two", longPrepare("one"))
				n.links["one"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
				synctest.Wait()
				again.wantFulfill(t, fulfillment1)
				wantNothingReserved(t, n.c)
				n.stop()
				d.wantBooks(t, map[string]int64{"one": -7, "two": 0}) // one packet each way, and the settlement
			})
		})
	}
}

// A store that takes three seconds for each write is one that fails, and works
// again, with each of them: nothing is lost, and between two writes packets
// are taken.
func TestSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.delay = 3 * time.Second
		n, log := diskNetwork(t, d)
		n.run()
		time.Sleep(time.Minute)
		for round := range 3 {
			o := n.send("one", longPrepare("two"))
			n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
			time.Sleep(2 * time.Second)
			if !o.pending() {
				t.Fatal("a fulfillment was relayed that is not durable")
			}
			n.send("one", longPrepare("two")).wantReject(t, ilp.T03ConnectorBusy, "the books cannot be kept at the moment.")
			time.Sleep(time.Minute)
			o.wantFulfill(t, fulfillment1)
			if failed, works := log.count("the store fails: no packets are taken until it works again"), log.count("the store works again"); failed <= round || works != failed {
				t.Errorf("round %d: the log says %d times that the store fails, and %d times that it works again", round, failed, works)
			}
		}
		wantNothingReserved(t, n.c)
		n.stop()
		d.wantBooks(t, map[string]int64{"one": 300, "two": -300})
	})
}

// A connector stops though its store does not work: what it cannot make
// durable it does not relay, and Run says that it may be lost.
func TestStopsWhileTheStoreFails(t *testing.T) {
	for _, f := range storeFailures {
		t.Run(f.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				n, _ := diskNetwork(t, d)
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- n.c.Run(ctx) }()
				for _, l := range n.links {
					<-l.opened
				}
				synctest.Wait() // what the books begin with is written
				o := n.send("one", longPrepare("two"))
				mend := sync.OnceFunc(f.fail(d))
				defer mend()
				n.links["two"].take(t).reply(&ilp.Fulfill{Fulfillment: fulfillment1})
				time.Sleep(time.Minute)
				cancel()
				time.Sleep(time.Minute)
				select {
				case err := <-ended:
					if err == nil || !strings.Contains(err.Error(), "may be lost") {
						t.Errorf("Run returns %v, want an error that says what may be lost", err)
					}
				default:
					t.Error("the connector has not stopped after a minute")
					mend()
					<-ended
					return
				}
				o.wantReject(t, ilp.T00InternalError, "internal error")
				if f.written { // the posting of the source may have come into the next batch
					d.wantBooks(t, map[string]int64{"two": -100})
				} else {
					d.wantBooks(t, map[string]int64{"one": 0, "two": 0})
				}
			})
		})
	}
}

// longPrepare is a packet that outlives what goes wrong meanwhile.
func longPrepare(to string) ilp.Prepare {
	p := prepare("test.connie." + to)
	p.ExpiresAt = time.Now().Add(time.Hour).UTC()
	return p
}

// diskNetwork makes a network of accounts one and two over a disk, which does
// not run yet, and its log.
func diskNetwork(t *testing.T, d *disk) (*network, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	n := newNetwork(t, connector.Config{Store: d, MaxHoldTime: time.Hour, Logger: slog.New(slog.NewTextHandler(log, nil))})
	n.add(connector.Account{ID: "one", Relation: connector.Child})
	n.add(connector.Account{ID: "two", Relation: connector.Child})
	return n, log
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// want fails the test unless the log has a message so many times.
func (b *logBuffer) want(t testing.TB, message string, times int) {
	t.Helper()
	if got := b.count(message); got != times {
		t.Errorf("the log says %q %d times, want %d", message, got, times)
	}
}

func (b *logBuffer) count(message string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), fmt.Sprintf("msg=%q", message))
}
