package middleware

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
)

// Alerts collects what an operator should look at: a peer that takes no
// packets because it is owed too much, fulfillments that came too late,
// settlements that fail or were refused, a store that takes nothing. What
// happens again is no other alert but a higher count. They stay until they are
// dismissed, across restarts.
//
// Their number is bounded, in all and for each account: whoever makes up
// addresses to be named as TriggeredBy must not push the others out. The
// alert that has not happened for the longest time gives way.
//
// Alerts are kept in memory. Run, which is the connector's to call, reads
// those of the past from the store of the middleware and writes those that
// have changed, a second at most after one another, and once more when it
// ends. A store that fails is tried again; packets do not notice.
//
// All methods may be called concurrently. Packets that raise no alert take no
// lock here.
//
// Its name is "alert". It stands innermost, as in the reference.
type Alerts struct {
	changed chan struct{} // tells Run that there is something to write

	mu      sync.Mutex
	options AlertsOptions
	now     func() time.Time // the connector's clock; nil until it is known
	alerts  map[alertKey]*versionedAlert
	lastID  uint64
}

// versionedAlert is an alert with the number of its changes.
type versionedAlert struct {
	Alert
	version uint64
}

// AlertsOptions bound the number of alerts. The zero value is fit for use.
type AlertsOptions struct {
	// MaxAlerts is how many there are at most. 0 means 1000, and 65,536 is the
	// most.
	MaxAlerts int
	// MaxPerAccount is how many there are at most for one account, and for
	// those that are about no single one. 0 means 50.
	MaxPerAccount int
}

// What the zeros of AlertsOptions mean.
const (
	DefaultMaxAlerts           = 1000
	DefaultMaxAlertsPerAccount = 50
)

const mostAlerts = 1 << 16

var (
	_ Middleware     = (*Alerts)(nil)
	_ Runner         = (*Alerts)(nil)
	_ LedgerObserver = (*Alerts)(nil)
)

// NewAlerts makes an Alerts for one connector.
func NewAlerts(o AlertsOptions) *Alerts {
	return &Alerts{
		options: o.complete(),
		changed: make(chan struct{}, 1),
		alerts:  make(map[alertKey]*versionedAlert),
	}
}

// complete fills in what the zeros mean.
func (o AlertsOptions) complete() AlertsOptions {
	o.MaxAlerts = cmp.Or(o.MaxAlerts, DefaultMaxAlerts)
	o.MaxPerAccount = cmp.Or(o.MaxPerAccount, DefaultMaxAlertsPerAccount)
	return o
}

func (o AlertsOptions) check() error {
	if o.MaxAlerts < 0 || o.MaxAlerts > mostAlerts || o.MaxPerAccount < 0 {
		return fmt.Errorf("MaxAlerts is %d and MaxPerAccount %d: they must be 1 to %d, or 0 for %d and %d",
			o.MaxAlerts, o.MaxPerAccount, mostAlerts, DefaultMaxAlerts, DefaultMaxAlertsPerAccount)
	}
	return nil
}

// SetOptions bounds the alerts anew, while the connector runs. Where there are
// more than that, those go that have not happened for the longest time.
func (a *Alerts) SetOptions(o AlertsOptions) error {
	if err := o.check(); err != nil {
		return fmt.Errorf("middleware: alerts: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.options = o.complete()
	all := slices.SortedFunc(maps.Values(a.alerts), func(v, other *versionedAlert) int { return stalestFirst(other, v) })
	kept, of := 0, make(map[string]int) // by account
	for _, v := range all {
		if kept == a.options.MaxAlerts || of[v.Account] == a.options.MaxPerAccount {
			delete(a.alerts, v.key())
			continue
		}
		kept++
		of[v.Account]++
	}
	a.tell()
	return nil
}

// Name gives "alert".
func (a *Alerts) Name() string { return "alert" }

// Attach watches the packets to an account. Its alerts stay when it is
// removed.
func (a *Alerts) Attach(host Host, watched *account.Account) (Stages, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.options.check(); err != nil {
		return Stages{}, err
	}
	if a.now == nil {
		a.now = host.Now
	}
	return Stages{Outgoing: &alertStage{alerts: a, account: watched.ID}}, nil
}

// List gives all alerts, by id. Those of former runs of the connector are
// among them as soon as Run has read them.
func (a *Alerts) List() []Alert {
	a.mu.Lock()
	list := make([]Alert, 0, len(a.alerts))
	for _, v := range a.alerts {
		list = append(list, v.Alert)
	}
	a.mu.Unlock()
	slices.SortFunc(list, func(v, other Alert) int { return cmp.Compare(v.ID, other.ID) })
	return list
}

// Len gives the number of alerts.
func (a *Alerts) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.alerts)
}

