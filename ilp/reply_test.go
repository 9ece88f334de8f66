package ilp_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

func someReject() *ilp.Reject {
	return &ilp.Reject{
		Code:        ilp.F08AmountTooLarge,
		TriggeredBy: ilp.MustParseAddress("g.connie"),
		Message:     "too much",
		Data:        []byte("0123456789abcdef"),
	}
}

func TestPacketType(t *testing.T) { // ILP4-01
	for _, c := range []struct {
		packet []byte
		want   ilp.Type
		name   string
	}{
		{nil, 0, "type 0"},
		{[]byte{1}, 1, "type 1"},
		{[]byte{12}, ilp.TypePrepare, "prepare"},
		{[]byte{13, 0}, ilp.TypeFulfill, "fulfill"},
		{[]byte{14}, ilp.TypeReject, "reject"},
		{[]byte{255}, 255, "type 255"},
	} {
		if got := ilp.PacketType(c.packet); got != c.want || got.String() != c.name {
			t.Errorf("%x is of the type %d, %v; want %d, %s", c.packet, got, got, c.want, c.name)
		}
	}
}

func TestDecodeReply(t *testing.T) {
	fulfill, reject := &ilp.Fulfill{Fulfillment: ilp.Fulfillment{1}, Data: []byte("yes")}, someReject()
	var f ilp.Fulfill
	var r ilp.Reject
	got, err := ilp.DecodeReply(encode(t, fulfill), &f, &r)
	if err != nil || got != ilp.Reply(&f) || !samePacket(&f, fulfill) || !samePacket(&r, &ilp.Reject{}) {
		t.Errorf("a fulfill is %v, %v; %v and %v", got, err, f, r)
	}
	got, err = ilp.DecodeReply(encode(t, reject), &f, &r)
	if err != nil || got != ilp.Reply(&r) || !samePacket(&r, reject) || !samePacket(&f, fulfill) {
		t.Errorf("a reject is %v, %v; %v and %v", got, err, f, r)
	}
	if got.Size() != len(encode(t, reject)) {
		t.Errorf("its size is %d", got.Size())
	}
	for _, c := range []struct {
		packet []byte
		want   string
	}{
		{nil, "ilp: invalid packet: type 0, want fulfill or reject"},
		{encode(t, somePrepare()), "ilp: invalid packet: prepare, want fulfill or reject"},
		{[]byte{13}, "ilp: fulfill: envelope: oer: truncated"},
		{[]byte{14}, "ilp: reject: envelope: oer: truncated"},
	} {
		got, err := ilp.DecodeReply(c.packet, &f, &r)
		if got != nil || err == nil || err.Error() != c.want || !errors.Is(err, ilp.ErrInvalidPacket) {
			t.Errorf("%.10x: %v, %v; want %s", c.packet, got, err, c.want)
		}
	}
}

