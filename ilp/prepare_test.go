package ilp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

var expiry = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

func somePrepare() *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      107,
		ExpiresAt:   expiry,
		Condition:   ilp.Fulfillment{1}.Condition(),
		Destination: ilp.MustParseAddress("example.alice"),
		Data:        []byte("hello"),
	}
}

// extended gives b, a packet, with more bytes at the end of its contents.
func extended(tb testing.TB, b []byte, more string) []byte {
	tb.Helper()
	r := oer.NewReader(b[1:])
	contents := append(bytes.Clone(r.Octets()), more...)
	if err := r.Err(); err != nil {
		tb.Fatal(err)
	}
	return oer.AppendOctets([]byte{b[0]}, contents)
}

func TestPrepareOffsets(t *testing.T) { // ILP4-03
	b := encode(t, somePrepare())
	contents := b[2:]
	if b[0] != 12 || int(b[1]) != len(contents) {
		t.Errorf("the envelope is %x", b[:2])
	}
	if got := binary.BigEndian.Uint64(contents); got != 107 {
		t.Errorf("the amount at 0 is %d", got)
	}
	if got := string(contents[8:25]); got != "20260102030405678" {
		t.Errorf("the expiry at 8 is %q", got)
	}
	if got := ilp.Condition(contents[25:57]); got != somePrepare().Condition {
		t.Errorf("the condition at 25 is %v", got)
	}
	if got := string(contents[57:]); got != "\x0dexample.alice\x05hello" {
		t.Errorf("at 57 is %q", got)
	}
}

func TestPacketSizes(t *testing.T) { // ILP4-08
	longest := ilp.MustParseAddress("g." + strings.Repeat("a", ilp.MaxAddressLength-2))
	data := make([]byte, ilp.MaxDataLength)
	for _, c := range []struct {
		name string
		p    packet
		want int
	}{
		{"smallest prepare", &ilp.Prepare{ExpiresAt: expiry, Destination: ilp.MustParseAddress("g.a")}, 64},
		{"smallest fulfill", &ilp.Fulfill{}, 35},
		{"smallest reject", &ilp.Reject{Code: ilp.F00BadRequest}, 8},
		{"largest prepare", &ilp.Prepare{ExpiresAt: expiry, Destination: longest, Data: data}, ilp.MaxPrepareSize},
		{"largest fulfill", &ilp.Fulfill{Data: data}, ilp.MaxFulfillSize},
		{"largest reject", &ilp.Reject{
			Code: ilp.F00BadRequest, TriggeredBy: longest, Message: strings.Repeat("m", ilp.MaxMessageLength), Data: data,
		}, ilp.MaxRejectSize},
	} {
		b := encode(t, c.p)
		if len(b) != c.want || c.p.Size() != c.want || len(b) > ilp.MaxPacketSize {
			t.Errorf("the %s has %d bytes and announces %d, want %d", c.name, len(b), c.p.Size(), c.want)
		}
		if back, err := decode(b); err != nil || !samePacket(back, c.p) {
			t.Errorf("the %s does not come back: %v", c.name, err)
		}
	}
}

func TestPrepareForwardedByteForByte(t *testing.T) { // ILP4-21, OER-17
	plain := encode(t, somePrepare())
	for name, in := range map[string][]byte{
		"plain":                       plain,
		"extended":                    extended(t, plain, "extension"),
		"extended to a longer length": extended(t, plain, strings.Repeat("x", 500)),
		"extended above 65535 bytes":  extended(t, plain, strings.Repeat("x", 70000)),
	} {
		t.Run(name, func(t *testing.T) {
			var p ilp.Prepare
			if err := p.Decode(in); err != nil {
				t.Fatal(err)
			}
			if !samePacket(&p, somePrepare()) {
				t.Errorf("decoded %v", p)
			}
			if out := encode(t, &p); !bytes.Equal(out, in) || p.Size() != len(in) {
				t.Errorf("unchanged: %.100x, want %.100x", out, in)
			}
			before := bytes.Clone(in)
			p.Amount, p.ExpiresAt = 106, expiry.Add(-time.Second)
			out := encode(t, &p)
			if !bytes.Equal(in, before) {
				t.Error("encoding has changed the packet that was decoded")
			}
			want := bytes.Clone(in)
			if err := ilp.Rewrite(want, 106, expiry.Add(-time.Second)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out, want) || bytes.Equal(out, in) {
				t.Errorf("forwarded as %.100x, want %.100x", out, want)
			}
		})
	}
}

