package interop_test

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// The calls of js/peer.js, in its order.

// connect dials, and returns when the connector has accepted the token.
func (p *peer) connect(ctx context.Context) error {
	return p.call(ctx, "connect", nil, nil)
}

// listen has a peer with a listener listen, and returns its port.
func (p *peer) listen(ctx context.Context) (int, error) {
	var result struct{ Port int }
	err := p.call(ctx, "listen", nil, &result)
	return result.Port, err
}

// configuration is what ILDCP tells a child.
type configuration struct {
	Address    string
	AssetCode  string
	AssetScale uint8
}

func (p *peer) configure(ctx context.Context) (configuration, error) {
	var result configuration
	err := p.call(ctx, "configure", nil, &result)
	return result, err
}

// receive starts a STREAM server.
func (p *peer) receive(ctx context.Context) error {
	return p.call(ctx, "receive", nil, nil)
}

// invitation is where one payment can be made to.
type invitation struct {
	Address string `json:"address"`
	Secret  string `json:"secret"`
}

// invite gives a new address of the STREAM server.
func (p *peer) invite(ctx context.Context) (invitation, error) {
	var result invitation
	err := p.call(ctx, "invite", nil, &result)
	return result, err
}

// received tells what the STREAM server has taken, in units of its account.
func (p *peer) received(ctx context.Context) (total uint64, err error) {
	var result struct {
		Total uint64 `json:",string"`
	}
	err = p.call(ctx, "received", nil, &result)
	return result.Total, err
}

// payment is what became of a payment by STREAM.
type payment struct {
	Sent      uint64 `json:",string"` // in units of the sender
	Delivered uint64 `json:",string"` // in units of the receiver, by its word
}

// pay pays amount, in units of the sender, over a STREAM connection of its
// own.
func (p *peer) pay(ctx context.Context, to invitation, amount uint64) (payment, error) {
	with := struct {
		invitation
		Amount uint64 `json:"amount,string"`
	}{to, amount}
	var result payment
	err := p.call(ctx, "pay", with, &result)
	return result, err
}

// send sends a bare prepare and returns the reply.
func (p *peer) send(ctx context.Context, prepare *ilp.Prepare) (ilp.Reply, error) {
	var result reply
	if err := p.call(ctx, "send", newPrepare(prepare), &result); err != nil {
		return nil, err
	}
	return result.parse(), nil
}

// answer has the peer answer every packet from now on with r.
func (p *peer) answer(ctx context.Context, r ilp.Reply) error {
	return p.call(ctx, "answer", newReply(r), nil)
}

// fail has the peer answer every packet from now on with an error of BTP.
func (p *peer) fail(ctx context.Context, message string) error {
	return p.call(ctx, "fail", struct {
		Message string `json:"message"`
	}{message}, nil)
}

// taken returns the prepares that answer has answered.
func (p *peer) taken(ctx context.Context) ([]ilp.Prepare, error) {
	var result []prepare
	err := p.call(ctx, "taken", nil, &result)
	all := make([]ilp.Prepare, len(result))
	for i, p := range result {
		all[i] = p.parse()
	}
	return all, err
}

// prepare is a Prepare as js/packets.js writes and reads it.
type prepare struct {
	Amount      uint64      `json:"amount,string"`
	ExpiresAt   time.Time   `json:"expiresAt"`
	Condition   octets      `json:"condition"`
	Destination ilp.Address `json:"destination"`
	Data        octets      `json:"data"`
}

func newPrepare(p *ilp.Prepare) prepare {
	return prepare{p.Amount, p.ExpiresAt, p.Condition[:], p.Destination, p.Data}
}

func (p *prepare) parse() ilp.Prepare {
	parsed := ilp.Prepare{Amount: p.Amount, ExpiresAt: p.ExpiresAt, Destination: p.Destination, Data: p.Data}
	copy(parsed.Condition[:], p.Condition)
	return parsed
}

// reply is a Fulfill, if it has a fulfillment, or else a Reject.
type reply struct {
	Fulfillment octets      `json:"fulfillment,omitempty"`
	Code        ilp.Code    `json:"code,omitempty"`
	TriggeredBy ilp.Address `json:"triggeredBy"`
	Message     string      `json:"message"`
	Data        octets      `json:"data"`
}

func newReply(r ilp.Reply) reply {
	switch r := r.(type) {
	case *ilp.Fulfill:
		return reply{Fulfillment: r.Fulfillment[:], Data: r.Data}
	case *ilp.Reject:
		return reply{Code: r.Code, TriggeredBy: r.TriggeredBy, Message: r.Message, Data: r.Data}
	}
	return reply{}
}

func (r *reply) parse() ilp.Reply {
	if r.Fulfillment == nil {
		return &ilp.Reject{Code: r.Code, TriggeredBy: r.TriggeredBy, Message: r.Message, Data: r.Data}
	}
	fulfill := &ilp.Fulfill{Data: r.Data}
	copy(fulfill.Fulfillment[:], r.Fulfillment)
	return fulfill
}

// octets are bytes, in JSON as hexadecimal text.
type octets []byte

func (o octets) String() string { return hex.EncodeToString(o) }

func (o octets) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, o), nil
}

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.AppendDecode(nil, text)
	return err
}