func TestReplyDecodeErrorsNameTheField(t *testing.T) {
	with := func(t byte, contents string) []byte { return oer.AppendOctets([]byte{t}, []byte(contents)) }
	preimage := strings.Repeat("f", 32)
	for _, c := range []struct {
		packet []byte
		want   string
		cause  error
	}{
		{with(14, ""), "ilp: reject: code: oer: truncated", oer.ErrTruncated},
		{with(14, "F0"), "ilp: reject: code: oer: truncated", oer.ErrTruncated},
		{with(14, "F0\xb2\x00\x00\x00"), "ilp: reject: code: want three ASCII characters", nil}, // OER-20
		{with(14, "F02"), "ilp: reject: triggeredBy: oer: truncated", oer.ErrTruncated},
		{with(14, "F02\x05g.co"), "ilp: reject: triggeredBy: oer: truncated", oer.ErrTruncated},
		{with(14, "F02\x01g\x00\x00"), `ilp: reject: triggeredBy: invalid ILP address "g": no segment follows the scheme`, ilp.ErrInvalidAddress},
		{with(14, "F02\x00"), "ilp: reject: message: oer: truncated", oer.ErrTruncated},
		{with(14, "F02\x00\x01"), "ilp: reject: message: oer: truncated", oer.ErrTruncated},
		{with(14, "F02\x00\x82\x20\x00"+strings.Repeat("m", 8192)+"\x00"), "ilp: reject: message: 8192 bytes, at most 8191 are allowed", nil},
		{with(14, "F02\x00\x00"), "ilp: reject: data: oer: truncated", oer.ErrTruncated},
		{with(14, "F02\x00\x00\x81\x01x"), "ilp: reject: data: oer: not in canonical form", oer.ErrNonCanonical},
		{with(14, "F02\x00\x00\x82\x80\x00"+strings.Repeat("d", 32768)), "ilp: reject: data: 32768 bytes, at most 32767 are allowed", nil},
		{[]byte{14, 6}, "ilp: reject: envelope: oer: truncated", oer.ErrTruncated},
		{[]byte{13, 6}, "ilp: fulfill: envelope: oer: truncated", oer.ErrTruncated},
		{with(13, preimage[1:]), "ilp: fulfill: fulfillment: oer: truncated", oer.ErrTruncated},
		{with(13, preimage), "ilp: fulfill: data: oer: truncated", oer.ErrTruncated},
		{with(13, preimage+"\x80"), "ilp: fulfill: data: oer: not in canonical form", oer.ErrNonCanonical},
		{with(13, preimage+"\x82\x80\x00"+strings.Repeat("d", 32768)), "ilp: fulfill: data: 32768 bytes, at most 32767 are allowed", nil},
	} {
		f, r := ilp.Fulfill{Fulfillment: ilp.Fulfillment{1}, Data: []byte("x")}, *someReject()
		r.Cause = io.EOF
		_, err := ilp.DecodeReply(c.packet, &f, &r)
		if err == nil || err.Error() != c.want {
			t.Errorf("%.20x: %v, want %s", c.packet, err, c.want)
		}
		if !errors.Is(err, ilp.ErrInvalidPacket) || c.cause != nil && !errors.Is(err, c.cause) {
			t.Errorf("%v does not wrap ErrInvalidPacket and %v", err, c.cause)
		}
		if c.packet[0] == 13 && !samePacket(&f, &ilp.Fulfill{}) {
			t.Errorf("after %v the fulfill is %v", err, f)
		}
		if c.packet[0] == 14 && (!samePacket(&r, &ilp.Reject{}) || r.Cause != nil) {
			t.Errorf("after %v the reject is %v", err, r)
		}
	}
	if err := new(ilp.Fulfill).Decode(encode(t, someReject())); err == nil || err.Error() != "ilp: fulfill: type: it is 14, want 13" {
		t.Errorf("a reject as a fulfill: %v", err)
	}
	if err := new(ilp.Reject).Decode(nil); err == nil || err.Error() != "ilp: reject: envelope: oer: truncated" {
		t.Errorf("nothing as a reject: %v", err)
	}
}

func TestReplyEncodeErrors(t *testing.T) {
	tooLong := make([]byte, ilp.MaxDataLength+1)
	for _, c := range []struct {
		p    packet
		want string
	}{
		{&ilp.Fulfill{Data: tooLong}, "ilp: fulfill: data: 32768 bytes, at most 32767 are allowed"},
		{&ilp.Reject{Code: ilp.F00BadRequest, Data: tooLong}, "ilp: reject: data: 32768 bytes, at most 32767 are allowed"},
		{&ilp.Reject{}, "ilp: reject: code: want three ASCII characters"},
		{&ilp.Reject{Code: "F0"}, "ilp: reject: code: want three ASCII characters"},
		{&ilp.Reject{Code: "F000"}, "ilp: reject: code: want three ASCII characters"},
		{&ilp.Reject{Code: "é0"}, "ilp: reject: code: want three ASCII characters"},
	} {
		out, err := c.p.AppendBinary([]byte("before"))
		if err == nil || err.Error() != c.want || !errors.Is(err, ilp.ErrInvalidPacket) || string(out) != "before" {
			t.Errorf("%q, %v; want %s", out, err, c.want)
		}
	}
}

