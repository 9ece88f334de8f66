package btp_test

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/interledger-go/connector/plugin/btp"
)

// same compares what packets say, not how they hold it.
func same(a, b btp.Packet) bool {
	if a.Type != b.Type || a.RequestID != b.RequestID || a.Amount != b.Amount || len(a.Entries) != len(b.Entries) ||
		a.Error.Code != b.Error.Code || a.Error.Name != b.Error.Name ||
		!a.Error.TriggeredAt.Equal(b.Error.TriggeredAt) || !bytes.Equal(a.Error.Data, b.Error.Data) {
		return false
	}
	for i, e := range a.Entries {
		o := b.Entries[i]
		if e.Name != o.Name || e.ContentType != o.ContentType || !bytes.Equal(e.Data, o.Data) {
			return false
		}
	}
	return true
}

// The fields that a caller may set wrong are refused, and nothing is written.
func TestEncodeRefusesInvalidFields(t *testing.T) {
	valid := btp.Error{Code: btp.F00NotAcceptedError, Name: "N", TriggeredAt: time.Now()}
	withError := func(change func(*btp.Error)) btp.Packet {
		e := valid
		change(&e)
		return btp.Packet{Type: btp.TypeError, Error: e}
	}
	many := make([]btp.Entry, 100)
	for i := range many {
		many[i].Name = strconv.Itoa(i % 99)
	}
	for name, p := range map[string]btp.Packet{
		"no type":             {},
		"type of BTP 1.0":     {Type: 3},
		"name not ASCII":      {Type: btp.TypeMessage, Entries: []btp.Entry{{Name: "é"}}},
		"two of a name":       {Type: btp.TypeTransfer, Entries: []btp.Entry{{Name: "a"}, {Name: "b"}, {Name: "a"}}},
		"two of a hundred":    {Type: btp.TypeMessage, Entries: many},
		"no code":             withError(func(e *btp.Error) { e.Code = "" }),
		"long code":           withError(func(e *btp.Error) { e.Code = "F000" }),
		"code not ASCII":      withError(func(e *btp.Error) { e.Code = "F\xff0" }),
		"error name":          withError(func(e *btp.Error) { e.Name = "é" }),
		"8193 bytes of data":  withError(func(e *btp.Error) { e.Data = make([]byte, 8193) }),
		"error and bad entry": {Type: btp.TypeError, Error: valid, Entries: []btp.Entry{{Name: "\x80"}}},
	} {
		b, err := p.AppendBinary([]byte("before"))
		if !errors.Is(err, btp.ErrInvalidPacket) || string(b) != "before" {
			t.Errorf("%s: %q, error %v", name, b, err)
		}
	}
}

// A time that is none still makes a packet that can be read.
func TestErrorWithoutTime(t *testing.T) {
	p := btp.Packet{Type: btp.TypeError, Error: btp.Error{Code: "T00"}}
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got btp.Packet
	if err := got.Decode(b); err != nil || !same(got, p) {
		t.Fatalf("%+v, error %v", got, err)
	}
}

// Decoding into a used Packet leaves nothing of what was in it.
func TestDecodeIntoUsedPacket(t *testing.T) {
	vectors := loadVectors(t).Valid
	var used btp.Packet
	for i := range vectors {
		for _, v := range []validVector{vectors[len(vectors)-1-i], vectors[i]} {
			if err := used.Decode(v.bytes(t)); err != nil {
				t.Fatal(err)
			}
			if want := v.packet(t); !same(used, want) {
				t.Fatalf("%s: got %+v, want %+v", v.Name, used, want)
			}
		}
	}
}

// Clone shares nothing with the bytes that were decoded.
func TestClone(t *testing.T) {
	for _, v := range loadVectors(t).Valid {
		b := v.bytes(t)
		var p btp.Packet
		if err := p.Decode(b); err != nil {
			t.Fatal(err)
		}
		c := p.Clone()
		for i := range b {
			b[i] ^= 0xff
		}
		if want := v.packet(t); !same(c, want) {
			t.Fatalf("%s: the clone changed with the bytes: %+v", v.Name, c)
		}
	}
}

