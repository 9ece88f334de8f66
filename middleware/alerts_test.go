package middleware_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
)

// tooMuch is the reject of a connector that is owed too much.
func tooMuch(by string) *ilp.Reject {
	return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, TriggeredBy: ilp.MustParseAddress(by), Message: "exceeded maximum balance."}
}

func newAlerts(t testing.TB, host middleware.Host, o middleware.AlertsOptions) (*middleware.Alerts, *middlewaretest.Chain) {
	t.Helper()
	a := middleware.NewAlerts(o)
	return a, attach(t, host, child(), a)
}

// onlyAlert gives the single alert that there is.
func onlyAlert(t *testing.T, a *middleware.Alerts) middleware.Alert {
	t.Helper()
	list := a.List()
	if len(list) != 1 || a.Len() != 1 {
		t.Fatalf("the alerts are %+v, %d in number, want one", list, a.Len())
	}
	return list[0]
}

// Reference test 38: a reject by which a peer says that it is owed too much
// raises an alert and is relayed. The same again is counted.
func TestAlertsBalanceExceeded(t *testing.T) {
	host := newHost()
	a, c := newAlerts(t, host, middleware.AlertsOptions{})
	out := send(t, c, outgoing, 48, tooMuch("test.peer"))
	if !out.Relayed {
		t.Errorf("the answer is %v, want the reject relayed", out.Reply)
	}
	first := onlyAlert(t, a)
	want := middleware.Alert{
		ID: uint64(start.UnixMilli()), Account: "mock.test3", Kind: middleware.AlertBalanceExceeded,
		TriggeredBy: ilp.MustParseAddress("test.peer"), Message: "exceeded maximum balance.",
		Count: 1, Created: start, Updated: start,
	}
	if first != want {
		t.Errorf("the alert is %+v, want %+v", first, want)
	}
	host.Advance(time.Minute)
	send(t, c, outgoing, 48, tooMuch("test.peer"))
	want.Count, want.Updated = 2, start.Add(time.Minute)
	if got := onlyAlert(t, a); got != want {
		t.Errorf("the alert is %+v when it has happened again, want %+v", got, want)
	}
	send(t, c, outgoing, 48, tooMuch("test.other"))
	list := a.List()
	if len(list) != 2 || list[1].TriggeredBy.String() != "test.other" || list[1].Count != 1 || list[1].ID <= list[0].ID {
		t.Errorf("the alerts are %+v, want one for each connector that says so, by id", list)
	}
}

// Reference test 39, and what else is no reason for an alert.
func TestAlertsNone(t *testing.T) {
	a, c := newAlerts(t, newHost(), middleware.AlertsOptions{})
	otherCode, otherText := tooMuch("test.peer"), tooMuch("test.peer")
	otherCode.Code, otherText.Message = ilp.T00InternalError, "exceeded money bandwidth, throttling."
	for _, reply := range []ilp.Reply{fulfill1(), otherCode, otherText} {
		send(t, c, outgoing, 48, reply)
	}
	send(t, c, incoming, 48, tooMuch("test.peer")) // the account hears it, it does not say it
	if list := a.List(); len(list) != 0 || a.Len() != 0 {
		t.Errorf("the alerts are %+v, want none", list)
	}
}

func TestAlertsLateFulfill(t *testing.T) {
	a, c := newAlerts(t, newHost(), middleware.AlertsOptions{})
	out := send(t, c, outgoing, 48, &ilp.Reject{Code: ilp.R00TransferTimedOut})
	out.Late(&ilp.Reject{Code: ilp.F99ApplicationError})
	if a.Len() != 0 {
		t.Errorf("a late reject has raised %+v", a.List())
	}
	out.Late(fulfill1())
	out.Late(fulfill1())
	if got := onlyAlert(t, a); got.Kind != middleware.AlertLateFulfill || got.Account != "mock.test3" || got.Count != 2 || got.Message == "" {
		t.Errorf("the alert is %+v", got)
	}
}

