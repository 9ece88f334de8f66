package ilp_test

import (
	"bytes"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/vectors"
	"github.com/interledger-go/connector/oer"
)

// addPackets gives the fuzzer the vectors that begin with one of the types,
// and of the valid ones those that are small.
func addPackets(f *testing.F, types ...ilp.Type) {
	f.Helper()
	v := vectors.Load[packetVectors](f, "testdata/ilp_packets.json")
	add := func(b []byte) {
		for _, t := range types {
			if ilp.PacketType(b) == t && len(b) < 2000 {
				f.Add(b)
			}
		}
	}
	for _, c := range v.Valid {
		add(c.Bytes(f))
	}
	for _, c := range v.Malformed {
		add(c.Bytes(f))
	}
}

// plainAddress is the expression of RFC 15 (ADDR-05).
var plainAddress = regexp.MustCompile(`\A(g|private|example|peer|self|test[1-3]?|local)([.][a-zA-Z0-9_~-]+)+\z`)

func isAddress(s string) bool { return len(s) <= 1023 && plainAddress.MatchString(s) }

// contents reads the envelope of a packet in the plainest way.
func contents(b []byte, want ilp.Type) (oer.Reader, bool) {
	r := oer.NewReader(b)
	t, c := r.Uint8(), r.Octets()
	return oer.NewReader(c), r.Err() == nil && t == byte(want)
}

// isPrepare, isFulfill and isReject are the decoders once more, in the plainest
// way, to see that those which take shortcuts accept the same packets.
func isPrepare(b []byte) bool {
	r, ok := contents(b, ilp.TypePrepare)
	r.Uint64()
	_, err := oer.ParseTimestamp(r.Bytes(17))
	r.Bytes(32)
	destination, data := r.Octets(), r.Octets()
	return ok && r.Err() == nil && err == nil && isAddress(string(destination)) && len(data) <= 32767
}

func isFulfill(b []byte) bool {
	r, ok := contents(b, ilp.TypeFulfill)
	r.Bytes(32)
	return ok && len(r.Octets()) <= 32767 && r.Err() == nil
}

func isReject(b []byte) bool {
	r, ok := contents(b, ilp.TypeReject)
	code, by, message, data := r.Bytes(3), r.Octets(), r.Octets(), r.Octets()
	if !ok || r.Err() != nil {
		return false
	}
	return code[0] < 0x80 && code[1] < 0x80 && code[2] < 0x80 &&
		(len(by) == 0 || isAddress(string(by))) && len(message) <= 8191 && len(data) <= 32767
}

// checkRefused fails the test unless err is what a decoder may say of b and p
// has been left zero.
func checkRefused(t *testing.T, p, zero packet, err error, accept bool) {
	t.Helper()
	switch {
	case accept:
		t.Errorf("refused: %v", err)
	case !errors.Is(err, ilp.ErrInvalidPacket):
		t.Errorf("%v does not wrap ErrInvalidPacket", err)
	case !samePacket(p, zero):
		t.Errorf("after %v the packet is %v", err, p)
	}
}

// checkComesBack encodes p and decodes it again into q, which is to be the
// same.
func checkComesBack(t *testing.T, p, q packet) []byte {
	t.Helper()
	out := encode(t, p)
	if len(out) != p.Size() {
		t.Errorf("wrote %d bytes, announced %d", len(out), p.Size())
	}
	if err := q.Decode(out); err != nil || !samePacket(p, q) {
		t.Errorf("%v comes back as %v, %v", p, q, err)
	}
	return out
}

func FuzzPrepareDecode(f *testing.F) {
	addPackets(f, ilp.TypePrepare)
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		var p ilp.Prepare
		if err := p.Decode(b); err != nil {
			checkRefused(t, &p, &ilp.Prepare{}, err, isPrepare(b))
			return
		}
		if !isPrepare(b) {
			t.Fatalf("accepted as %v", p)
		}
		if p.ExpiresAt.IsZero() {
			return // 0001-01-01T00:00:00.000 is read, but not written
		}
		out := checkComesBack(t, &p, new(ilp.Prepare))
		if !bytes.HasPrefix(in, out) {
			t.Errorf("decoded and encoded as %x", out)
		}
		c := p.Clone()
		if !bytes.Equal(checkComesBack(t, &c, new(ilp.Prepare)), out) {
			t.Error("the clone is encoded in another way")
		}
		// The fields by themselves make the same packet, without what came
		// after them.
		made := ilp.Prepare{
			Amount: p.Amount, ExpiresAt: p.ExpiresAt, Condition: p.Condition, Destination: p.Destination, Data: p.Data,
		}
		if b := checkComesBack(t, &made, new(ilp.Prepare)); len(b) > len(out) {
			t.Errorf("the fields are encoded as %x", b)
		}
		if !bytes.Equal(b, in) {
			t.Error("the packet has changed")
		}
	})
}

