package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// watchFlags are those of watch.
type watchFlags struct {
	packets               bool
	prefix, outcome, code string
}

func bindWatch(set *flag.FlagSet) answerer {
	f := &watchFlags{}
	set.BoolVar(&f.packets, "packets", false, "print each packet as it is answered: those from and to the accounts, or all")
	set.StringVar(&f.prefix, "prefix", "", "packets to addresses below it")
	set.StringVar(&f.outcome, "outcome", "", fmt.Sprintf("packets of which this has become, of %v", middleware.Outcomes()))
	set.StringVar(&f.code, "code", "", "packets that were rejected with this code, such as T04")
	return func(q question, ctx context.Context, args []string) error {
		if f.packets || f.prefix != "" || f.outcome != "" || f.code != "" {
			return q.watchPackets(ctx, f, args)
		}
		return q.watchAccounts(ctx, args)
	}
}

// watchAccounts prints what moves, each second, until a signal ends it: a table
// that is drawn over the one before it, or a line of JSON.
func (q question) watchAccounts(ctx context.Context, accounts []string) error {
	var before admin.Snapshot
	watch := func() iter.Seq2[admin.Snapshot, error] {
		before = admin.Snapshot{} // another process counts anew
		return q.client.Watch(ctx, time.Second, accounts...)
	}
	return follow(ctx, q.p, watch, func(now admin.Snapshot) error {
		defer func() { before = now }()
		return q.show(before, now)
	})
}

// watchPackets prints a line for each packet.
func (q question) watchPackets(ctx context.Context, f *watchFlags, accounts []string) error {
	filter := middleware.PacketFilter{Prefix: f.prefix, Code: ilp.Code(f.code)}
	if f.outcome != "" {
		if err := filter.Outcome.UnmarshalText([]byte(f.outcome)); err != nil {
			return usageError(err.Error())
		}
	}
	if len(accounts) == 1 {
		filter.Account = accounts[0]
	}
	headed := q.json
	watch := func() iter.Seq2[admin.PacketEvent, error] { return q.client.WatchPackets(ctx, filter, 0) }
	return follow(ctx, q.p, watch, func(e admin.PacketEvent) error {
		if !headed {
			fmt.Fprintln(q.p.stdout, packetHeader)
			headed = true
		}
		for i := range e.Packets {
			if p := &e.Packets[i]; len(accounts) < 2 || slices.Contains(accounts, p.Account) || slices.Contains(accounts, p.NextHop) {
				if err := q.showPacket(p); err != nil {
					return err
				}
			}
		}
		if e.Lost > 0 {
			fmt.Fprintf(q.p.stderr, "ilp-connector: %d packets came too fast to be shown\n", e.Lost)
		}
		return nil
	})
}

// follow shows what comes until a signal ends it. A connector that goes is
// waited for: it may be started again. One that was never there is an error.
func follow[T any](ctx context.Context, p program, watch func() iter.Seq2[T, error], show func(T) error) error {
	const least, most = time.Second, 10 * time.Second
	begun, gone, wait := false, false, least
	for {
		var lost error
		for v, err := range watch() {
			if lost = err; err != nil {
				break
			}
			if gone {
				fmt.Fprintln(p.stderr, "ilp-connector: the connector is there again")
			}
			begun, gone, wait = true, false, least
			if err := show(v); err != nil {
				return err
			}
		}
		var refused *admin.Problem
		switch {
		case ctx.Err() != nil:
			return nil
		case !begun, errors.As(lost, &refused) && (refused.Status < 500 || refused.Status == http.StatusNotImplemented):
			return lost
		case !gone:
			fmt.Fprintf(p.stderr, "ilp-connector: the connector is gone, waiting for it: %v\n", lost)
			gone = true
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, most)
		case <-ctx.Done():
			return nil
		}
	}
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

// The columns of packets: they stand below one another as long as what is in
// them has room, and no packet waits for another.
const packetColumns = "%-12s  %-14s %14s  %-14s %14s  %9s  %-14s  %s\n"

var packetHeader = fmt.Sprintf(packetColumns[:len(packetColumns)-1], "RECEIVED", "FROM", "AMOUNT", "TO", "AMOUNT", "LATENCY", "OUTCOME", "DESTINATION")

func (q question) showPacket(p *admin.Packet) error {
	if q.json {
		return q.line(p)
	}
	outcome := p.Outcome.String()
	if p.Code != "" {
		outcome += " " + printable(string(p.Code))
	}
	destination := cmp.Or(p.Destination, p.DestinationHash)
	if p.DestinationLength > 0 && p.Destination != "" {
		destination += "…"
	}
	_, err := fmt.Fprintf(q.p.stdout, packetColumns, p.Received.Local().Format("15:04:05.000"), p.Account, p.Amount,
		cmp.Or(p.NextHop, "-"), cmp.Or(p.NextHopAmount, "-"), microseconds(p.Latency).Round(10*time.Microsecond), outcome, destination)
	return err
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
