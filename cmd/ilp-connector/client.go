package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os/signal"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/interledger-go/connector/admin"
)

// question is a command that asks a connector's admin API.
type question struct {
	p      program
	client *admin.Client
	json   bool
}

// answerer answers a question with its arguments.
type answerer func(q question, ctx context.Context, args []string) error

// ask makes a command of a question with at most these arguments.
func ask(name, does, arguments string, most int, answer answerer) command {
	return askWith(name, does, arguments, most, func(*flag.FlagSet) answerer { return answer })
}

// askWith makes a command of a question that has flags of its own: bind defines
// them.
func askWith(name, does, arguments string, most int, bind func(*flag.FlagSet) answerer) command {
	run := func(p program, args []string) int {
		set := flag.NewFlagSet("ilp-connector "+name, flag.ContinueOnError)
		set.SetOutput(p.stderr)
		at := p.placeFlags(set).withToken()
		asJSON := set.Bool("json", false, "print JSON")
		answer := bind(set)
		set.Usage = func() {
			fmt.Fprintf(p.stderr, "usage: ilp-connector %s [flags] %s\n", name, arguments)
			set.PrintDefaults()
		}
		rest, err := parseBetween(set, args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			return exitOK
		case err != nil:
			return exitUsage
		case len(rest) > most:
			set.Usage()
			return p.fail(exitUsage, fmt.Errorf("%q is too much", rest[most]))
		}
		client, err := at.client()
		if err != nil {
			return p.fail(exitUsage, err)
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		err = answer(question{p, client, *asJSON}, ctx, rest)
		var usage usageError
		var outcome outcomeError
		switch {
		case errors.As(err, &usage):
			set.Usage()
			return p.fail(exitUsage, err)
		case errors.As(err, &outcome):
			return p.fail(outcome.code, err)
		case errors.As(err, new(*tls.CertificateVerificationError)):
			return p.fail(exitFailure, fmt.Errorf("%w: -authorities says whom to trust", err))
		case errors.Is(err, syscall.ECONNREFUSED):
			return p.fail(exitFailure, fmt.Errorf("%w: does a connector run there, with CONNECTOR_ADMIN_API=true?", err))
		case err != nil:
			return p.fail(exitFailure, err)
		}
		return exitOK
	}
	return command{[]string{name}, does, run}
}

// parseBetween reads flags, and gives the arguments that stand before, between
// and behind them.
func parseBetween(set *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		left := set.NArg()
		if left == 0 || left < len(args) && args[len(args)-left-1] == "--" {
			return append(rest, set.Args()...), nil
		}
		rest, args = append(rest, set.Arg(0)), set.Args()[1:]
	}
}

// outcomeError is an end that has an exit code of its own.
type outcomeError struct {
	code int
	text string
}

func (e outcomeError) Error() string { return e.text }

// usageError says what is wrong with the arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

