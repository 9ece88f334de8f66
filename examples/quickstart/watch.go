package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/interledger-go/connector"
)

// watch prints where to connect, and a line of counters every second, until
// ctx is done.
func watch(ctx context.Context, c *connector.Connector, address string, out io.Writer) error {
	fmt.Fprintln(out, "Connect BTP clients to:")
	for _, a := range c.Accounts() {
		fmt.Fprintf(out, "  %s  and be %s\n", url(a.ID, address), a.Address)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprint(out, "\n\n")
			return nil
		case <-tick.C:
			fmt.Fprintf(out, "\r%s", counters(c))
		}
	}
}

// counters is one line of what is going on now.
func counters(c *connector.Connector) string {
	line := time.Now().Format(time.TimeOnly)
	stats := c.Stats()
	for i, a := range c.Accounts() {
		state := "away"
		if a.Connected {
			state = "here"
		}
		line += fmt.Sprintf("  %s: %s, sent %s, received %s, in flight %d", a.ID, state,
			stats[i].Incoming.Fulfilled.Amount, stats[i].Outgoing.Fulfilled.Amount, a.InFlight)
	}
	return line
}
