package ccp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/vectors"
	"github.com/interledger-go/connector/oer"
)

func equal[T any](t testing.TB, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func addr(s string) ilp.Address { return ilp.MustParseAddress(s) }

func path(hops ...string) (p []ilp.Address) {
	for _, hop := range hops {
		p = append(p, addr(hop))
	}
	return p
}

func auth(t testing.TB, s string) ccp.Auth {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatalf("auth %q: %d bytes, %v", s, len(b), err)
	}
	return ccp.Auth(b)
}

func secret(t testing.TB) []byte {
	t.Helper()
	a := auth(t, "c8rEzjyVRS7gGB3xLuy/GBDDKzZDPVJor/w6IA6pMfo=")
	return a[:]
}

// The reference's bytes of a Control and an Update with everything in them.
func TestReferenceBytes(t *testing.T) {
	control := ccp.Control{Mode: ccp.Sync, Epoch: 32, Features: []string{"foo", "bar"},
		TableID: ccp.TableID(vectors.Hex(t, "70d1a134a0df4f47964f6e19e2ab379f"))}
	got, err := control.AppendBinary([]byte("x"))
	if want := append([]byte("x"), vectors.Hex(t, "0170d1a134a0df4f47964f6e19e2ab379f00000020010203666f6f03626172")...); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the control is %x, %v, want %x", got, err, want)
	}
	update := ccp.Update{
		TableID:      ccp.TableID(vectors.Hex(t, "3b069822a7544e448a600f9f7084144d")),
		CurrentEpoch: 5, ToEpoch: 5, HoldDown: ccp.DefaultHoldDown, Speaker: addr("test.connie"),
		NewRoutes: []*ccp.Route{{
			Prefix: "test.p", Path: path("test.connie", "test.x"), Auth: ccp.Auth(bytes.Repeat([]byte{0xaa}, 32)),
			Props: []ccp.Property{{Optional: true, Transitive: true, UTF8: true, ID: 7, Value: []byte("hi")}},
		}},
		WithdrawnRoutes: []string{"test.w"},
	}
	got, err = update.AppendBinary(nil)
	want := vectors.Hex(t, "3b069822a7544e448a600f9f7084144d0000000500000000000000050000afc80b746573742e636f6e6e6965"+
		"010106746573742e7001020b746573742e636f6e6e696506746573742e78"+strings.Repeat("aa", 32)+"0101d00007026869010106746573742e77")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the update is\n%x, %v, want\n%x", got, err, want)
	}
}

// CCP-35: the reference's chain of auths.
func TestAuth(t *testing.T) {
	for _, c := range []struct{ prefix, own, next string }{
		{"test.prefix", "hHGPAri/SbpL0ghJDzPBnsHYniyfvDF6hDjo0lNMzIY=", "2mgQJ9MAIe91vuQ+PddM6j8DGfqOAu0PH8ni5n+8lTM="},
		{"test.connie", "", "muk4Yc9MJfF9JOiCVhwdG/+Iffhw+g7fUPjRJTef24o="},
		{"test.eur-ledger", "", "pzvpeQd5hc2o53xnDqXfNKH3ghg9lb3b1bZb8N3Wzqk="},
	} {
		route := ccp.OriginRoute(secret(t), c.prefix)
		if route.Prefix != c.prefix || len(route.Path) != 0 {
			t.Errorf("OriginRoute = %+v", route)
		}
		if c.own != "" && route.Auth != auth(t, c.own) {
			t.Errorf("the auth of %s is %x", c.prefix, route.Auth)
		}
		if got := route.Auth.Next(); got != auth(t, c.next) {
			t.Errorf("the next auth of %s is %x", c.prefix, got)
		}
	}
	if got := auth(t, "RLQ3sZWn8Y5TSNJM9qXszfxVlcuERxsxpy+7RhaUadk=").Next(); got != auth(t, "VpLK9Fmhx11TynRzmQTvnynGYc+tOwoShsJ5QW61/O8=") {
		t.Errorf("the next auth is %x", got)
	}
}