func TestEntry(t *testing.T) {
	p := btp.Packet{Entries: []btp.Entry{{Name: "ilp", Data: []byte("1")}, {Name: "claim", Data: []byte("2")}}}
	if e, ok := p.Entry("claim"); !ok || string(e.Data) != "2" {
		t.Error(e, ok)
	}
	if e, ok := p.Entry("cla"); ok {
		t.Error(e)
	}
}

func TestNames(t *testing.T) {
	for code, name := range map[btp.Code]string{
		btp.T00UnreachableError: "UnreachableError", btp.F00NotAcceptedError: "NotAcceptedError",
		btp.F01InvalidFieldsError: "InvalidFieldsError", btp.F03TransferNotFoundError: "TransferNotFoundError",
		btp.F04InvalidFulfillmentError: "InvalidFulfillmentError", btp.F05DuplicateIDError: "DuplicateIdError",
		btp.F06AlreadyRolledBackError: "AlreadyRolledBackError", btp.F07AlreadyFulfilledError: "AlreadyFulfilledError",
		btp.F08InsufficientBalanceError: "InsufficientBalanceError", "F02": "", "L13": "",
	} {
		if code.Name() != name || code.Temporary() != (code == "T00") {
			t.Errorf("%s: %q, temporary %v", code, code.Name(), code.Temporary())
		}
	}
	var types []string
	for _, ty := range []btp.Type{1, 2, 6, 7, 9} {
		types = append(types, ty.String())
	}
	if want := []string{"response", "error", "message", "transfer", "type 9"}; !reflect.DeepEqual(types, want) {
		t.Error(types)
	}
}

// Decoding a packet of the common kind allocates nothing, nor does encoding.
func TestCodecAllocatesNothing(t *testing.T) {
	var wire []byte
	for _, v := range loadVectors(t).Valid {
		if v.Name == "ilp+custom" {
			wire = v.bytes(t)
		}
	}
	var p btp.Packet
	out := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(1000, func() {
		if err := p.Decode(wire); err != nil {
			t.Fatal(err)
		}
		if _, err := p.AppendBinary(out); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// The short way to write a packet with nothing but an ILP packet gives the
// bytes that the long way gives, at all lengths of the length.
func TestShortWayForILPPackets(t *testing.T) {
	for _, n := range []int{0, 1, 115, 116, 117, 118, 127, 128, 200, 243, 244, 245, 255, 256, 41997, 65520, 65535, 65536} {
		data := bytes.Repeat([]byte{7}, n)
		p := btp.Packet{Type: btp.TypeResponse, RequestID: 0xfedcba98, Entries: []btp.Entry{{Name: "ilp", Data: data}}}
		long, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		short := btp.AppendILP(nil, p.Type, p.RequestID, data)
		if !bytes.Equal(short, long) || btp.ILPSize(n) != len(long) {
			t.Errorf("%d bytes: %d of %d bytes, size %d", n, len(short), len(long), btp.ILPSize(n))
		}
		ty, id, got, ok := btp.ParseILP(long)
		if !ok || ty != p.Type || id != p.RequestID || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: read back %v %d bytes, %v", n, ty, len(got), ok)
		}
	}
}

// FuzzDecode: whatever is decoded is encoded to bytes that decode to the same,
// and encoding those again changes nothing.
func FuzzDecode(f *testing.F) {
	vectors := loadVectors(f)
	for _, v := range vectors.Valid {
		if b := v.bytes(f); len(b) < 2000 {
			f.Add(b)
		}
	}
	for _, v := range vectors.Malformed {
		if b := v.bytes(f); len(b) < 2000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again btp.Packet
		err := p.Decode(b)
		if ty, id, data, ok := btp.ParseILP(b); ok {
			short := btp.Packet{Type: ty, RequestID: id, Entries: []btp.Entry{{Name: "ilp", Data: data}}}
			if err != nil || !same(p, short) {
				t.Fatalf("the short way reads %+v, the long way %+v, error %v", short, p, err)
			}
		}
		if err != nil {
			return
		}
		canonical, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(canonical) != p.Size() {
			t.Fatalf("%d bytes, Size is %d", len(canonical), p.Size())
		}
		if err := again.Decode(canonical); err != nil || !same(p, again) {
			t.Fatalf("%+v became %+v, error %v", p, again, err)
		}
		if b, err := again.AppendBinary(nil); err != nil || !bytes.Equal(b, canonical) {
			t.Fatalf("%x became %x, error %v", canonical, b, err)
		}
	})
}
