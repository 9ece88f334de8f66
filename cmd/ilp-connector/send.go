package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector/admin"
)

// sendFlags are those of send.
type sendFlags struct {
	condition, fulfillment, data string
	expiry                       time.Duration
}

func bindSend(set *flag.FlagSet) answerer {
	f := &sendFlags{}
	set.StringVar(&f.condition, "condition", "", "32 bytes in hexadecimal or base64url; without it and -fulfillment, one that nobody can fulfill: the way is tried, and nothing is paid")
	set.StringVar(&f.fulfillment, "fulfillment", "", "that of the condition, in its place: the same forms, or @FILE, or - for standard input")
	set.StringVar(&f.data, "data", "", "for the receiver: hexadecimal, or @FILE, or - for standard input")
	set.DurationVar(&f.expiry, "expiry", admin.DefaultSendExpiry, "how long the packet lives")
	return func(q question, ctx context.Context, args []string) error { return q.send(ctx, f, args) }
}

// send sends one packet, and prints all that comes back.
func (q question) send(ctx context.Context, f *sendFlags, args []string) error {
	r, err := f.request(args)
	if err != nil {
		return err
	}
	v, err := q.client.Send(ctx, r)
	if err != nil {
		return lostAnswer(ctx, err, f.expiry)
	}
	if err := q.print(v, func(row func(...any)) { printSent(row, &v) }); err != nil {
		return err
	}
	switch {
	case v.Outcome == admin.SendRejected:
		return outcomeError{exitRejected, "rejected: nothing was paid"}
	case v.Outcome == admin.SendUnknown:
		return outcomeError{exitUnknown, v.Error}
	case v.Error != "":
		return errors.New(v.Error)
	}
	return nil
}

func (f *sendFlags) request(args []string) (r admin.SendRequest, err error) {
	if len(args) < 2 {
		return r, usageError("a destination and an amount, please")
	}
	r = admin.SendRequest{Destination: args[0], Amount: args[1], Condition: f.condition, ExpiresIn: f.expiry.String()}
	if _, err := strconv.ParseUint(r.Amount, 10, 64); err != nil {
		return r, usageError(fmt.Sprintf("%q is not an amount: it must be a whole number", r.Amount))
	}
	if f.data == "-" && f.fulfillment == "-" {
		return r, usageError("-data and -fulfillment cannot both be read from standard input")
	}
	fulfillment, err := contentOf(f.fulfillment, func(text string) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		return r, err
	}
	r.Fulfillment = strings.TrimSpace(string(fulfillment))
	r.Data, err = contentOf(f.data, hex.DecodeString)
	if err != nil {
		return r, fmt.Errorf("-data: %w", err)
	}
	return r, nil
}

// contentOf reads what a flag names: @FILE, - for standard input, or the text
// itself.
func contentOf(text string, read func(string) ([]byte, error)) ([]byte, error) {
	if file, ok := strings.CutPrefix(text, "@"); ok {
		return os.ReadFile(file)
	}
	if text == "-" {
		return io.ReadAll(os.Stdin)
	}
	return read(text)
}

// lostAnswer says what is known of a packet that was asked for, where there is
// no answer.
func lostAnswer(ctx context.Context, err error, expiry time.Duration) error {
	var refused *admin.Problem
	var dialing *net.OpError
	if errors.As(err, &refused) && refused.Status < 500 || errors.As(err, &dialing) && dialing.Op == "dial" {
		return err
	}
	if ctx.Err() != nil {
		err = errors.New("not waited for")
	}
	return outcomeError{exitUnknown, fmt.Sprintf("%v: the packet may have been sent, and may be fulfilled for %v from then; "+
		"the log of the connector has the outcome", err, expiry)}
}

func printSent(row func(...any), v *admin.SendResult) {
	row("outcome", v.Outcome)
	row("left by", orNone(printable(v.Account)))
	switch {
	case v.Outcome == admin.SendUnknown:
		row("paid", "not known")
	case v.Paid == "0":
		row("paid", "nothing")
	default:
		row("paid", v.Paid)
	}
	if r := v.Reject; r != nil {
		row("code", strings.TrimSpace(printable(r.Code)+" "+r.Name))
		row("triggered by", orNone(printable(r.TriggeredBy)))
		row("message", orNone(printable(r.Message)))
		row("data", dump(r.Data))
	}
	if v.Fulfillment != "" {
		row("fulfillment", v.Fulfillment)
		row("data", dump(v.Data))
	}
	row("round trip", microseconds(v.RoundTrip))
	row("condition", v.Condition)
	row("expires", v.ExpiresAt.Format(time.RFC3339Nano))
}

// dump shows data in hexadecimal, and as the text that it may be.
func dump(data []byte) string {
	if len(data) == 0 {
		return "(none)"
	}
	shown := hex.EncodeToString(data)
	if text := string(data); printable(text) == text {
		shown += fmt.Sprintf(" %q", text)
	}
	return shown
}