// raw writes an update whose addresses need not be valid.
func raw(speaker string, routes [][]string, withdrawn ...string) []byte {
	b := make([]byte, 16)
	for _, n := range []uint32{9, 0, 9, 45000} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	b = oer.AppendString(b, speaker)
	b = oer.AppendUint(b, uint64(len(routes)))
	for _, r := range routes { // the prefix, and the path
		b = oer.AppendString(b, r[0])
		b = oer.AppendUint(b, uint64(len(r)-1))
		for _, hop := range r[1:] {
			b = oer.AppendString(b, hop)
		}
		b = append(b, make([]byte, 32)...)
		b = oer.AppendUint(b, 0)
	}
	b = oer.AppendUint(b, uint64(len(withdrawn)))
	for _, prefix := range withdrawn {
		b = oer.AppendString(b, prefix)
	}
	return b
}

// One malformed route is reported, and does not take the others with it.
func TestDecodeLeavesOutMalformedRoutes(t *testing.T) {
	data := raw("test.s", [][]string{
		{"test..bad", "test.s"}, {"test.good", "test.s", "test.o"}, {"test.path", "test.s", "nonsense"}, {"", "test.s"}, {"test", "test.s", "test.o"},
	}, "test.gone", "not an address", "")
	var u ccp.Update
	err := u.Decode(data)
	partial, ok := errors.AsType[*ccp.RoutesError](err)
	if !ok || !errors.Is(err, ilp.ErrInvalidAddress) {
		t.Fatalf("Decode = %v, want a RoutesError that wraps ErrInvalidAddress", err)
	}
	if partial.Malformed != 5 {
		t.Errorf("%d malformed routes, want 5", partial.Malformed)
	}
	equal(t, partial.Prefixes, []string{"test.path"})
	equal(t, u.WithdrawnRoutes, []string{"test.gone"})
	equal(t, u.NewRoutes, []*ccp.Route{{Prefix: "test.good", Path: path("test.s", "test.o")}, {Prefix: "test", Path: path("test.s", "test.o")}})
	if &u.NewRoutes[0].Path[0] != &u.NewRoutes[1].Path[0] {
		t.Error("two routes with one path have two copies of it")
	}
}

// Thousands of malformed addresses in one packet are no accident.
func TestDecodeRefusesNothingButMalformedRoutes(t *testing.T) {
	var u ccp.Update
	for n, partial := range map[int]bool{1000: true, 1001: false, 30_000: false} {
		err := u.Decode(raw("test.s", nil, make([]string, n)...))
		if _, ok := errors.AsType[*ccp.RoutesError](err); ok != partial || !errors.Is(err, ilp.ErrInvalidAddress) {
			t.Errorf("%d malformed withdrawals: %T %v", n, err, err)
		}
	}
	equal(t, u.NewRoutes, nil)
}