func TestAlertsLedger(t *testing.T) {
	for _, c := range []struct {
		event ledger.Event
		kind  middleware.AlertKind
		text  string
	}{
		{ledger.Event{Account: "bob", Kind: ledger.SettlementFailing, Amount: 7, Err: errors.New("no fee")},
			middleware.AlertSettlementFailing, "a settlement of 7 is tried again: no fee"},
		{ledger.Event{Account: "bob", Kind: ledger.SettlementRefused, Amount: 7, Err: errors.New("closed")},
			middleware.AlertSettlementRefused, "a settlement of 7 was refused: closed"},
		{ledger.Event{Kind: ledger.StoreFailing, Err: errors.New("disk full")},
			middleware.AlertStoreFailing, "the store fails: disk full"},
		{ledger.Event{Kind: ledger.StoreRecovered}, middleware.AlertStoreRecovered, "the store works again"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			a := middleware.NewAlerts(middleware.AlertsOptions{})
			observe := middleware.ObserveLedger([]middleware.Middleware{middleware.Echo(), a})
			observe(c.event)
			c.event.Amount++ // other figures, and still the same alert, with the latest text
			observe(c.event)
			c.event.Amount--
			observe(c.event)
			if got := onlyAlert(t, a); got.Kind != c.kind || got.Account != c.event.Account || got.Message != c.text || got.Count != 3 {
				t.Errorf("the alert is %+v, want %s of account %q, %q, 3 times", got, c.kind, c.event.Account, c.text)
			}
		})
	}
	a := middleware.NewAlerts(middleware.AlertsOptions{})
	a.ObserveLedger(ledger.Event{Kind: ledger.StoreRecovered + 1})
	if a.Len() != 0 {
		t.Errorf("an event of a kind that is not known has raised %+v", a.List())
	}
	a.ObserveLedger(ledger.Event{Kind: ledger.StoreFailing, Err: errors.New(strings.Repeat("\u20ac", 1000))})
	if got := onlyAlert(t, a).Message; len(got) > 500 || !strings.HasSuffix(got, "\u20ac") {
		t.Errorf("a long message has %d bytes and ends in %q, want at most 500 and whole characters", len(got), got[len(got)-3:])
	}
}

func TestAlertsDismiss(t *testing.T) {
	a, c := newAlerts(t, newHost(), middleware.AlertsOptions{})
	send(t, c, outgoing, 48, tooMuch("test.peer"))
	send(t, c, outgoing, 48, tooMuch("test.other"))
	list := a.List()
	if a.Dismiss(list[1].ID+1) || !a.Dismiss(list[0].ID) || a.Dismiss(list[0].ID) {
		t.Error("Dismiss does not tell what was there")
	}
	if got := onlyAlert(t, a); got != list[1] {
		t.Errorf("the alert that is left is %+v, want %+v", got, list[1])
	}
	send(t, c, outgoing, 48, tooMuch("test.peer"))
	if again := a.List()[1]; again.Count != 1 || again.ID <= list[1].ID {
		t.Errorf("what happens again is %+v, want a new alert", again)
	}
}

// Whoever makes up addresses pushes out alerts of the account that he is
// behind, and no others; the alert that has not happened for the longest time
// goes first.
func TestAlertsBounds(t *testing.T) {
	host := newHost()
	a, c := newAlerts(t, host, middleware.AlertsOptions{MaxAlerts: 7, MaxPerAccount: 5})
	a.ObserveLedger(ledger.Event{Kind: ledger.StoreFailing})
	for n := range 100 {
		host.Advance(time.Second)
		send(t, c, outgoing, 48, tooMuch(fmt.Sprintf("test.peer%d", n)))
		send(t, c, outgoing, 48, tooMuch("test.peer0")) // goes on happening
	}
	var by []string
	for _, alert := range a.List() {
		by = append(by, alert.TriggeredBy.String())
	}
	if got := fmt.Sprint(by); got != "[ test.peer0 test.peer96 test.peer97 test.peer98 test.peer99]" {
		t.Errorf("the alerts were triggered by %s", got)
	}
	for n := range 4 { // more accounts than there is room for
		host.Advance(time.Second)
		a.ObserveLedger(ledger.Event{Account: fmt.Sprint("account", n), Kind: ledger.SettlementFailing})
	}
	if got := a.List(); len(got) != 7 || got[6].Account != "account3" || got[2].TriggeredBy.String() != "test.peer98" && got[2].TriggeredBy.String() != "test.peer99" {
		t.Errorf("the alerts are %+v, want seven, the stalest gone", got)
	}
}

