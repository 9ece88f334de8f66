package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// moodyStore fails or hangs when it is told to.
type moodyStore struct {
	store.Store
	mu     sync.Mutex
	err    error
	hangs  bool
	writes int
}

func (s *moodyStore) set(err error, hangs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.hangs = err, hangs
}

func (s *moodyStore) mood(ctx context.Context) error {
	s.mu.Lock()
	err, hangs := s.err, s.hangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (s *moodyStore) Scan(ctx context.Context, prefix string, visit func(string, []byte) error) error {
	if err := s.mood(ctx); err != nil {
		return err
	}
	return s.Store.Scan(ctx, prefix, visit)
}

func (s *moodyStore) Write(ctx context.Context, b *store.Batch) error {
	if err := s.mood(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.writes++
	s.mu.Unlock()
	return s.Store.Write(ctx, b)
}

// records gives what is in the store.
func (s *moodyStore) records(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	if err := s.Store.Scan(t.Context(), "", func(key string, value []byte) error {
		all[key] = string(value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// alertBench runs an Alerts over a store, one life of the connector after the
// other.
type alertBench struct {
	t     *testing.T
	host  *middlewaretest.Host
	store *moodyStore
	log   bytes.Buffer
	stop  func()
}

func withAlertBench(t *testing.T, test func(t *testing.T, b *alertBench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &alertBench{t: t, host: new(middlewaretest.Host), store: &moodyStore{Store: memstore.New()}}
		b.host.SetStore(b.store)
		b.host.SetLogger(slog.New(slog.NewTextHandler(&b.log, nil)))
		test(t, b)
	})
}

// run begins a life, which ends with b.stop, or with the test.
func (b *alertBench) run(o middleware.AlertsOptions) *middleware.Alerts {
	b.t.Helper()
	a := middleware.NewAlerts(o)
	b.runs(a)
	synctest.Wait()
	return a
}

func (b *alertBench) runs(a *middleware.Alerts) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, b.host) }()
	b.stop = sync.OnceFunc(func() {
		b.t.Helper()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run = %v", err)
		}
	})
	b.t.Cleanup(b.stop)
}

func failing(account string) ledger.Event {
	return ledger.Event{Account: account, Kind: ledger.SettlementFailing, Amount: 1, Err: errors.New("no")}
}

func sameAlerts(t *testing.T, got, want []middleware.Alert) {
	t.Helper()
	same := len(got) == len(want)
	for i := range want {
		same = same && got[i].ID == want[i].ID && got[i].Account == want[i].Account && got[i].Kind == want[i].Kind &&
			got[i].TriggeredBy == want[i].TriggeredBy && got[i].Message == want[i].Message && got[i].Count == want[i].Count &&
			got[i].Created.Equal(want[i].Created) && got[i].Updated.Equal(want[i].Updated)
	}
	if !same {
		t.Errorf("the alerts are\n%+v, want\n%+v", got, want)
	}
}

// Alerts outlive the process, and so does their dismissal. What happens again
// in the next life is the same alert.
func TestAlertsOutliveTheProcess(t *testing.T) {
	withAlertBench(t, func(t *testing.T, b *alertBench) {
		a := b.run(middleware.AlertsOptions{})
		c := attach(t, b.host, child(), a)
		send(t, c, outgoing, 48, tooMuch("test.peer"))
		for range 3 {
			a.ObserveLedger(failing("bob"))
			time.Sleep(time.Millisecond)
		}
		a.ObserveLedger(ledger.Event{Kind: ledger.StoreFailing, Err: errors.New("full")})
		want := a.List()
		b.stop()

		a = b.run(middleware.AlertsOptions{})
		sameAlerts(t, a.List(), want)
		if !a.Dismiss(want[1].ID) {
			t.Error("an alert of the former life cannot be dismissed")
		}
		attach(t, b.host, child(), a)
		a.ObserveLedger(ledger.Event{Kind: ledger.StoreFailing, Err: errors.New("full")})
		a.ObserveLedger(failing("carol"))
		b.stop()

		a = b.run(middleware.AlertsOptions{})
		got := a.List()
		if len(got) != 3 || got[1].Kind != middleware.AlertStoreFailing || got[1].Count != 2 || got[1].ID != want[2].ID ||
			got[2].Account != "carol" || got[2].ID <= want[2].ID {
			t.Errorf("the alerts are %+v", got)
		}
		if n := len(b.store.records(t)); n != 3 {
			t.Errorf("the store has %d records for 3 alerts", n)
		}
	})
}

// What is raised is in the store at once if nothing was written lately, and
// otherwise within a second, however much there is.
func TestAlertsAreWrittenOnceASecond(t *testing.T) {
	withAlertBench(t, func(t *testing.T, b *alertBench) {
		a := b.run(middleware.AlertsOptions{})
		time.Sleep(time.Minute)
		a.ObserveLedger(failing("bob"))
		synctest.Wait()
		if n := len(b.store.records(t)); n != 1 {
			t.Errorf("%d records, want the alert", n)
		}
		for range 2000 {
			time.Sleep(time.Millisecond)
			a.ObserveLedger(failing("bob"))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if b.store.writes > 4 {
			t.Errorf("%d writes in three seconds", b.store.writes)
		}
		if got := b.store.records(t); len(got) != 1 || !strings.Contains(got["alert/0"], `"count":2001`) {
			t.Errorf("the store has %v, want a count of 2001", got)
		}
		time.Sleep(time.Hour)
		if b.store.writes > 4 {
			t.Errorf("%d writes although nothing has changed", b.store.writes)
		}
	})
}

// A store that fails, from the beginning or later, disturbs nobody: alerts
// are raised, listed and dismissed, and written when it works again.
func TestAlertsOverAStoreThatFails(t *testing.T) {
	for name, fail := range map[string]func(s *moodyStore){
		"fails": func(s *moodyStore) { s.set(errors.New("full"), false) },
		"hangs": func(s *moodyStore) { s.set(nil, true) },
	} {
		t.Run(name, func(t *testing.T) {
			withAlertBench(t, func(t *testing.T, b *alertBench) {
				a := b.run(middleware.AlertsOptions{})
				a.ObserveLedger(failing("bob"))
				a.ObserveLedger(failing("carol"))
				b.stop()

				fail(b.store)
				a = middleware.NewAlerts(middleware.AlertsOptions{})
				a.ObserveLedger(failing("bob"))
				b.runs(a)
				time.Sleep(time.Minute)
				a.ObserveLedger(failing("dave"))
				if n := a.Len(); n != 2 {
					t.Fatalf("%d alerts, want those of this life", n)
				}
				if name == "hangs" { // until the process ends
					b.stop()
					b.store.set(nil, false)
					if got := b.run(middleware.AlertsOptions{}).List(); len(got) != 2 || got[0].Account != "bob" || got[0].Count != 1 {
						t.Errorf("the alerts are %+v, want those that were written", got)
					}
					return
				}
				b.store.set(nil, false)
				time.Sleep(time.Minute)
				synctest.Wait()
				got := a.List()
				if len(got) != 3 || got[0].Account != "bob" || got[0].Count != 2 || got[1].Account != "carol" || got[2].Account != "dave" {
					t.Fatalf("the alerts are %+v, want bob's counted twice, carol's and dave's", got)
				}
				b.store.set(errors.New("full"), false)
				if !a.Dismiss(got[1].ID) {
					t.Error("cannot be dismissed")
				}
				time.Sleep(time.Hour)
				a.ObserveLedger(failing("erin"))
				b.store.set(nil, false)
				time.Sleep(time.Minute)
				want := a.List()
				b.stop()
				sameAlerts(t, b.run(middleware.AlertsOptions{}).List(), want)
				if n := strings.Count(b.log.String(), "the store fails"); n != 2 {
					t.Errorf("the log speaks of a store that fails %d times, want once each time\n%s", n, b.log.String())
				}
			})
		})
	}
}

// The last write is tried for a while, and its failure is logged.
func TestAlertsEndOverAStoreThatHangs(t *testing.T) {
	withAlertBench(t, func(t *testing.T, b *alertBench) {
		a := b.run(middleware.AlertsOptions{})
		b.store.set(nil, true)
		a.ObserveLedger(failing("bob"))
		synctest.Wait()
		began := time.Now()
		b.stop()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Run has ended after %v, want it to try for 5 s", took)
		}
		if !strings.Contains(b.log.String(), "are not kept") {
			t.Errorf("the log is %q", b.log.String())
		}
	})
}

// However alerts come, go and give way, while the store works or not, it has
// no more of them than there are, and the same.
func TestAlertsStoreStaysSmall(t *testing.T) {
	withAlertBench(t, func(t *testing.T, b *alertBench) {
		o := middleware.AlertsOptions{MaxAlerts: 8, MaxPerAccount: 6}
		a := b.run(o)
		for n := range 300 {
			a.ObserveLedger(failing(fmt.Sprint("account", n)))
			if n%3 == 0 {
				a.Dismiss(a.List()[0].ID)
			}
			if n%50 == 20 {
				b.store.set(errors.New("full"), false)
			}
			if n%50 == 45 {
				b.store.set(nil, false)
			}
			time.Sleep(700 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		want := a.List()
		if n := len(b.store.records(t)); n != len(want) {
			t.Errorf("the store has %d records for %d alerts", n, len(want))
		}
		b.stop()
		a = b.run(o)
		sameAlerts(t, a.List(), want)
		b.stop()
		a = b.run(middleware.AlertsOptions{MaxAlerts: 3}) // less room than before: the latest stay
		sameAlerts(t, a.List(), want[len(want)-3:])
		b.stop()
		if n := len(b.store.records(t)); n != 3 {
			t.Errorf("the store has %d records for 3 alerts", n)
		}
		a = b.run(o) // as was left
		for range 9 {
			time.Sleep(time.Second)
			a.ObserveLedger(ledger.Event{Account: want[0].Account, Kind: ledger.SettlementRefused})
		}
		sameAlerts(t, a.List()[:3], want[len(want)-3:])
	})
}

// Records that are damaged are given up, with a word in the log; keys that
// are not ours are left alone.
func TestAlertsDamagedRecords(t *testing.T) {
	withAlertBench(t, func(t *testing.T, b *alertBench) {
		a := b.run(middleware.AlertsOptions{})
		a.ObserveLedger(failing("bob"))
		want := a.List()
		b.stop()
		own, err := b.host.Store("alert")
		if err != nil {
			t.Fatal(err)
		}
		var batch store.Batch
		batch.Put("1", []byte("{"))
		batch.Put("2", []byte(`{"id":0}`))
		batch.Put("3", []byte(`{"id":5,"count":1,"triggeredBy":"no address"}`))
		batch.Put("01", []byte("theirs"))
		batch.Put("99999", []byte("theirs"))
		batch.Put("key", []byte("theirs"))
		if err := own.Write(t.Context(), &batch); err != nil {
			t.Fatal(err)
		}
		sameAlerts(t, b.run(middleware.AlertsOptions{}).List(), want)
		b.stop()
		if got := b.store.records(t); len(got) != 4 {
			t.Errorf("the store has %v, want the alert and what is not ours", got)
		}
		if n := strings.Count(b.log.String(), "cannot be read"); n != 1 {
			t.Errorf("the log speaks of damaged records %d times, want once:\n%s", n, b.log.String())
		}
	})
}

// A clock that was put back gives no two alerts the same id.
func TestAlertsAfterTheClockWasPutBack(t *testing.T) {
	withAlertBench(t, func(t *testing.T, b *alertBench) {
		b.host.SetNow(start)
		a := b.run(middleware.AlertsOptions{})
		attach(t, b.host, child(), a)
		a.ObserveLedger(failing("bob"))
		b.stop()
		a = middleware.NewAlerts(middleware.AlertsOptions{})
		attach(t, b.host, child(), a)
		a.ObserveLedger(failing("carol")) // before those of the store are read
		b.runs(a)
		synctest.Wait()
		got := a.List()
		if len(got) != 2 || got[0].ID == got[1].ID || got[0].Account != "bob" {
			t.Errorf("the alerts are %+v, want bob's and, with a later id, carol's", got)
		}
		b.stop()
		sameAlerts(t, b.run(middleware.AlertsOptions{}).List(), got)
	})
}