// OER-12: what a count promises costs nothing before it is there.
func TestDecodeAllocatesNothingForPromises(t *testing.T) {
	head := raw("test.s", nil)
	head = head[:len(head)-4] // without the two counts
	for name, data := range map[string][]byte{
		"routes":     oer.AppendUint(bytes.Clone(head), 1e6),
		"withdrawn":  oer.AppendUint(oer.AppendUint(bytes.Clone(head), 0), 1e6),
		"path":       oer.AppendUint(oer.AppendString(oer.AppendUint(bytes.Clone(head), 1), "test.p"), 1e6),
		"properties": oer.AppendUint(append(oer.AppendUint(oer.AppendString(oer.AppendUint(bytes.Clone(head), 1), "test.p"), 0), make([]byte, 32)...), 1e6),
	} {
		t.Run(name, func(t *testing.T) {
			data = append(data, make([]byte, 64)...)
			var u ccp.Update
			if err := u.Decode(data); !errors.Is(err, oer.ErrTruncated) {
				t.Errorf("Decode = %v, want ErrTruncated", err)
			}
			equal(t, u, ccp.Update{})
			if n := testing.AllocsPerRun(10, func() { _ = u.Decode(data) }); n > 8 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	ok := func() ccp.Update { return ccp.Update{Speaker: addr("test.s"), HoldDown: time.Second} }
	for name, change := range map[string]func(*ccp.Update){
		"no speaker":          func(u *ccp.Update) { u.Speaker = ilp.Address{} },
		"negative hold-down":  func(u *ccp.Update) { u.HoldDown = -1 },
		"hold-down too long":  func(u *ccp.Update) { u.HoldDown = 1 << 32 * time.Millisecond },
		"prefix":              func(u *ccp.Update) { u.NewRoutes = []*ccp.Route{{Prefix: "test."}} },
		"hop without address": func(u *ccp.Update) { u.NewRoutes = []*ccp.Route{{Prefix: "test.a", Path: make([]ilp.Address, 1)}} },
		"withdrawn prefix":    func(u *ccp.Update) { u.WithdrawnRoutes = []string{""} },
	} {
		t.Run(name, func(t *testing.T) {
			u := ok()
			change(&u)
			if b, err := u.AppendBinary([]byte("x")); err == nil || string(b) != "x" {
				t.Errorf("AppendBinary = %x, %v, want an error and nothing written", b, err)
			}
			if _, err := u.Prepare(time.Now()); err == nil {
				t.Error("Prepare took it")
			}
		})
	}
	control := ccp.Control{Mode: 2}
	if b, err := control.AppendBinary([]byte("x")); err == nil || string(b) != "x" {
		t.Errorf("mode 2: %x, %v", b, err)
	}
	large := ok()
	for range 40 {
		large.WithdrawnRoutes = append(large.WithdrawnRoutes, "test."+strings.Repeat("a", 1000))
	}
	if _, err := large.Prepare(time.Now()); err == nil {
		t.Error("a message of 40,000 bytes was taken")
	}
}

// The words of the reference (CCP-12, CCP-31).
func TestParseRejects(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		change func(p *ilp.Prepare)
		code   ilp.Code
		suffix string // after the name of the message, or the whole vectors.Text
	}{
		{"expired", func(p *ilp.Prepare) { p.ExpiresAt = now.Add(-1) }, ilp.F00BadRequest, "CCP %s request packet is expired."},
		{"condition", func(p *ilp.Prepare) { p.Condition = ilp.Condition{} }, ilp.F01InvalidPacket, "condition must be peer protocol condition."},
		{"destination", func(p *ilp.Prepare) { p.Destination = addr("peer.route") }, ilp.F00BadRequest, "packet is not a CCP %s request."},
		{"malformed", func(p *ilp.Prepare) { p.Data = nil }, ilp.F00BadRequest, "ccp: %s: oer: truncated"},
	} {
		for name, parse := range map[string]func(*ilp.Prepare) error{
			"route control": func(p *ilp.Prepare) error { _, err := ccp.ParseControl(p, now); return err },
			"route update":  func(p *ilp.Prepare) error { _, err := ccp.ParseUpdate(p, now); return err },
		} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				p := ilp.Prepare{ExpiresAt: now, Condition: ilp.PeerCondition, Destination: addr("peer." + strings.ReplaceAll(name, " ", "."))}
				c.change(&p)
				want := strings.ReplaceAll(c.suffix, "%s", name)
				reject, ok := errors.AsType[*ilp.Reject](parse(&p))
				if !ok || reject.Code != c.code || reject.Message != want {
					t.Errorf("got %v, want %s %s", reject, c.code, want)
				}
			})
		}
	}
}