func FuzzFulfillDecode(f *testing.F) {
	addPackets(f, ilp.TypeFulfill)
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		var p ilp.Fulfill
		if err := p.Decode(b); err != nil {
			checkRefused(t, &p, &ilp.Fulfill{}, err, isFulfill(b))
			return
		}
		if !isFulfill(b) {
			t.Fatalf("accepted as %v", p)
		}
		checkComesBack(t, &p, new(ilp.Fulfill))
		if !bytes.Equal(b, in) {
			t.Error("the packet has changed")
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	addPackets(f, ilp.TypeFulfill, ilp.TypeReject, 0, 1, 15, '{')
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		var fulfill ilp.Fulfill
		var reject ilp.Reject
		got, err := ilp.DecodeReply(b, &fulfill, &reject)
		switch {
		case err != nil:
			if got != nil {
				t.Errorf("got %v with the error %v", got, err)
			}
			checkRefused(t, &fulfill, &ilp.Fulfill{}, err, isFulfill(b))
			checkRefused(t, &reject, &ilp.Reject{}, err, isReject(b))
		case got == ilp.Reply(&fulfill):
			if !isFulfill(b) {
				t.Fatalf("accepted as %v", fulfill)
			}
			checkComesBack(t, &fulfill, new(ilp.Fulfill))
		case got == ilp.Reply(&reject):
			if !isReject(b) {
				t.Fatalf("accepted as %v", reject)
			}
			checkComesBack(t, &reject, new(ilp.Reject))
			if reject.Error() == "" {
				t.Error("the error has no text")
			}
		default:
			t.Errorf("got %v, which is neither", got)
		}
		if !bytes.Equal(b, in) {
			t.Error("the packet has changed")
		}
	})
}

// What Rewrite does in place is what decoding, changing and encoding do.
func FuzzRewrite(f *testing.F) {
	for _, c := range vectors.Load[packetVectors](f, "testdata/ilp_packets.json").Malformed {
		if b := c.Bytes(f); len(b) < 2000 {
			f.Add(b, uint64(1), int64(1_767_323_045_678))
		}
	}
	f.Add(encode(f, somePrepare()), uint64(1<<63), int64(-62_167_219_200_000))
	f.Fuzz(func(t *testing.T, b []byte, amount uint64, milli int64) {
		in, at := bytes.Clone(b), time.UnixMilli(milli)
		var p ilp.Prepare
		valid := p.Decode(bytes.Clone(b)) == nil
		if err := ilp.Rewrite(b, amount, at); err != nil {
			if !bytes.Equal(b, in) {
				t.Errorf("after %v the packet is %x", err, b)
			}
			if year := at.UTC().Year(); valid && year >= 0 && year <= 9999 && !at.IsZero() {
				t.Errorf("a valid packet is refused: %v", err)
			}
			return
		}
		if !valid {
			return // Rewrite does not look at all fields
		}
		p.Amount, p.ExpiresAt = amount, at
		if out := encode(t, &p); !bytes.HasPrefix(b, out) || !bytes.Equal(b[len(out):], in[len(out):]) {
			t.Errorf("rewritten as %x, want %x and the rest of the input", b, out)
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	v := vectors.Load[addressVectors](f, "testdata/addresses.json")
	for _, c := range append(v.Valid, v.Invalid...) {
		f.Add(c.text())
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ilp.ParseAddress(s)
		if (err == nil) != isAddress(s) {
			t.Fatalf("parsed as %q, %v", a, err)
		}
		if err != nil {
			if !errors.Is(err, ilp.ErrInvalidAddress) || !a.IsZero() {
				t.Errorf("got %q with the error %v", a, err)
			}
			return
		}
		if a.String() != s || !a.HasPrefix(a) || a.Clone() != a {
			t.Errorf("%q is not itself", a)
		}
		var back ilp.Address
		text, err := a.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if err := back.UnmarshalText(text); err != nil || back != a {
			t.Errorf("%q comes back as %q, %v", a, back, err)
		}
	})
}

func FuzzAmountTooLargeDecode(f *testing.F) {
	for _, c := range vectors.Load[packetVectors](f, "testdata/ilp_packets.json").AmountTooLarge {
		f.Add(c.Bytes(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a ilp.AmountTooLarge
		if err := a.Decode(b); err != nil {
			if len(b) >= 16 || a != (ilp.AmountTooLarge{}) {
				t.Errorf("got %v, %v", a, err)
			}
			return
		}
		if out := encode(t, a); !bytes.Equal(out, b[:16]) {
			t.Errorf("encoded as %x", out)
		}
	})
}