func TestBytesAfterEnvelopeAreDropped(t *testing.T) { // OER-17
	for _, p := range []packet{somePrepare(), &ilp.Fulfill{Data: []byte("x")}, someReject()} {
		b := encode(t, p)
		got, err := decode(append(bytes.Clone(b), "trailing"...))
		if err != nil {
			t.Fatal(err)
		}
		if out := encode(t, got); !bytes.Equal(out, b) {
			t.Errorf("encoded as %x, want %x", out, b)
		}
	}
}

func TestAppendToDataLeavesThePacket(t *testing.T) {
	for _, p := range []packet{somePrepare(), &ilp.Fulfill{Data: []byte("x")}, someReject()} {
		b := append(extended(t, encode(t, p), "extension"), "next"...)
		in := bytes.Clone(b)
		got, err := decode(b)
		if err != nil {
			t.Fatal(err)
		}
		switch got := got.(type) {
		case *ilp.Prepare:
			_ = append(got.Data, "over"...)
		case *ilp.Fulfill:
			_ = append(got.Data, "over"...)
		case *ilp.Reject:
			_ = append(got.Data, "over"...)
		}
		if !bytes.Equal(b, in) {
			t.Errorf("the packet has become %q", b)
		}
	}
}

func TestPrepareWithReplacedFields(t *testing.T) {
	in := extended(t, encode(t, somePrepare()), "extension")
	for name, replace := range map[string]func(*ilp.Prepare){
		"condition":                func(p *ilp.Prepare) { p.Condition[31]++ },
		"destination":              func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("example.bob") },
		"destination, same length": func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("example.alicf") },
		"data":                     func(p *ilp.Prepare) { p.Data = []byte("other data") },
		"data, same length":        func(p *ilp.Prepare) { p.Data = []byte("hallo") },
		"data, shorter":            func(p *ilp.Prepare) { p.Data = p.Data[:4] },
		"data, none":               func(p *ilp.Prepare) { p.Data = nil },
		"data, appended":           func(p *ilp.Prepare) { p.Data = append(p.Data, '!') },
	} {
		t.Run(name, func(t *testing.T) {
			var p ilp.Prepare
			if err := p.Decode(in); err != nil {
				t.Fatal(err)
			}
			replace(&p)
			p.Amount++
			want := ilp.Prepare{
				Amount: p.Amount, ExpiresAt: p.ExpiresAt, Condition: p.Condition, Destination: p.Destination, Data: p.Data,
			}
			out := encode(t, &p)
			if !bytes.Equal(out, encode(t, &want)) || p.Size() != len(out) {
				t.Errorf("encoded as %x of announced size %d, want %x", out, p.Size(), encode(t, &want))
			}
			c := p.Clone()
			if !bytes.Equal(encode(t, &c), out) {
				t.Errorf("the clone is encoded as %x, want %x", encode(t, &c), out)
			}
		})
	}
}

func TestPrepareWithEqualFieldsStaysIntact(t *testing.T) {
	in := extended(t, encode(t, somePrepare()), "extension")
	var p ilp.Prepare
	if err := p.Decode(in); err != nil {
		t.Fatal(err)
	}
	p.Destination = p.Destination.Clone() // other memory, same address
	if out := encode(t, &p); !bytes.Equal(out, in) {
		t.Errorf("encoded as %x, want %x", out, in)
	}
}

func TestPrepareClone(t *testing.T) {
	plain := encode(t, somePrepare())
	for name, in := range map[string][]byte{"plain": plain, "extended": extended(t, plain, "extension")} {
		var p ilp.Prepare
		if err := p.Decode(bytes.Clone(in)); err != nil {
			t.Fatal(err)
		}
		buffer := bytes.Clone(in)
		var q ilp.Prepare
		if err := q.Decode(buffer); err != nil {
			t.Fatal(err)
		}
		c := q.Clone()
		for i := range buffer {
			buffer[i] = 0xff
		}
		if !samePacket(&c, &p) || !bytes.Equal(encode(t, &c), in) {
			t.Errorf("%s: the clone has changed with the buffer, to %x", name, encode(t, &c))
		}
	}
	// The clone of a packet that was changed has nothing to do with the bytes
	// any more, even if the change is taken back.
	noData := somePrepare()
	noData.Data = nil
	var p ilp.Prepare
	if err := p.Decode(extended(t, encode(t, noData), "extension")); err != nil {
		t.Fatal(err)
	}
	p.Condition[31]++
	c := p.Clone()
	c.Condition[31]--
	if !bytes.Equal(encode(t, &c), encode(t, noData)) {
		t.Errorf("the clone is encoded as %x, want %x", encode(t, &c), encode(t, noData))
	}
	made := somePrepare()
	c = made.Clone()
	made.Data[0] = 'j'
	if string(c.Data) != "hello" {
		t.Errorf("the clone has the data %q", c.Data)
	}
	var zero ilp.Prepare
	if c := zero.Clone(); !samePacket(&c, &zero) {
		t.Errorf("the clone of nothing is %v", c)
	}
}