func TestRejects(t *testing.T) {
	for _, c := range []struct {
		reject *ilp.Reject
		want   string
	}{
		{ccp.RejectStranger(addr(ccp.ControlDestination)), "cannot process route control messages from non-peers."},
		{ccp.RejectStranger(addr(ccp.UpdateDestination)), "cannot process route update messages from non-peers."},
		{ccp.RejectStranger(addr("peer.route.x")), "unrecognized ccp message. destination=peer.route.x"},
		{ccp.RejectNoSender(), "rejecting route control message, we are configured not to send routes to you."},
		{ccp.RejectNoReceiver(), "rejecting route update, we are configured not to receive routes from you."},
	} {
		if c.reject.Code != ilp.F00BadRequest || c.reject.Message != c.want {
			t.Errorf("got %v, want F00 %s", c.reject, c.want)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply ilp.Reply
		err   error
		want  ccp.Outcome
	}{
		{"fulfilled", &ilp.Fulfill{}, nil, ccp.Fulfilled},
		{"fulfilled with data (CCP-02)", &ilp.Fulfill{Data: []byte("x")}, nil, ccp.Fulfilled},
		{"wrong fulfillment", &ilp.Fulfill{Fulfillment: ilp.Fulfillment{1}}, nil, ccp.Failed},
		{"rejected", ilp.Rejectf(ilp.F00BadRequest, "no"), nil, ccp.Rejected},
		{"a reject as an error", nil, ilp.Rejectf(ilp.F00BadRequest, "no"), ccp.Rejected},
		{"timed out", ilp.Rejectf(ilp.R00TransferTimedOut, ""), nil, ccp.TimedOut},
		{"an error", nil, errors.New("no link"), ccp.Failed},
		{"nothing", nil, nil, ccp.Failed},
	} {
		if got := ccp.OutcomeOf(c.reply, c.err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTableIDString(t *testing.T) {
	id := ccp.TableID(vectors.Hex(t, "3b069822a7544e448a600f9f7084144d"))
	if id.String() != "3b069822-a754-4e44-8a60-0f9f7084144d" {
		t.Error(id)
	}
}

func FuzzControl(f *testing.F) {
	v := load(f)
	for _, c := range v.Control {
		f.Add(c.Payload.Bytes(f))
	}
	for _, m := range v.Malformed {
		f.Add(vectors.Hex(f, m.Hex))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		kept := bytes.Clone(data)
		var c ccp.Control
		err := c.Decode(data)
		if !bytes.Equal(data, kept) {
			t.Error("the data was written to")
		}
		if err != nil {
			equal(t, c, ccp.Control{})
			return
		}
		again, err := c.AppendBinary(nil)
		if err != nil || !bytes.HasPrefix(data, again) {
			t.Errorf("read from\n%x and written as\n%x, %v", data, again, err)
		}
	})
}

func FuzzUpdate(f *testing.F) {
	v := load(f)
	for _, u := range v.Update {
		f.Add(u.Payload.Bytes(f))
	}
	for _, m := range v.Malformed {
		f.Add(vectors.Hex(f, m.Hex))
	}
	f.Add(raw("test.s", [][]string{{"test.a", "nonsense"}, {"test.b", "test.s"}, {"test.c", "test.s"}}, "test.d", ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		kept := bytes.Clone(data)
		var u ccp.Update
		err := u.Decode(data)
		if !bytes.Equal(data, kept) {
			t.Error("the data was written to")
		}
		partial, ok := errors.AsType[*ccp.RoutesError](err)
		if err != nil && !ok {
			equal(t, u, ccp.Update{})
			return
		}
		if ok && (partial.Malformed == 0 || partial.Malformed < len(partial.Prefixes)) {
			t.Errorf("%+v", partial)
		}
		again, err := u.AppendBinary(nil)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		// Flags of properties are put in order (CCP-23), so the bytes may
		// differ, but not the second time.
		var back ccp.Update
		if err := back.Decode(again); err != nil {
			t.Fatal(err)
		}
		third, err := back.AppendBinary(nil)
		if err != nil || !bytes.Equal(third, again) {
			t.Errorf("written as\n%x and then as\n%x, %v", again, third, err)
		}
		for _, r := range append(u.NewRoutes, back.NewRoutes...) {
			r.Props = nil
		}
		equal(t, back, u)
	})
}
