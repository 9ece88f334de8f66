package ccp_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/vectors"
)

// vectorFile is testdata/ccp.json.
type vectorFile struct {
	Meta struct {
		Clock              time.Time
		ControlDestination string `json:"control_destination"`
		UpdateDestination  string `json:"update_destination"`
	} `json:"_meta"`
	Control []struct {
		ID, Name        string
		Fields          controlFields
		Payload, Packet vectors.Wire
	}
	Update []struct {
		ID, Name        string
		Fields          updateFields
		RequestedProps  [][]propFields `json:"requested_props"`
		Payload, Packet vectors.Wire
	}
	Response []struct {
		ID, Name, Hex, RFC string
	}
	Malformed []struct {
		ID, Kind, Scope, Name, Hex, Why, RFC string
	}
}

type controlFields struct {
	Mode                    ccp.Mode
	LastKnownRoutingTableID id
	LastKnownEpoch          uint32
	Features                []string
}

type updateFields struct {
	RoutingTableID                    id
	CurrentEpochIndex, FromEpochIndex uint32
	ToEpochIndex                      uint32
	HoldDownTime                      int64
	Speaker                           vectors.Text
	NewRoutes                         []routeFields
	WithdrawnRoutes                   []string
}

type routeFields struct {
	Prefix vectors.Text
	Path   []vectors.Text
	Auth   string
	Props  []propFields
}

type propFields struct {
	IsOptional, IsTransitive, IsPartial, IsUtf8 bool
	ID                                          uint16
	Value                                       struct{ Hex, UTF8 string }
}

// id is a table id, written as the text of a UUID.
type id ccp.TableID

func (i *id) UnmarshalText(b []byte) error {
	decoded, err := hex.DecodeString(strings.ReplaceAll(string(b), "-", ""))
	copy(i[:], decoded)
	return err
}

func (f *controlFields) control() *ccp.Control {
	c := &ccp.Control{Mode: f.Mode, TableID: ccp.TableID(f.LastKnownRoutingTableID), Epoch: f.LastKnownEpoch}
	c.Features = append(c.Features, f.Features...)
	return c
}

func (f *updateFields) update(t testing.TB) *ccp.Update {
	t.Helper()
	u := &ccp.Update{
		TableID:      ccp.TableID(f.RoutingTableID),
		CurrentEpoch: f.CurrentEpochIndex, FromEpoch: f.FromEpochIndex, ToEpoch: f.ToEpochIndex,
		HoldDown: time.Duration(f.HoldDownTime) * time.Millisecond,
		Speaker:  ilp.MustParseAddress(string(f.Speaker)),
	}
	for _, r := range f.NewRoutes {
		route := &ccp.Route{Prefix: string(r.Prefix), Auth: ccp.Auth(vectors.Hex(t, r.Auth)), Props: properties(t, r.Props)}
		for _, hop := range r.Path {
			route.Path = append(route.Path, ilp.MustParseAddress(string(hop)))
		}
		u.NewRoutes = append(u.NewRoutes, route)
	}
	u.WithdrawnRoutes = append(u.WithdrawnRoutes, f.WithdrawnRoutes...)
	return u
}

func properties(t testing.TB, fields []propFields) (props []ccp.Property) {
	t.Helper()
	for _, p := range fields {
		property := ccp.Property{Optional: p.IsOptional, Transitive: p.IsTransitive, Partial: p.IsPartial, UTF8: p.IsUtf8, ID: p.ID}
		if value := append(vectors.Hex(t, p.Value.Hex), p.Value.UTF8...); len(value) > 0 {
			property.Value = value
		}
		props = append(props, property)
	}
	return props
}

func load(t testing.TB) vectorFile {
	t.Helper()
	v := vectors.Load[vectorFile](t, "testdata/ccp.json")
	if len(v.Control) == 0 || len(v.Update) == 0 || len(v.Malformed) == 0 || v.Meta.Clock.IsZero() {
		t.Fatal("the file has no vectors")
	}
	return v
}