// print prints v as JSON, or a table of it.
func (q question) print(v any, table func(row func(columns ...any))) error {
	if q.json {
		e := json.NewEncoder(q.p.stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(q.p.stdout, 0, 8, 2, ' ', 0)
	table(func(columns ...any) {
		for i, c := range columns {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, c)
		}
		fmt.Fprintln(w)
	})
	return w.Flush()
}

// line prints v as one line of JSON.
func (q question) line(v any) error { return json.NewEncoder(q.p.stdout).Encode(v) }

func (q question) status(ctx context.Context, _ []string) error {
	v, err := q.client.Status(ctx)
	if err != nil {
		return err
	}
	return q.print(v, func(row func(...any)) {
		row("address", orNone(v.Address))
		row("running", v.Running)
		up := 0
		for _, connected := range v.Connected {
			if connected {
				up++
			}
		}
		row("accounts", fmt.Sprintf("%d, %d connected", len(v.Connected), up))
		row("routes", len(v.LocalRoutingTable))
		row("late fulfills", v.Counters.LateFulfills)
		row("unexpected replies", v.Counters.UnexpectedReplies)
	})
}

func (q question) accounts(ctx context.Context, _ []string) error {
	v, err := q.client.Accounts(ctx, admin.Page{})
	if err != nil {
		return err
	}
	return q.print(v, func(row func(...any)) {
		row("ACCOUNT", "RELATION", "ASSET", "LINK", "BALANCE", "IN FLIGHT", "OUTSTANDING", "ADDRESS")
		for _, id := range sorted(v.Accounts) {
			a := v.Accounts[id]
			row(id, a.Info.Relation, fmt.Sprintf("%s/%d", a.Info.AssetCode, a.Info.AssetScale), linkState(a.Connected, a.Paused), a.Book.Balance, a.InFlight, a.Outstanding, a.Address)
		}
	})
}

func linkState(connected, paused bool) string {
	switch {
	case paused:
		return "paused"
	case connected:
		return "up"
	}
	return "down"
}

func (q question) routes(ctx context.Context, args []string) error {
	v, err := q.client.Routes(ctx, argument(args, 0), admin.Page{})
	if err != nil {
		return err
	}
	return q.print(v, func(row func(...any)) {
		row("PREFIX", "NEXT HOP", "ORIGIN", "LINK", "PATH")
		for _, r := range v.Routes {
			row(r.Prefix, orSelf(r.NextHop), r.Origin, linkState(r.Connected, false), fmt.Sprint(r.Path))
		}
	})
}

func (q question) rates(ctx context.Context, _ []string) error {
	v, err := q.client.Rates(ctx, admin.Page{})
	if err != nil {
		return err
	}
	return q.print(v, func(row func(...any)) {
		row("FROM", "TO", "UNITS FOR ONE")
		for _, from := range sorted(v) {
			for _, to := range sorted(v[from]) {
				row(from, to, v[from][to])
			}
		}
	})
}

func (q question) balance(ctx context.Context, args []string) error {
	v, err := q.client.Balances(ctx, admin.Page{})
	if err != nil {
		return err
	}
	if id := argument(args, 0); id != "" {
		balance, ok := v.Accounts[id]
		if !ok {
			return fmt.Errorf("there is no account %q", id)
		}
		v.Accounts = map[string]admin.Balance{id: balance}
	}
	return q.print(v, func(row func(...any)) {
		row("ACCOUNT", "BALANCE", "MINIMUM", "MAXIMUM")
		for _, id := range sorted(v.Accounts) {
			row(id, v.Accounts[id].Balance, v.Accounts[id].Minimum, v.Accounts[id].Maximum)
		}
	})
}

func (q question) ping(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usageError("which address?")
	}
	amount := uint64(0)
	if text := argument(args, 1); text != "" {
		var err error
		if amount, err = strconv.ParseUint(text, 10, 64); err != nil {
			return usageError(fmt.Sprintf("%q is not an amount: it must be a whole number", text))
		}
	}
	v, err := q.client.Ping(ctx, args[0], amount)
	if err != nil {
		return err
	}
	err = q.print(v, func(row func(...any)) {
		row("address", v.Address)
		row("reached", v.Reached)
		row("round trip", microseconds(v.RoundTrip))
		row("sent", v.Sent)
		if v.Delivered != "" {
			row("delivered", v.Delivered)
		}
		if v.Reject != nil {
			row("rejected", fmt.Sprintf("%s by %s: %s", printable(v.Reject.Code), orNone(printable(v.Reject.TriggeredBy)), printable(v.Reject.Message)))
		}
	})
	if err == nil && !v.Reached {
		err = errors.New("not reached")
	}
	return err
}

func (q question) trace(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usageError("which address?")
	}
	v, err := q.client.Trace(ctx, args[0])
	if err != nil {
		return err
	}
	err = q.print(v, func(row func(...any)) {
		row("HOP", "ADDRESS", "ROUND TRIP", "ANSWER")
		for i, hop := range v.Hops {
			answer := "reached"
			if hop.Reject != nil {
				answer = printable(hop.Reject.Code)
			}
			row(i+1, orNone(hop.Address), microseconds(hop.RoundTrip), answer)
		}
	})
	if err == nil && v.Error != "" {
		err = errors.New(v.Error)
	}
	return err
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// printable is a text of somebody else's that does nothing to a terminal.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			quoted := strconv.Quote(s)
			return quoted[1 : len(quoted)-1]
		}
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func orSelf(nextHop string) string {
	if nextHop == "" {
		return "(here)"
	}
	return nextHop
}