func TestPrepareReused(t *testing.T) {
	var p ilp.Prepare
	long := somePrepare()
	long.Data = make([]byte, 1000)
	if err := p.Decode(encode(t, long)); err != nil {
		t.Fatal(err)
	}
	short := somePrepare()
	short.Data = nil
	b := encode(t, short)
	if err := p.Decode(b); err != nil || !samePacket(&p, short) || !bytes.Equal(encode(t, &p), b) {
		t.Errorf("decoded %v, %v; want %v", p, err, short)
	}
	// After a fault nothing of either is left.
	if err := p.Decode(b[:len(b)-1]); err == nil || !samePacket(&p, &ilp.Prepare{}) {
		t.Errorf("after %v the packet is %v", err, p)
	}
	if out, err := p.AppendBinary(nil); err == nil {
		t.Errorf("and is encoded as %x", out)
	}
}

func TestPrepareDecodeErrorsNameTheField(t *testing.T) {
	b := encode(t, somePrepare())
	contents := b[2:]
	with := func(contents []byte) []byte { return oer.AppendOctets([]byte{12}, contents) }
	changed := func(i int, s string) []byte {
		c := bytes.Clone(contents)
		copy(c[i:], s)
		return with(c)
	}
	tooLong := somePrepare()
	tooLong.Data = make([]byte, ilp.MaxDataLength)
	tooLongData := extended(t, encode(t, tooLong), "!")
	copy(tooLongData[4+57+14:], "\x82\x80\x00")

	for _, c := range []struct {
		name   string
		packet []byte
		want   string
		cause  error
	}{
		{"nothing", nil, "ilp: prepare: envelope: oer: truncated", oer.ErrTruncated},
		{"type", []byte{13, 0}, "ilp: prepare: type: it is 13, want 12", nil},
		{"no length", []byte{12}, "ilp: prepare: envelope: oer: truncated", oer.ErrTruncated},
		{"long length", []byte{12, 0x81, 0x4c}, "ilp: prepare: envelope: oer: not in canonical form", oer.ErrNonCanonical},
		{"length cut off", []byte{12, 0x82, 0x01}, "ilp: prepare: envelope: oer: truncated", oer.ErrTruncated},
		{"cut off", b[:len(b)-1], "ilp: prepare: envelope: oer: truncated", oer.ErrTruncated},
		{"empty", with(nil), "ilp: prepare: amount: oer: truncated", oer.ErrTruncated},
		{"amount", with(contents[:7]), "ilp: prepare: amount: oer: truncated", oer.ErrTruncated},
		{"expiry cut off", with(contents[:24]), "ilp: prepare: expiresAt: oer: truncated", oer.ErrTruncated},
		{"expiry", changed(12, "13"), "ilp: prepare: expiresAt: oer: invalid timestamp: want the 17 digits YYYYMMDDHHmmSSfff of a UTC date and time that exists", oer.ErrTimestamp},
		{"condition", with(contents[:56]), "ilp: prepare: executionCondition: oer: truncated", oer.ErrTruncated},
		{"no destination", with(contents[:57]), "ilp: prepare: destination: oer: truncated", oer.ErrTruncated},
		{"destination cut off", with(contents[:70]), "ilp: prepare: destination: oer: truncated", oer.ErrTruncated},
		{"destination", changed(65, " "), `ilp: prepare: destination: invalid ILP address "example alice": the scheme is none of g, private, example, peer, self, test, test1, test2, test3, local`, ilp.ErrInvalidAddress},
		{"no data", with(contents[:71]), "ilp: prepare: data: oer: truncated", oer.ErrTruncated},
		{"data cut off", with(contents[:len(contents)-1]), "ilp: prepare: data: oer: truncated", oer.ErrTruncated},
		{"data", tooLongData, "ilp: prepare: data: 32768 bytes, at most 32767 are allowed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := somePrepare()
			err := p.Decode(c.packet)
			if err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if !errors.Is(err, ilp.ErrInvalidPacket) || c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("%v does not wrap ErrInvalidPacket and %v", err, c.cause)
			}
			if !samePacket(p, &ilp.Prepare{}) {
				t.Errorf("after the error the packet is %v", p)
			}
		})
	}
}

func TestPrepareErrorKeepsNothingOfThePacket(t *testing.T) {
	b := encode(t, somePrepare())
	b[2+57+8] = '!' // example!alice
	err := new(ilp.Prepare).Decode(b)
	if err == nil {
		t.Fatal("no error")
	}
	want := err.Error()
	for i := range b {
		b[i] = 'x'
	}
	if got := err.Error(); got != want {
		t.Errorf("the error has changed with the packet, to %s", got)
	}
}

