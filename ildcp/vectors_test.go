package ildcp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/vectors"
)

// vectorFile is testdata/ildcp.json.
type vectorFile struct {
	Meta struct {
		Clock                               time.Time
		Destination, Condition, Fulfillment string
	} `json:"_meta"`
	Request []struct {
		ID, Name, Hex string
		Fields        struct {
			ExpiresAt time.Time
			Data      string
		}
	}
	Response []struct {
		ID, Name, Data, Hex string
		Fields              struct {
			ClientAddress vectors.Text
			AssetScale    uint8
			AssetCode     vectors.Text
		}
	}
	Reject []struct {
		ID, Name, Hex string
		Fields        struct{ Code, TriggeredBy, Message string }
	}
	Malformed []struct {
		ID, Kind, Name, Hex, Why, RFC string
	}
}

func load(t testing.TB) vectorFile {
	t.Helper()
	v := vectors.Load[vectorFile](t, "testdata/ildcp.json")
	if len(v.Request) == 0 || len(v.Response) == 0 || len(v.Malformed) == 0 || v.Meta.Clock.IsZero() {
		t.Fatal("the file has no vectors")
	}
	return v
}

// DCP-01.
func TestVectorConstants(t *testing.T) {
	v := load(t)
	if ildcp.Destination != v.Meta.Destination {
		t.Errorf("Destination = %q, want %q", ildcp.Destination, v.Meta.Destination)
	}
	p := ildcp.Request(v.Meta.Clock)
	if p.Condition.String() != v.Meta.Condition || p.Destination.String() != v.Meta.Destination || p.Amount != 0 || len(p.Data) != 0 {
		t.Errorf("Request = %+v", p)
	}
	f := ildcp.Response{}.Fulfill().Fulfillment
	if hex.EncodeToString(f[:]) != v.Meta.Fulfillment {
		t.Errorf("the fulfillment is %x, want %s", f, v.Meta.Fulfillment)
	}
}

func TestRequestVectors(t *testing.T) {
	v := load(t)
	for _, r := range v.Request {
		t.Run(r.ID+" "+r.Name, func(t *testing.T) {
			want := vectors.Hex(t, r.Hex)
			request := ildcp.Request(r.Fields.ExpiresAt)
			request.Data = vectors.Hex(t, r.Fields.Data)
			if got, err := request.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("Request is encoded as\n%x, %v, want\n%x", got, err, want)
			}
			var p ilp.Prepare
			if err := p.Decode(want); err != nil {
				t.Fatal(err)
			}
			if err := ildcp.CheckRequest(&p, v.Meta.Clock); err != nil {
				t.Errorf("CheckRequest = %v", err)
			}
		})
	}
}

// DCP-02.
func TestResponseVectors(t *testing.T) {
	for _, r := range load(t).Response {
		t.Run(r.ID+" "+r.Name, func(t *testing.T) {
			want := ildcp.Response{
				Address: ilp.MustParseAddress(string(r.Fields.ClientAddress)),
				Asset:   ilp.Asset{Code: string(r.Fields.AssetCode), Scale: r.Fields.AssetScale},
			}
			packet := vectors.Hex(t, r.Hex)
			var f ilp.Fulfill
			if err := f.Decode(packet); err != nil {
				t.Fatal(err)
			}
			if got, err := ildcp.ParseFulfill(&f); err != nil || got != want {
				t.Errorf("ParseFulfill = %+v, %v, want %+v", got, err, want)
			}
			made := want.Fulfill()
			if !bytes.Equal(made.Data, vectors.Hex(t, r.Data)) {
				t.Errorf("the data is %x, want %s", made.Data, r.Data)
			}
			if got, err := made.AppendBinary(nil); err != nil || !bytes.Equal(got, packet) {
				t.Errorf("the response is encoded as\n%x, %v, want\n%x", got, err, packet)
			}
		})
	}
}

// DCP-03: what a parent answers that cannot, or will not.
func TestRejectVectors(t *testing.T) {
	for _, r := range load(t).Reject {
		t.Run(r.ID+" "+r.Name, func(t *testing.T) {
			var reject ilp.Reject
			if err := reject.Decode(vectors.Hex(t, r.Hex)); err != nil {
				t.Fatal(err)
			}
			_, err := fetchFrom(t, func(*ilp.Prepare) ilp.Reply { return &reject })
			got, ok := errors.AsType[*ilp.Reject](err)
			if !ok || string(got.Code) != r.Fields.Code || got.TriggeredBy.String() != r.Fields.TriggeredBy || got.Message != r.Fields.Message {
				t.Errorf("Fetch = %v, want the reject %+v", err, r.Fields)
			}
		})
	}
}

// What the RFC leaves open, and what we do.
var may = map[string]string{
	"DCPX-004": "accept", // an amount: it may pay for the address some day (DCP-05)
	"DCPX-032": "reject", // peer.me cannot be anybody's own address
	"DCPX-034": "reject", // a length in the long form without need: canonical OER alone
}

func TestMalformedVectors(t *testing.T) {
	v := load(t)
	for _, r := range v.Malformed {
		t.Run(r.ID+" "+r.Name, func(t *testing.T) {
			packet := vectors.Hex(t, r.Hex)
			var err error
			switch r.Kind {
			case "request":
				err = decodeRequest(packet, v.Meta.Clock)
			case "response":
				_, err = decodeResponse(packet)
			default:
				t.Fatalf("the kind is %q, which this test does not know", r.Kind)
			}
			verdict := r.RFC
			if verdict == "may" {
				verdict = may[r.ID]
			}
			switch {
			case verdict == "reject" && err == nil:
				t.Errorf("accepted: %s", r.Why)
			case verdict == "accept" && err != nil:
				t.Errorf("refused (%v): %s", err, r.Why)
			case verdict != "reject" && verdict != "accept":
				t.Errorf("the verdict is %q, which this test does not know", verdict)
			}
		})
	}
}

func decodeRequest(packet []byte, now time.Time) error {
	var p ilp.Prepare
	if err := p.Decode(packet); err != nil {
		return err
	}
	return ildcp.CheckRequest(&p, now)
}

func decodeResponse(packet []byte) (ildcp.Response, error) {
	var f ilp.Fulfill
	if err := f.Decode(packet); err != nil {
		return ildcp.Response{}, err
	}
	return ildcp.ParseFulfill(&f)
}