func TestAlertsOptions(t *testing.T) {
	for _, o := range []middleware.AlertsOptions{{MaxAlerts: -1}, {MaxPerAccount: -1}, {MaxAlerts: 1<<16 + 1}} {
		if _, err := middleware.NewAlerts(o).Attach(newHost(), child()); err == nil || !strings.Contains(err.Error(), "must be") {
			t.Errorf("Attach with %+v = %v, want an error that says what would be right", o, err)
		}
	}
}

// Other bounds hold at once: those alerts stay that have happened last.
func TestAlertsBoundedAnew(t *testing.T) {
	host := newHost()
	a, c := newAlerts(t, host, middleware.AlertsOptions{})
	for n := range 6 {
		host.Advance(time.Second)
		send(t, c, outgoing, 48, tooMuch(fmt.Sprintf("test.peer%d", n)))
	}
	host.Advance(time.Second)
	a.ObserveLedger(ledger.Event{Kind: ledger.StoreFailing})
	send(t, c, outgoing, 48, tooMuch("test.peer0")) // again
	by := func(want string) {
		t.Helper()
		var all []string
		for _, alert := range a.List() {
			all = append(all, cmp.Or(alert.TriggeredBy.String(), string(alert.Kind)))
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("the alerts are %q, want %q", got, want)
		}
	}
	set := func(o middleware.AlertsOptions) {
		t.Helper()
		if err := a.SetOptions(o); err != nil {
			t.Fatal(err)
		}
	}
	set(middleware.AlertsOptions{MaxPerAccount: 3})
	by("test.peer0 test.peer4 test.peer5 storeFailing")
	set(middleware.AlertsOptions{MaxAlerts: 2})
	by("test.peer0 storeFailing")
	for _, o := range []middleware.AlertsOptions{{MaxAlerts: -1}, {MaxPerAccount: -1}} {
		if err := a.SetOptions(o); err == nil {
			t.Errorf("SetOptions takes %+v", o)
		}
	}
	host.Advance(time.Second)
	send(t, c, outgoing, 48, tooMuch("test.peer9"))
	if a.Len() != 2 {
		t.Errorf("there are %d alerts, want 2", a.Len())
	}
	set(middleware.AlertsOptions{})
	send(t, c, outgoing, 48, tooMuch("test.peer8"))
	if a.Len() != 3 {
		t.Errorf("there are %d alerts, want 3", a.Len())
	}
}

// The JSON is that of the reference's GET /alerts, with the kind besides.
func TestAlertJSON(t *testing.T) {
	a, c := newAlerts(t, newHost(), middleware.AlertsOptions{})
	send(t, c, outgoing, 48, tooMuch("test.peer"))
	got, err := json.Marshal(onlyAlert(t, a))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":1434412800000,"accountId":"mock.test3","kind":"balanceExceeded","triggeredBy":"test.peer",` +
		`"message":"exceeded maximum balance.","count":1,"createdAt":"2015-06-16T00:00:00Z","updatedAt":"2015-06-16T00:00:00Z"}`
	if string(got) != want {
		t.Errorf("the JSON is %s, want %s", got, want)
	}
}

// Raising an alert again allocates nothing: a peer may do so with each packet.
func TestAlertsAgainAllocateNothing(t *testing.T) {
	s, err := middleware.NewAlerts(middleware.AlertsOptions{}).Attach(newHost(), &account.Account{ID: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	e := &quietEnd{reply: tooMuch("test.peer")}
	stages := middleware.NewChain(s.Outgoing)
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { e.packet.Run(ctx, stages, e) }); n != 0 {
		t.Errorf("%v allocations for each alert, want none", n)
	}
}