// wire encodes a packet.
func wire(t testing.TB, p ilp.Prepare, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// CCP-01.
func TestVectorConstants(t *testing.T) {
	v := load(t)
	if ccp.ControlDestination != v.Meta.ControlDestination || ccp.UpdateDestination != v.Meta.UpdateDestination {
		t.Errorf("destinations %s, %s, want %s, %s", ccp.ControlDestination, ccp.UpdateDestination, v.Meta.ControlDestination, v.Meta.UpdateDestination)
	}
}

// CCP-01, CCP-10.
func TestControlVectors(t *testing.T) {
	v := load(t)
	for _, c := range v.Control {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			want := c.Fields.control()
			p, err := want.Prepare(v.Meta.Clock.Add(ccp.MessageLifetime))
			if got := wire(t, p, err); !bytes.Equal(got, c.Packet.Bytes(t)) {
				t.Errorf("the packet is\n%x, want\n%x", got, c.Packet.Bytes(t))
			}
			var in ilp.Prepare
			if err := in.Decode(c.Packet.Bytes(t)); err != nil {
				t.Fatal(err)
			}
			got, err := ccp.ParseControl(&in, v.Meta.Clock)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, want)
			if data, err := got.AppendBinary(nil); err != nil || !bytes.Equal(data, c.Payload.Bytes(t)) {
				t.Errorf("written again: %x, %v, want %x", data, err, c.Payload.Bytes(t))
			}
		})
	}
}

// CCP-01, CCP-20 to CCP-23.
func TestUpdateVectors(t *testing.T) {
	v := load(t)
	for _, u := range v.Update {
		t.Run(u.ID+" "+u.Name, func(t *testing.T) {
			want := u.Fields.update(t)
			p, err := want.Prepare(v.Meta.Clock.Add(ccp.MessageLifetime))
			if got := wire(t, p, err); !bytes.Equal(got, u.Packet.Bytes(t)) {
				t.Errorf("the packet is\n%x, want\n%x", got, u.Packet.Bytes(t))
			}
			var in ilp.Prepare
			if err := in.Decode(u.Packet.Bytes(t)); err != nil {
				t.Fatal(err)
			}
			got, err := ccp.ParseUpdate(&in, v.Meta.Clock)
			if err != nil {
				t.Fatal(err)
			}
			clear(in.Data) // nothing of the packet is kept
			equal(t, got, want)
			if data, err := got.AppendBinary(nil); err != nil || !bytes.Equal(data, u.Payload.Bytes(t)) {
				t.Errorf("written again: %x, %v, want %x", data, err, u.Payload.Bytes(t))
			}
			// The writer puts flags in order (CCP-23).
			for i, props := range u.RequestedProps {
				want.NewRoutes[i].Props = properties(t, props)
			}
			if data, err := want.AppendBinary(nil); err != nil || !bytes.Equal(data, u.Payload.Bytes(t)) {
				t.Errorf("as asked for: %x, %v, want %x", data, err, u.Payload.Bytes(t))
			}
		})
	}
}

// CCP-02, CCP-03.
func TestResponseVectors(t *testing.T) {
	for _, r := range load(t).Response {
		t.Run(r.ID+" "+r.Name, func(t *testing.T) {
			b := vectors.Hex(t, r.Hex)
			var fulfill ilp.Fulfill
			var reject ilp.Reject
			var outcome ccp.Outcome
			switch {
			case fulfill.Decode(b) == nil:
				outcome = ccp.OutcomeOf(&fulfill, nil)
			case reject.Decode(b) == nil:
				outcome = ccp.OutcomeOf(&reject, nil)
			default:
				outcome = ccp.Failed
			}
			if accepted := outcome == ccp.Fulfilled; accepted != (r.RFC == "accept") {
				t.Errorf("the outcome is %s, want %s", outcome, r.RFC)
			}
		})
	}
}

func TestMalformedVectors(t *testing.T) {
	v := load(t)
	for _, m := range v.Malformed {
		t.Run(m.ID+" "+m.Name, func(t *testing.T) {
			b := vectors.Hex(t, m.Hex)
			err := decode(m.Kind, m.Scope, b, v.Meta.Clock)
			switch {
			case m.RFC == "reject" && err == nil:
				t.Errorf("accepted: %s", m.Why)
			case m.RFC == "accept" && err != nil:
				t.Errorf("refused (%s): %v", m.Why, err)
			}
		})
	}
}

// decode reads the bytes of a malformed vector.
func decode(kind, scope string, b []byte, now time.Time) error {
	p := ilp.Prepare{ExpiresAt: now, Condition: ilp.PeerCondition, Data: b}
	if scope == "packet" {
		if err := p.Decode(b); err != nil {
			return err
		}
	} else {
		p.Destination = ilp.MustParseAddress("peer.route." + kind)
	}
	var err error
	switch kind {
	case "control":
		_, err = ccp.ParseControl(&p, now)
	case "update":
		_, err = ccp.ParseUpdate(&p, now)
	}
	return err
}