// Dismiss removes an alert and reports whether there was one. If the same
// happens again it is a new alert. Run removes it from the store within a
// second, unless that fails.
func (a *Alerts) Dismiss(id uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, v := range a.alerts {
		if v.ID == id {
			delete(a.alerts, key)
			a.tell()
			return true
		}
	}
	return false
}

// ObserveLedger raises the alert for an event of the ledger. It implements
// LedgerObserver.
func (a *Alerts) ObserveLedger(e ledger.Event) {
	key := alertKey{account: e.Account}
	var message string
	switch e.Kind {
	case ledger.SettlementFailing:
		key.kind, message = AlertSettlementFailing, fmt.Sprintf("a settlement of %d is tried again: %v", e.Amount, e.Err)
	case ledger.SettlementRefused:
		key.kind, message = AlertSettlementRefused, fmt.Sprintf("a settlement of %d was refused: %v", e.Amount, e.Err)
	case ledger.StoreFailing:
		key.kind, message = AlertStoreFailing, fmt.Sprintf("the store fails: %v", e.Err)
	case ledger.StoreRecovered:
		key.kind, message = AlertStoreRecovered, "the store works again"
	default:
		return
	}
	a.raise(key, message)
}

// Raise raises an alert of a kind, which may be of the host's own, about an
// account, or about none. If there is one of that kind and account, its count
// goes up.
func (a *Alerts) Raise(account string, kind AlertKind, message string) {
	a.raise(alertKey{account: account, kind: kind}, message)
}

// raise counts what has happened once more. key and message are only read:
// what is kept of them is copied.
func (a *Alerts) raise(key alertKey, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now().UTC()
	if a.now != nil {
		now = a.now().UTC()
	}
	v := a.alerts[key]
	if v == nil {
		key.triggeredBy = key.triggeredBy.Clone() // it lies in the memory of the packet
		a.lastID = max(a.lastID+1, uint64(max(now.UnixMilli(), 0)))
		v = &versionedAlert{Alert: Alert{ID: a.lastID, Account: key.account, Kind: key.kind, TriggeredBy: key.triggeredBy, Created: now}}
		a.add(v)
	}
	if v.Message != message {
		v.Message = cut(message)
	}
	v.Count++
	v.Updated = now
	v.version++
	a.tell()
}

// add adds an alert, in the place of another if there are too many. The
// caller holds mu.
func (a *Alerts) add(v *versionedAlert) {
	var own, stalest, ownStalest = 0, (*versionedAlert)(nil), (*versionedAlert)(nil)
	for _, other := range a.alerts {
		if stalest == nil || stalestFirst(other, stalest) < 0 {
			stalest = other
		}
		if other.Account != v.Account {
			continue
		}
		own++
		if ownStalest == nil || stalestFirst(other, ownStalest) < 0 {
			ownStalest = other
		}
	}
	switch {
	case own >= a.options.MaxPerAccount:
		delete(a.alerts, ownStalest.key())
	case len(a.alerts) >= a.options.MaxAlerts:
		delete(a.alerts, stalest.key())
	}
	a.alerts[v.key()] = v
}

// stalestFirst orders alerts by when they have happened last.
func stalestFirst(v, other *versionedAlert) int {
	return cmp.Or(v.Updated.Compare(other.Updated), cmp.Compare(v.ID, other.ID))
}

// tell wakes Run.
func (a *Alerts) tell() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// alertStage watches the answers of one account.
type alertStage struct {
	replyOnly
	alerts  *Alerts
	account string
}

var _ LateObserver = (*alertStage)(nil)

// Reply raises the alert of the reference: by this code and this very message
// a connector says that it is owed too much.
func (s *alertStage) Reply(_ context.Context, _ *Packet, reply ilp.Reply) ilp.Reply {
	r, ok := reply.(*ilp.Reject)
	if ok && r.Code == ilp.T04InsufficientLiquidity && r.Message == exceededMaximum {
		s.alerts.raise(alertKey{s.account, AlertBalanceExceeded, r.TriggeredBy}, exceededMaximum)
	}
	return reply
}

// Late raises the alert for a packet that was fulfilled too late.
func (s *alertStage) Late(_ *Packet, reply ilp.Reply) {
	if _, ok := reply.(*ilp.Fulfill); ok {
		s.alerts.raise(alertKey{account: s.account, kind: AlertLateFulfill}, "fulfilled after the packet had expired.")
	}
}