func TestRejectUnknownCodeSurvives(t *testing.T) { // ILP4-55
	for _, code := range []ilp.Code{"F09", "X42", "\x00\x7f ", "F02"} {
		b := encode(t, &ilp.Reject{Code: code})
		var r ilp.Reject
		if err := r.Decode(b); err != nil || r.Code != code {
			t.Errorf("%q is decoded as %q, %v", code, r.Code, err)
		}
		if out := encode(t, &r); !bytes.Equal(out, b) {
			t.Errorf("%q is encoded as %x, want %x", code, out, b)
		}
	}
}

func TestRejectKnownCodeDoesNotKeepThePacket(t *testing.T) {
	for _, code := range ilp.Codes() {
		b := encode(t, &ilp.Reject{Code: code})
		var r ilp.Reject
		if err := r.Decode(b); err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] = 'x'
		}
		if r.Code != code {
			t.Errorf("%s has changed with the packet, to %s", code, r.Code)
		}
	}
}

func TestRejectMessageIsCutToFit(t *testing.T) { // ILP4-07
	limit := ilp.MaxMessageLength
	for name, c := range map[string]struct {
		message string
		want    int
	}{
		"fits":                      {strings.Repeat("m", limit), limit},
		"one too long":              {strings.Repeat("m", limit+1), limit},
		"much too long":             {strings.Repeat("m", 10*limit), limit},
		"character of two bytes":    {strings.Repeat("m", limit-1) + "éé", limit - 1},
		"character of three bytes":  {strings.Repeat("m", limit-2) + "€€", limit - 2},
		"character of four bytes":   {strings.Repeat("m", limit-3) + "😀😀", limit - 3},
		"character that ends there": {strings.Repeat("m", limit-2) + "éé", limit},
		"not UTF-8":                 {strings.Repeat("\x80", limit+10), limit},
	} {
		r := &ilp.Reject{Code: ilp.F00BadRequest, Message: c.message, Data: []byte("data")}
		b := encode(t, r)
		var got ilp.Reject
		if err := got.Decode(b); err != nil || got.Message != c.message[:c.want] || string(got.Data) != "data" {
			t.Errorf("%s: %d bytes arrive, %v; want %d", name, len(got.Message), err, c.want)
		}
		if utf8.ValidString(c.message) && !utf8.ValidString(got.Message) {
			t.Errorf("%s: the message ends amid a character", name)
		}
		if r.Size() != len(b) || r.Message != c.message {
			t.Errorf("%s: announced %d bytes, wrote %d; or the message has changed", name, r.Size(), len(b))
		}
	}
}

func TestRejectIsAnError(t *testing.T) {
	connie := ilp.MustParseAddress("g.connie")
	for _, c := range []struct {
		r    *ilp.Reject
		want string
	}{
		{&ilp.Reject{Code: ilp.F02Unreachable, TriggeredBy: connie, Message: "no route found"}, "F02 Unreachable: no route found (g.connie)"},
		{ilp.Rejectf(ilp.F02Unreachable, "no route to %q", "g.bob"), `F02 Unreachable: no route to "g.bob"`},
		{&ilp.Reject{Code: ilp.R00TransferTimedOut}, "R00 Transfer Timed Out"},
		{&ilp.Reject{Code: "X42", Message: "odd"}, "X42: odd"},
		{ilp.Internal(io.EOF), "T00 Internal Error: internal error: EOF"},
		{ilp.Internal(nil), "T00 Internal Error: internal error"},
	} {
		if got := c.r.Error(); got != c.want {
			t.Errorf("the error is %q, want %q", got, c.want)
		}
	}
	var err error = ilp.Internal(io.EOF)
	if r, ok := errors.AsType[*ilp.Reject](err); !ok || r.Code != ilp.T00InternalError || !errors.Is(err, io.EOF) {
		t.Errorf("%v is not found to be what it is", err)
	}
}

