package ilp_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/vectors"
)

// packetVectors is testdata/ilp_packets.json.
type packetVectors struct {
	Valid          []packetVector
	AmountTooLarge []struct {
		ID, ReceivedAmount, MaximumAmount string
		vectors.Wire
	} `json:"amount_too_large_data"`
	ConditionPairs []struct {
		ID, Fulfillment, Condition string
	} `json:"condition_pairs"`
	InPlaceEdits []struct {
		ID, Before, After, NewAmount string
		NewExpiresAt                 time.Time
	} `json:"in_place_edits"`
	Malformed []struct {
		ID, Name, Why, RFC string
		vectors.Wire
	}
}

type packetVector struct {
	ID, Name, Type string
	Fields         struct {
		Amount             string
		ExpiresAt          time.Time
		ExecutionCondition string
		Destination        vectors.Text
		Fulfillment        string
		Code               ilp.Code
		TriggeredBy        vectors.Text
		Message            vectors.Text
		Data               vectors.Filled
	}
	vectors.Wire
}

// packet is what the three types of packets have in common.
type packet interface {
	Decode([]byte) error
	AppendBinary([]byte) ([]byte, error)
	Size() int
}

// made gives the packet that v describes.
func (v packetVector) made(t *testing.T) packet {
	t.Helper()
	data := v.Fields.Data.Bytes(t)
	switch v.Type {
	case "prepare":
		return &ilp.Prepare{
			Amount:      vectors.Uint(t, v.Fields.Amount),
			ExpiresAt:   v.Fields.ExpiresAt,
			Condition:   ilp.Condition(vectors.Hex(t, v.Fields.ExecutionCondition)),
			Destination: ilp.MustParseAddress(string(v.Fields.Destination)),
			Data:        data,
		}
	case "fulfill":
		return &ilp.Fulfill{Fulfillment: ilp.Fulfillment(vectors.Hex(t, v.Fields.Fulfillment)), Data: data}
	case "reject":
		r := &ilp.Reject{Code: v.Fields.Code, Message: string(v.Fields.Message), Data: data}
		if v.Fields.TriggeredBy != "" {
			r.TriggeredBy = ilp.MustParseAddress(string(v.Fields.TriggeredBy))
		}
		return r
	}
	t.Fatalf("no test for packets of type %q", v.Type)
	return nil
}

// samePacket compares the exported fields.
func samePacket(a, b packet) bool {
	switch a := a.(type) {
	case *ilp.Prepare:
		b, ok := b.(*ilp.Prepare)
		return ok && a.Amount == b.Amount && a.ExpiresAt.Equal(b.ExpiresAt) && a.Condition == b.Condition &&
			a.Destination == b.Destination && bytes.Equal(a.Data, b.Data)
	case *ilp.Fulfill:
		b, ok := b.(*ilp.Fulfill)
		return ok && a.Fulfillment == b.Fulfillment && bytes.Equal(a.Data, b.Data)
	case *ilp.Reject:
		b, ok := b.(*ilp.Reject)
		return ok && a.Code == b.Code && a.TriggeredBy == b.TriggeredBy && a.Message == b.Message && bytes.Equal(a.Data, b.Data)
	}
	return false
}

// decode gives the packet that b is, by its type.
func decode(b []byte) (packet, error) {
	switch ilp.PacketType(b) {
	case ilp.TypePrepare:
		p := new(ilp.Prepare)
		return p, p.Decode(b)
	case ilp.TypeFulfill:
		f := new(ilp.Fulfill)
		return f, f.Decode(b)
	case ilp.TypeReject:
		r := new(ilp.Reject)
		return r, r.Decode(b)
	}
	// No type at all: none of the decoders may take it.
	if new(ilp.Prepare).Decode(b) == nil || new(ilp.Fulfill).Decode(b) == nil || new(ilp.Reject).Decode(b) == nil {
		return nil, nil
	}
	_, err := ilp.DecodeReply(b, new(ilp.Fulfill), new(ilp.Reject))
	return nil, err
}

func TestVectorsValid(t *testing.T) { // ILP4-01 to ILP4-10
	for _, v := range vectors.Some(t, vectors.Load[packetVectors](t, "testdata/ilp_packets.json").Valid) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			b, want := v.Bytes(t), v.made(t)
			got, err := decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if !samePacket(got, want) {
				t.Errorf("decoded %.300v, want %.300v", got, want)
			}
			for name, p := range map[string]packet{"decoded": got, "made": want} {
				out, err := p.AppendBinary([]byte("before"))
				if err != nil || string(out[:6]) != "before" || !bytes.Equal(out[6:], b) {
					t.Errorf("the %s packet is encoded as %.80x, %v; want %.80x", name, out, err, b)
				}
				if p.Size() != len(b) {
					t.Errorf("the %s packet announces %d bytes, want %d", name, p.Size(), len(b))
				}
			}
		})
	}
}