func TestPrepareEncodeErrors(t *testing.T) {
	decoded := new(ilp.Prepare)
	if err := decoded.Decode(encode(t, somePrepare())); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*ilp.Prepare)
		want   string
	}{
		{"no destination", func(p *ilp.Prepare) { p.Destination = ilp.Address{} }, "ilp: prepare: destination: it is empty, want an address"},
		{"no expiry", func(p *ilp.Prepare) { p.ExpiresAt = time.Time{} }, "ilp: prepare: expiresAt: it is the zero time, want when the packet expires"},
		{"late expiry", func(p *ilp.Prepare) { p.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "ilp: prepare: expiresAt: oer: invalid timestamp: year 10000 is not within 0 to 9999"},
		{"early expiry", func(p *ilp.Prepare) { p.ExpiresAt = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, "ilp: prepare: expiresAt: oer: invalid timestamp: year -1 is not within 0 to 9999"},
		{"data", func(p *ilp.Prepare) { p.Data = make([]byte, ilp.MaxDataLength+1) }, "ilp: prepare: data: 32768 bytes, at most 32767 are allowed"},
	} {
		for kind, p := range map[string]ilp.Prepare{"made": *somePrepare(), "decoded": *decoded} {
			c.change(&p)
			dst := []byte("before")
			out, err := p.AppendBinary(dst)
			if err == nil || err.Error() != c.want || !errors.Is(err, ilp.ErrInvalidPacket) {
				t.Errorf("%s, %s: %v, want %s", c.name, kind, err, c.want)
			}
			if string(out) != "before" {
				t.Errorf("%s, %s: returned %q", c.name, kind, out)
			}
		}
	}
}

func TestRewrite(t *testing.T) { // ILP4-04
	for _, size := range []int{0, 60, 200, 30000} { // each form of the envelope's length
		p := somePrepare()
		p.Data = bytes.Repeat([]byte{0x5a}, size)
		b := append(encode(t, p), "after"...)
		if err := ilp.Rewrite(b, math.MaxUint64, expiry.Add(-time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		p.Amount, p.ExpiresAt = math.MaxUint64, expiry.Add(-time.Millisecond)
		if !bytes.Equal(b, append(encode(t, p), "after"...)) {
			t.Errorf("rewritten as %.100x, want %.100x", b, encode(t, p))
		}
	}
}

func TestRewriteUnderDecodedPacket(t *testing.T) {
	b := encode(t, somePrepare())
	var p ilp.Prepare
	if err := p.Decode(b); err != nil {
		t.Fatal(err)
	}
	if err := ilp.Rewrite(b, 1, expiry.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if !samePacket(&p, somePrepare()) || !bytes.Equal(encode(t, &p), encode(t, somePrepare())) {
		t.Errorf("the decoded packet has become %v", p)
	}
}

func TestRewriteErrorsLeaveThePacket(t *testing.T) {
	good := encode(t, somePrepare())
	for name, c := range map[string]struct {
		packet []byte
		at     time.Time
	}{
		"nothing":      {nil, expiry},
		"fulfill":      {encode(t, &ilp.Fulfill{Data: make([]byte, 100)}), expiry},
		"cut off":      {good[:len(good)-1], expiry},
		"short":        {oer.AppendOctets([]byte{12}, good[2:2+56]), expiry},
		"empty":        {[]byte{12, 0}, expiry},
		"indefinite":   {append([]byte{12, 0x80}, good[2:]...), expiry},
		"no expiry":    {good, time.Time{}},
		"late expiry":  {good, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"early expiry": {good, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		b := bytes.Clone(c.packet)
		err := ilp.Rewrite(b, 1, c.at)
		if !errors.Is(err, ilp.ErrInvalidPacket) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(b, c.packet) {
			t.Errorf("%s: the packet has become %x", name, b)
		}
	}
}

func TestPrepareAllocatesNothing(t *testing.T) {
	p := somePrepare()
	p.Data = make([]byte, 300)
	b := encode(t, p)
	var decoded ilp.Prepare
	dst := make([]byte, 0, ilp.MaxPrepareSize)
	for name, f := range map[string]func() error{
		"decode":  func() error { return decoded.Decode(b) },
		"made":    func() error { _, err := p.AppendBinary(dst); return err },
		"rewrite": func() error { return ilp.Rewrite(b, 1, expiry) },
		"forward": func() error {
			if err := decoded.Decode(b); err != nil {
				return err
			}
			decoded.Amount--
			_, err := decoded.AppendBinary(dst[:0:decoded.Size()])
			return err
		},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
