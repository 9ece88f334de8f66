package ildcp_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/vectors"
	"github.com/interledger-go/connector/oer"
)

var now = time.Date(2015, 6, 16, 0, 0, 0, 0, time.UTC)

// The texts are the reference's (DCP-06).
func TestCheckRequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *ilp.Prepare)
		want   string // empty: a request
	}{
		{"request", func(*ilp.Prepare) {}, ""},
		{"with an amount (DCP-05)", func(p *ilp.Prepare) { p.Amount = 1 << 63 }, ""},
		{"with data (DCP-06)", func(p *ilp.Prepare) { p.Data = []byte("V;ekv") }, ""},
		{"expires now", func(p *ilp.Prepare) { p.ExpiresAt = now }, ""},
		{"has expired", func(p *ilp.Prepare) { p.ExpiresAt = now.Add(-time.Millisecond) }, "IL-DCP request packet is expired."},
		{"another condition", func(p *ilp.Prepare) { p.Condition[31] ^= 1 }, "packet does not contain correct condition for a peer protocol request."},
		{"no destination", func(p *ilp.Prepare) { p.Destination = ilp.Address{} }, "packet is not an IL-DCP request."},
		{"below the destination", func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.config.x") }, "packet is not an IL-DCP request."},
		{"beside the destination", func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.configs") }, "packet is not an IL-DCP request."},
		{"in capitals", func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.Config") }, "packet is not an IL-DCP request."},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ildcp.Request(now.Add(time.Minute))
			c.change(&p)
			err := ildcp.CheckRequest(&p, now)
			if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("CheckRequest = %v, want %q", err, c.want)
			}
		})
	}
}

// Reference test 31.
func TestResponseOfTheReference(t *testing.T) {
	r := ildcp.Response{Address: ilp.MustParseAddress("test.connie.mock.test3"), Asset: ilp.Asset{Code: "USD", Scale: 4}}
	if want := vectors.Hex(t, "16746573742e636f6e6e69652e6d6f636b2e74657374330403555344"); !bytes.Equal(r.Fulfill().Data, want) {
		t.Errorf("the data is %x, want %x", r.Fulfill().Data, want)
	}
}

// response is the data of an answer.
func response(address string, scale uint8, code string) []byte {
	data := oer.AppendString(nil, address)
	data = append(data, scale)
	return oer.AppendString(data, code)
}

// An error says which part is wrong.
func TestParseFulfillNamesFault(t *testing.T) {
	for _, c := range []struct {
		name    string
		fulfill ilp.Fulfill
		want    string
	}{
		{"fulfillment", ilp.Fulfill{Fulfillment: ilp.Fulfillment{31: 1}, Data: response("test.a", 9, "USD")}, "the fulfillment is not the one of peer protocols"},
		{"no data", ilp.Fulfill{}, "truncated"},
		{"no scale", ilp.Fulfill{Data: oer.AppendString(nil, "test.a")}, "truncated"},
		{"no code", ilp.Fulfill{Data: response("test.a", 9, "USD")[:8]}, "truncated"},
		{"a length beyond everything", ilp.Fulfill{Data: []byte{0x84, 0x7f, 0xff, 0xff, 0xff}}, "truncated"},
		{"no address", ilp.Fulfill{Data: response("", 9, "USD")}, "client address"},
		{"no valid address", ilp.Fulfill{Data: response("test..a", 9, "USD")}, "client address"},
		{"address of nobody", ilp.Fulfill{Data: response("peer.me", 9, "USD")}, "client address peer.me cannot be anybody's own"},
		{"address of the machine", ilp.Fulfill{Data: response("self.me", 9, "USD")}, "client address self.me cannot be anybody's own"},
		{"code", ilp.Fulfill{Data: response("test.a", 9, "\xff")}, "the asset code is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ildcp.ParseFulfill(&c.fulfill)
			if err == nil || got != (ildcp.Response{}) {
				t.Fatalf("ParseFulfill = %+v, %v, want an error and nothing else", got, err)
			}
			if !strings.HasPrefix(err.Error(), "ildcp: response: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %q, want it to say %q", err, c.want)
			}
		})
	}
}

// A response is kept for as long as the child runs: it must not keep the
// packet, nor change with it.
func TestParseFulfillSharesNothing(t *testing.T) {
	data := response("test.parent.child", 9, "USD")
	got, err := ildcp.ParseFulfill(&ilp.Fulfill{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if want := (ildcp.Response{Address: ilp.MustParseAddress("test.parent.child"), Asset: ilp.Asset{Code: "USD", Scale: 9}}); got != want {
		t.Errorf("the response is now %+v, want %+v", got, want)
	}
}

// Whatever a parent sends, ParseFulfill refuses it or gives a response that
// is written as the bytes it was read from, save what came after them
// (OER-17).
func FuzzParseFulfill(f *testing.F) {
	v := load(f)
	for _, r := range v.Response {
		f.Add(make([]byte, 32), vectors.Hex(f, r.Data))
	}
	for _, r := range v.Malformed {
		var fulfill ilp.Fulfill
		if r.Kind == "response" && fulfill.Decode(vectors.Hex(f, r.Hex)) == nil {
			f.Add(fulfill.Fulfillment[:], fulfill.Data)
		}
	}
	f.Fuzz(func(t *testing.T, fulfillment, data []byte) {
		fulfill := ilp.Fulfill{Data: data}
		copy(fulfill.Fulfillment[:], fulfillment)
		kept := bytes.Clone(data)
		got, err := ildcp.ParseFulfill(&fulfill)
		if !bytes.Equal(data, kept) {
			t.Error("the packet was written to")
		}
		if err != nil {
			if got != (ildcp.Response{}) {
				t.Errorf("an error and the response %+v", got)
			}
			return
		}
		if fulfill.Fulfillment != ilp.PeerFulfillment {
			t.Errorf("accepted with the fulfillment %x", fulfill.Fulfillment)
		}
		again := got.Fulfill()
		if !bytes.HasPrefix(data, again.Data) {
			t.Errorf("%+v was read from\n%x and is written as\n%x", got, data, again.Data)
		}
		back, err := ildcp.ParseFulfill(again)
		if err != nil || back != got {
			t.Errorf("read again it is %+v, %v, want %+v", back, err, got)
		}
	})
}
