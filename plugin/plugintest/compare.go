package plugintest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// comparePrepare says how got differs from want. On the wire an expiry has
// milliseconds.
func comparePrepare(got, want *ilp.Prepare) error {
	switch {
	case got.Amount != want.Amount:
		return fmt.Errorf("the amount is %d, want %d", got.Amount, want.Amount)
	case !got.ExpiresAt.Truncate(time.Millisecond).Equal(want.ExpiresAt.Truncate(time.Millisecond)):
		return fmt.Errorf("the expiry is %v, want %v", got.ExpiresAt, want.ExpiresAt)
	case got.Condition != want.Condition:
		return fmt.Errorf("the condition is %v, want %v", got.Condition, want.Condition)
	case got.Destination != want.Destination:
		return fmt.Errorf("the destination is %s, want %s", brief(got.Destination.String()), brief(want.Destination.String()))
	}
	return compareData(got.Data, want.Data)
}

func compareFulfill(got, want *ilp.Fulfill) error {
	if got.Fulfillment != want.Fulfillment {
		return fmt.Errorf("the fulfillment is %x, want %x", got.Fulfillment, want.Fulfillment)
	}
	return compareData(got.Data, want.Data)
}

// compareReject looks at what is on the wire, which Cause is not.
func compareReject(got, want *ilp.Reject) error {
	switch {
	case got.Code != want.Code:
		return fmt.Errorf("the code of the reject is %q, want %q", got.Code, want.Code)
	case got.TriggeredBy != want.TriggeredBy:
		return fmt.Errorf("the reject was triggered by %s, want %s", brief(got.TriggeredBy.String()), brief(want.TriggeredBy.String()))
	case got.Message != want.Message:
		return fmt.Errorf("the message of the reject is %s, want %s", brief(got.Message), brief(want.Message))
	}
	return compareData(got.Data, want.Data)
}

func compareData(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	if len(got) != len(want) {
		return fmt.Errorf("the data has %d bytes, want %d", len(got), len(want))
	}
	at := 0
	for got[at] == want[at] {
		at++
	}
	return fmt.Errorf("byte %d of %d of the data is %#02x, want %#02x", at, len(want), got[at], want[at])
}

// brief quotes s, or the front of a long one.
func brief(s string) string {
	const enough = 40
	if len(s) <= enough {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q… (%d bytes)", s[:enough], len(s))
}
