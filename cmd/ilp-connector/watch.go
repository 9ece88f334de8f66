package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/interledger-go/connector/admin"
)

// watch prints what moves, each second, until a signal ends it: a table that
// is drawn over the one before it, or a line of JSON.
func (q question) watch(ctx context.Context, args []string) error {
	var before admin.Snapshot
	for now, err := range q.client.Watch(ctx, time.Second, args...) {
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := q.show(before, now); err != nil {
			return err
		}
		before = now
	}
	return nil
}

// clearScreen puts the cursor at the top of an empty screen.
const clearScreen = "\x1b[H\x1b[2J"

func (q question) show(before, now admin.Snapshot) error {
	if q.json {
		return q.line(now)
	}
	if _, err := fmt.Fprint(q.p.stdout, clearScreen); err != nil {
		return err
	}
	return q.print(now, func(row func(...any)) {
		row(now.Time.Format(time.TimeOnly), fmt.Sprintf("fulfilled %d", now.Packets.Fulfilled), fmt.Sprintf("rejected %d", now.Packets.Rejected), fmt.Sprintf("alerts %d", now.Alerts))
		row()
		row("ACCOUNT", "LINK", "BALANCE", "IN FLIGHT", "OUTSTANDING", "IN/S", "OUT/S", "REJECTED/S")
		for _, id := range sorted(now.Accounts) {
			a, b := now.Accounts[id], before.Accounts[id]
			row(id, linkState(a.Connected, a.Paused), a.Balance, a.InFlight, a.Outstanding,
				perSecond(a.Incoming.Fulfilled-b.Incoming.Fulfilled, before, now),
				perSecond(a.Outgoing.Fulfilled-b.Outgoing.Fulfilled, before, now),
				perSecond(a.Incoming.Rejected-b.Incoming.Rejected, before, now))
		}
	})
}

// perSecond is n between two snapshots, in each second; the first has none
// before it.
func perSecond(n uint64, before, now admin.Snapshot) uint64 {
	passed := now.Time.Sub(before.Time)
	if before.Time.IsZero() || passed <= 0 || n > 1<<40 { // an account that came again counts anew
		return 0
	}
	return n * uint64(time.Second) / uint64(passed)
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