func TestRejectCauseStaysLocal(t *testing.T) {
	secret := errors.New("password of the database")
	for _, r := range []*ilp.Reject{ilp.Internal(secret), {Code: ilp.F00BadRequest, Cause: secret}} {
		b := encode(t, r)
		if bytes.Contains(b, []byte("password")) {
			t.Errorf("the packet says %q", b)
		}
		if c := r.Clone(); c.Cause != secret {
			t.Errorf("the clone has the cause %v", c.Cause)
		}
		if err := r.Decode(b); err != nil || r.Cause != nil {
			t.Errorf("decoded with the cause %v, %v", r.Cause, err)
		}
	}
}

func TestReplyClone(t *testing.T) {
	fulfill := &ilp.Fulfill{Fulfillment: ilp.Fulfillment{1}, Data: []byte("yes")}
	odd := someReject()
	odd.Code = "X42" // a code that points into the packet
	var f ilp.Fulfill
	var r ilp.Reject
	bf, br := encode(t, fulfill), encode(t, odd)
	if err := errors.Join(f.Decode(bf), r.Decode(br)); err != nil {
		t.Fatal(err)
	}
	cf, cr := f.Clone(), r.Clone()
	for _, b := range [][]byte{bf, br} {
		for i := range b {
			b[i] = 0xff
		}
	}
	if !samePacket(&cf, fulfill) || !samePacket(&cr, odd) {
		t.Errorf("the clones have changed with the packets, to %v and %v", cf, cr)
	}
}

func TestAmountTooLargeDecode(t *testing.T) { // ILP4-52, OER-17
	want := ilp.AmountTooLarge{Received: 3, Maximum: 2}
	b := encode(t, want)
	var a ilp.AmountTooLarge
	if err := a.Decode(append(b, "more"...)); err != nil || a != want {
		t.Errorf("decoded %v, %v", a, err)
	}
	for n := range len(b) {
		a := want
		if err := a.Decode(b[:n]); !errors.Is(err, oer.ErrTruncated) || a != (ilp.AmountTooLarge{}) {
			t.Errorf("%d bytes are decoded as %v, %v", n, a, err)
		}
	}
}

func TestPeerCondition(t *testing.T) {
	if ilp.PeerFulfillment != (ilp.Fulfillment{}) || ilp.PeerFulfillment.Condition() != ilp.PeerCondition {
		t.Errorf("the condition of %x is %v, want %v", ilp.PeerFulfillment, ilp.PeerFulfillment.Condition(), ilp.PeerCondition)
	}
}

func TestAssetString(t *testing.T) {
	for want, a := range map[string]ilp.Asset{"USD/9": {Code: "USD", Scale: 9}, "XRP/255": {Code: "XRP", Scale: 255}, "/0": {}} {
		if a.String() != want {
			t.Errorf("%v, want %s", a, want)
		}
	}
}

func TestRepliesAllocateNothing(t *testing.T) {
	fulfill := &ilp.Fulfill{Data: make([]byte, 300)}
	odd := someReject()
	odd.Code = "X42"
	var f ilp.Fulfill
	var r ilp.Reject
	var a ilp.AmountTooLarge
	bf, br, bo := encode(t, fulfill), encode(t, someReject()), encode(t, odd)
	dst := make([]byte, 0, ilp.MaxRejectSize)
	for name, run := range map[string]func() error{
		"decode fulfill":             func() error { return f.Decode(bf) },
		"decode reject":              func() error { return r.Decode(br) },
		"decode reject, odd code":    func() error { return r.Decode(bo) },
		"decode reply fulfill":       func() error { _, err := ilp.DecodeReply(bf, &f, &r); return err },
		"decode reply reject":        func() error { _, err := ilp.DecodeReply(br, &f, &r); return err },
		"decode amount too large":    func() error { return a.Decode(fulfill.Data) },
		"encode fulfill":             func() error { _, err := fulfill.AppendBinary(dst); return err },
		"encode reject":              func() error { _, err := odd.AppendBinary(dst); return err },
		"encode amount too large":    func() error { _, err := a.AppendBinary(dst); return err },
		"condition of a fulfillment": func() error { f.Fulfillment = ilp.Fulfillment(f.Fulfillment.Condition()); return nil },
		"parse address":              func() error { _, err := ilp.ParseAddress("g.alice.bob"); return err },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := run(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