// Where the standard leaves the choice ("may"), lengths that are not canonical
// are refused, and the packets named here are accepted.
var mayAccept = map[string]string{
	"expiresAt-year-0099":         "a year is what it says",
	"expiresAt-year-0000":         "a year is what it says",
	"reject-message-invalid-utf8": "the bytes of a message are relayed, not read",
}

func TestVectorsMalformed(t *testing.T) {
	for _, v := range vectors.Some(t, vectors.Load[packetVectors](t, "testdata/ilp_packets.json").Malformed) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			b := v.Bytes(t)
			accept := v.RFC == "accept"
			if _, ok := mayAccept[v.Name]; ok && v.RFC == "may" {
				accept = true
			}
			p, err := decode(b)
			if (err == nil) != accept {
				t.Fatalf("%s: got %v, and the verdict is %s", v.Why, err, v.RFC)
			}
			if err != nil {
				if !errors.Is(err, ilp.ErrInvalidPacket) {
					t.Errorf("%v does not wrap ErrInvalidPacket", err)
				}
				return
			}
			// What is accepted comes out as it went in. Bytes after the
			// fields stay in a Prepare; those after the envelope do not.
			out, err := p.AppendBinary(nil)
			if err != nil || len(out) > len(b) || out[0] != b[0] {
				t.Fatalf("encoded as %x, %v", out, err)
			}
			if _, ok := p.(*ilp.Prepare); ok && !bytes.HasPrefix(b, out) {
				t.Errorf("encoded as %x, want the start of %x", out, b)
			}
			again, err := decode(out)
			if err != nil || !samePacket(again, p) {
				t.Errorf("encoded and decoded as %v, %v; want %v", again, err, p)
			}
		})
	}
}

func TestVectorsInPlaceEdits(t *testing.T) { // ILP4-04, ILP4-21
	for _, v := range vectors.Some(t, vectors.Load[packetVectors](t, "testdata/ilp_packets.json").InPlaceEdits) {
		t.Run(v.ID, func(t *testing.T) {
			before, want := vectors.Hex(t, v.Before), vectors.Hex(t, v.After)
			amount := vectors.Uint(t, v.NewAmount)
			var p ilp.Prepare
			if err := p.Decode(before); err != nil {
				t.Fatal(err)
			}
			p.Amount, p.ExpiresAt = amount, v.NewExpiresAt
			if out, err := p.AppendBinary(nil); err != nil || !bytes.Equal(out, want) {
				t.Errorf("encoded as %x, %v; want %x", out, err, want)
			}
			inPlace := bytes.Clone(before)
			if err := ilp.Rewrite(inPlace, amount, v.NewExpiresAt); err != nil || !bytes.Equal(inPlace, want) {
				t.Errorf("rewritten as %x, %v; want %x", inPlace, err, want)
			}
		})
	}
}

func TestVectorsConditions(t *testing.T) { // ILP4-10
	for _, v := range vectors.Some(t, vectors.Load[packetVectors](t, "testdata/ilp_packets.json").ConditionPairs) {
		f := ilp.Fulfillment(vectors.Hex(t, v.Fulfillment))
		if got := f.Condition().String(); got != v.Condition {
			t.Errorf("%s: condition %s, want %s", v.ID, got, v.Condition)
		}
	}
}

func TestVectorsAmountTooLarge(t *testing.T) { // ILP4-52
	for _, v := range vectors.Some(t, vectors.Load[packetVectors](t, "testdata/ilp_packets.json").AmountTooLarge) {
		b := v.Bytes(t)
		want := ilp.AmountTooLarge{Received: vectors.Uint(t, v.ReceivedAmount), Maximum: vectors.Uint(t, v.MaximumAmount)}
		var got ilp.AmountTooLarge
		if err := got.Decode(b); err != nil || got != want {
			t.Errorf("%s: decoded %v, %v; want %v", v.ID, got, err, want)
		}
		if out, err := want.AppendBinary(nil); err != nil || !bytes.Equal(out, b) {
			t.Errorf("%s: encoded %x, %v; want %x", v.ID, out, err, b)
		}
	}
}
