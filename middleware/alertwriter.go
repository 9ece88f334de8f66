package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/interledger-go/connector/store"
)

const (
	alertWriteInterval = time.Second     // between writes
	alertMaxRetry      = time.Minute     // between attempts at a store that fails
	alertCloseTimeout  = 5 * time.Second // for the last write
)

// Run keeps the alerts in the store of the middleware. It implements Runner.
func (a *Alerts) Run(ctx context.Context, host Host) error {
	a.mu.Lock()
	a.now = host.Now
	a.mu.Unlock()
	under, err := host.Store(a.Name())
	if err != nil {
		return fmt.Errorf("middleware: alerts are not kept: %w", err)
	}
	w := &alertWriter{alerts: a, store: under, log: host.Logger()}
	w.run(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), alertCloseTimeout)
	defer cancel()
	if err := w.sync(last); err != nil {
		w.log.LogAttrs(last, slog.LevelError, "alerts that were raised or dismissed last are not kept", slog.Any("error", err))
	}
	return nil
}

// alertWriter is what the goroutine of Run knows of the store. The store has
// a number of places, each the key of one alert: what is written is as small
// as what has changed, and there is never more in it than there are alerts.
type alertWriter struct {
	alerts *Alerts
	store  store.Store
	log    *slog.Logger
	loaded bool
	failed bool // the last time
	places []alertPlace
	batch  store.Batch
}

// alertPlace is one key of the store.
type alertPlace struct {
	id      uint64 // of the alert that is to be there; 0: none
	version uint64 // of it
	stale   bool   // the store has something else, or nobody knows
}

// run syncs the store with what has changed until ctx is done.
func (w *alertWriter) run(ctx context.Context) {
	wait := alertWriteInterval
	for {
		switch err := w.sync(ctx); {
		case err == nil:
			wait, w.failed = alertWriteInterval, false
		case ctx.Err() == nil && !w.failed:
			w.failed = true
			w.log.LogAttrs(ctx, slog.LevelError, "the store fails: alerts are kept in memory until it works again", slog.Any("error", err))
		default:
			wait = min(2*wait, alertMaxRetry)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		if w.failed {
			continue
		}
		select {
		case <-w.alerts.changed:
		case <-ctx.Done():
			return
		}
	}
}

// sync brings the store to what is in memory, after it has read, the first
// time, what is in the store.
func (w *alertWriter) sync(ctx context.Context) error {
	if !w.loaded {
		if err := w.load(ctx); err != nil {
			return fmt.Errorf("reading alerts: %w", err)
		}
		w.loaded = true
	}
	if err := w.collect(); err != nil {
		return err
	}
	if w.batch.Len() == 0 {
		return nil
	}
	if err := w.store.Write(ctx, &w.batch); err != nil {
		return fmt.Errorf("writing alerts: %w", err)
	}
	for i := range w.places {
		w.places[i].stale = false
	}
	return nil
}

// load adds the alerts of the store to those that were raised meanwhile. A
// record that cannot be read is given up: it says nothing of money.
func (w *alertWriter) load(ctx context.Context) error {
	var records []versionedAlert
	var faults []error
	w.places = w.places[:0]
	err := w.store.Scan(ctx, "", func(key string, value []byte) error {
		place, err := strconv.ParseUint(key, 10, 16)
		if err != nil || key != placeKey(int(place)) {
			return nil // not ours, or of a later version
		}
		for len(w.places) <= int(place) {
			w.places = append(w.places, alertPlace{})
		}
		v := versionedAlert{version: 1}
		if err := json.Unmarshal(value, &v.Alert); err != nil || v.ID == 0 || v.Count == 0 {
			faults = append(faults, fmt.Errorf("record %q: %.100q: %w", key, value, errors.Join(err, errAlertRecord)))
			w.places[place].stale = true
			return nil
		}
		w.places[place] = alertPlace{id: v.ID, version: v.version}
		records = append(records, v)
		return nil
	})
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		w.log.LogAttrs(ctx, slog.LevelWarn, "alerts that cannot be read are dropped", slog.Any("error", errors.Join(faults...)))
	}
	w.alerts.restore(records)
	return nil
}

var errAlertRecord = errors.New("is no alert")

func placeKey(place int) string { return strconv.Itoa(place) }

// collect fills the batch with what is not in the store as it is in memory.
func (w *alertWriter) collect() error {
	live := w.alerts.versions()
	var free []int
	for i := range w.places {
		p := &w.places[i]
		if _, ok := live[p.id]; p.id != 0 && !ok { // dismissed, or it gave way
			*p = alertPlace{stale: true}
		}
		if p.id == 0 {
			free = append(free, i)
			continue
		}
		if v := live[p.id]; v.version != p.version {
			p.version, p.stale = v.version, true
		}
	}
	known := make(map[uint64]bool, len(w.places))
	for _, p := range w.places {
		known[p.id] = true
	}
	for id, v := range live {
		if known[id] {
			continue
		}
		if len(free) == 0 {
			free = append(free, len(w.places))
			w.places = append(w.places, alertPlace{})
		}
		w.places[free[0]] = alertPlace{id: id, version: v.version, stale: true}
		free = free[1:]
	}
	return w.fill(live)
}

func (w *alertWriter) fill(live map[uint64]versionedAlert) error {
	w.batch.Reset()
	for i, p := range w.places {
		switch {
		case !p.stale:
		case p.id == 0:
			w.batch.Delete(placeKey(i))
		default:
			v := live[p.id]
			value, err := json.Marshal(&v.Alert)
			if err != nil {
				return fmt.Errorf("alert %d: %w", p.id, err)
			}
			w.batch.Put(placeKey(i), value)
		}
	}
	return w.batch.Err()
}

// restore adds alerts of the store to those that were raised before it was
// read. What has happened in both is one alert, the old one.
func (a *Alerts) restore(records []versionedAlert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range records {
		a.lastID = max(a.lastID, records[i].ID)
	}
	a.renumber(records)
	for i := range records {
		old := &records[i]
		v := a.alerts[old.key()]
		if v == nil {
			a.alerts[old.key()] = old
			continue
		}
		v.ID, v.Created, v.Count = old.ID, old.Created, v.Count+old.Count
		v.version = old.version + 1
	}
	a.trim()
}

// trim removes the stalest alerts beyond the bounds. The caller holds mu.
func (a *Alerts) trim() {
	left, ofAccount := 0, make(map[string]int)
	for _, v := range slices.Backward(slices.SortedFunc(maps.Values(a.alerts), stalestFirst)) {
		if left == a.options.MaxAlerts || ofAccount[v.Account] == a.options.MaxPerAccount {
			delete(a.alerts, v.key())
			continue
		}
		left++
		ofAccount[v.Account]++
	}
}

// renumber gives those in memory an id of their own, should the clock have
// been put back and one of the store have the same. The caller holds mu.
func (a *Alerts) renumber(records []versionedAlert) {
	taken := make(map[uint64]bool, len(records))
	for i := range records {
		taken[records[i].ID] = true
	}
	for _, v := range a.alerts {
		if taken[v.ID] {
			a.lastID++
			v.ID = a.lastID
		}
	}
}

// versions gives all alerts by id.
func (a *Alerts) versions() map[uint64]versionedAlert {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[uint64]versionedAlert, len(a.alerts))
	for _, v := range a.alerts {
		all[v.ID] = *v
	}
	return all
}
