package admin

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// SendRequest is what POST /send takes. With neither Condition nor Fulfillment
// the packet has a condition made by chance, which nobody can fulfill: it tries
// the way, and pays nothing.
type SendRequest struct {
	Destination string `json:"destination"`
	// Amount is in the unit of the account that the packet leaves by.
	Amount string `json:"amount"`
	// Condition is 32 bytes, as 64 hexadecimal digits or as base64 of either
	// alphabet.
	Condition string `json:"condition,omitempty"`
	// Fulfillment is that of the condition, in its place, written like it.
	Fulfillment string `json:"fulfillment,omitempty"`
	// Data is for the receiver, up to ilp.MaxDataLength bytes.
	Data []byte `json:"data,omitempty"`
	// ExpiresIn is how long the packet lives, such as "10s"; empty means
	// DefaultSendExpiry.
	ExpiresIn string `json:"expiresIn,omitempty"`
}

// SendResult is what POST /send answers.
type SendResult struct {
	Destination string `json:"destination"`
	Amount      string `json:"amount"`
	// Condition is in hexadecimal.
	Condition string    `json:"condition"`
	ExpiresAt time.Time `json:"expiresAt"`
	// Outcome says whether the packet was fulfilled.
	Outcome SendOutcome `json:"outcome"`
	// Account is the id of that which it left by; missing if it left by none.
	Account string `json:"account,omitempty"`
	// Paid is what was posted to Account: Amount, or 0 where nothing was paid or
	// nobody knows.
	Paid string `json:"paid"`
	// RoundTrip is in microseconds, until the answer or until nobody waited for
	// it any more.
	RoundTrip int64 `json:"roundTripMicroseconds"`
	// Fulfillment, in hexadecimal, and Data are those of the fulfill.
	Fulfillment string `json:"fulfillment,omitempty"`
	Data        []byte `json:"data,omitempty"`
	// Reject is the answer of a packet that was rejected.
	Reject *SendReject `json:"reject,omitempty"`
	// Error says what is known where the outcome is not, or where a packet was
	// fulfilled and that may not be durable in the books.
	Error string `json:"error,omitempty"`
}

// SendOutcome is what became of a packet of POST /send.
type SendOutcome string

// The outcomes. What is unknown may be fulfilled until the packet expires; the
// log of the connector has it then.
const (
	SendFulfilled SendOutcome = "fulfilled"
	SendRejected  SendOutcome = "rejected"
	SendUnknown   SendOutcome = "unknown"
)

// SendReject is all of a reject.
type SendReject struct {
	Reject
	// Name is what RFC 27 calls the code; empty for a code that it has not.
	Name string `json:"name"`
	Data []byte `json:"data,omitempty"`
}

// How long packets of POST /send live.
const (
	DefaultSendExpiry = 30 * time.Second
	MaxSendExpiry     = 5 * time.Minute
)

// bookingPatience is how long a booking may take once the packet is answered:
// the store may be slow.
const bookingPatience = 10 * time.Second

func (h *Handler) send(r *http.Request) (any, error) {
	var body SendRequest
	if err := readJSON(r, &body, "there is no body: it must be a destination and an amount"); err != nil {
		return nil, err
	}
	p, expiry, err := h.prepareOf(&body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := timeout(r, expiry+bookingPatience)
	defer cancel()
	sent, err := h.c.Send(ctx, p)
	if _, answered := errors.AsType[*ilp.Reject](err); !answered && errors.Is(err, plugin.ErrNotSent) {
		return nil, problemf(http.StatusBadRequest, "%v", err)
	}
	return sendResultOf(p, &sent, err), nil
}

// prepareOf makes the packet that a request asks for.
func (h *Handler) prepareOf(body *SendRequest) (p *ilp.Prepare, expiry time.Duration, err error) {
	p = &ilp.Prepare{Data: body.Data}
	if p.Destination, err = ilp.ParseAddress(body.Destination); err != nil {
		return nil, 0, problemf(http.StatusBadRequest, "destination: %v", err)
	}
	if p.Amount, err = parseAmount("amount", body.Amount); err != nil {
		return nil, 0, err
	}
	if p.Condition, err = conditionOf(body); err != nil {
		return nil, 0, err
	}
	expiry = DefaultSendExpiry
	if body.ExpiresIn != "" {
		if expiry, err = time.ParseDuration(body.ExpiresIn); err != nil || expiry <= 0 || expiry > MaxSendExpiry {
			return nil, 0, problemf(http.StatusBadRequest, "expiresIn is %.40q: it must be more than 0 and at most %v, such as %v", body.ExpiresIn, MaxSendExpiry, DefaultSendExpiry)
		}
	}
	p.ExpiresAt = h.c.Now().Add(expiry).UTC().Truncate(time.Millisecond)
	return p, expiry, nil
}

func conditionOf(body *SendRequest) (condition ilp.Condition, err error) {
	switch {
	case body.Condition != "" && body.Fulfillment != "":
		return condition, problemf(http.StatusBadRequest, "condition and fulfillment are both there: the fulfillment alone makes the condition")
	case body.Condition != "":
		return parse32("condition", body.Condition)
	case body.Fulfillment != "":
		fulfillment, err := parse32("fulfillment", body.Fulfillment)
		return ilp.Fulfillment(fulfillment).Condition(), err
	}
	rand.Read(condition[:]) // never fails
	return condition, nil
}

// parse32 reads 32 bytes. What it says is wrong quotes nothing: a fulfillment
// is a secret.
func parse32(field, text string) (bytes [32]byte, err error) {
	decoded, err := hex.DecodeString(text)
	if err != nil {
		plain := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
		decoded, err = base64.RawURLEncoding.DecodeString(plain)
	}
	if err != nil || len(decoded) != len(bytes) {
		return bytes, problemf(http.StatusBadRequest, "%s must be %d bytes, as %d hexadecimal digits or in base64", field, len(bytes), 2*len(bytes))
	}
	return [32]byte(decoded), nil
}

func sendResultOf(p *ilp.Prepare, sent *connector.Sent, err error) SendResult {
	result := SendResult{
		Destination: p.Destination.String(), Amount: decimal(p.Amount), Condition: p.Condition.String(), ExpiresAt: p.ExpiresAt,
		Outcome: SendUnknown, Account: sent.Account, Paid: decimal(sent.Paid), RoundTrip: sent.RoundTrip.Microseconds(),
	}
	reject, rejected := errors.AsType[*ilp.Reject](err)
	switch {
	case sent.Fulfill != nil:
		result.Outcome, result.Fulfillment, result.Data = SendFulfilled, hex.EncodeToString(sent.Fulfill.Fulfillment[:]), sent.Fulfill.Data
	case rejected:
		result.Outcome, result.Reject = SendRejected, &SendReject{Reject: *rejectOf(reject), Name: reject.Code.Name(), Data: reject.Data}
		return result
	}
	if err != nil {
		result.Error = err.Error()
	}
	return result
}
