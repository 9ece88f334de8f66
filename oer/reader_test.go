package oer_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/interledger-go/connector/oer"
)

func TestFixedIntegers(t *testing.T) { // OER-02, OER-03
	r := oer.NewReader([]byte{
		0xfe,
		0x01, 0x02,
		0x01, 0x02, 0x03, 0x04,
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
		0xfe,
		0xff, 0xfe,
		0x80, 0x00, 0x00, 0x00,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
	})
	if v := r.Uint8(); v != 0xfe {
		t.Errorf("Uint8 is %#x", v)
	}
	if v := r.Uint16(); v != 0x0102 {
		t.Errorf("Uint16 is %#x", v)
	}
	if v := r.Uint32(); v != 0x01020304 {
		t.Errorf("Uint32 is %#x", v)
	}
	if v := r.Uint64(); v != 0x0102030405060708 {
		t.Errorf("Uint64 is %#x", v)
	}
	if v := r.Int8(); v != -2 {
		t.Errorf("Int8 is %d", v)
	}
	if v := r.Int16(); v != -2 {
		t.Errorf("Int16 is %d", v)
	}
	if v := r.Int32(); v != math.MinInt32 {
		t.Errorf("Int32 is %d", v)
	}
	if v := r.Int64(); v != -2 {
		t.Errorf("Int64 is %d", v)
	}
	done(t, &r)
}

func TestBytesAndRest(t *testing.T) { // OER-05
	r := oer.NewReader([]byte{1, 2, 3, 4, 5})
	if v := r.Bytes(0); len(v) != 0 || r.Len() != 5 {
		t.Errorf("no bytes are %x with %d left", v, r.Len())
	}
	if v := r.Bytes(2); !bytes.Equal(v, []byte{1, 2}) {
		t.Errorf("two bytes are %x", v)
	}
	if v := r.Rest(); !bytes.Equal(v, []byte{3, 4, 5}) {
		t.Errorf("the rest is %x", v)
	}
	done(t, &r)
	if v := r.Rest(); len(v) != 0 || r.Err() != nil {
		t.Errorf("the rest of nothing is %x, %v", v, r.Err())
	}
}

// reads has each way to take something that is not there.
var reads = map[string]func(*oer.Reader) bool{
	"Uint8":  func(r *oer.Reader) bool { return r.Uint8() == 0 },
	"Uint16": func(r *oer.Reader) bool { return r.Uint16() == 0 },
	"Uint32": func(r *oer.Reader) bool { return r.Uint32() == 0 },
	"Uint64": func(r *oer.Reader) bool { return r.Uint64() == 0 },
	"Int8":   func(r *oer.Reader) bool { return r.Int8() == 0 },
	"Int16":  func(r *oer.Reader) bool { return r.Int16() == 0 },
	"Int32":  func(r *oer.Reader) bool { return r.Int32() == 0 },
	"Int64":  func(r *oer.Reader) bool { return r.Int64() == 0 },
	"Bytes":  func(r *oer.Reader) bool { return r.Bytes(9) == nil },
	"Octets": func(r *oer.Reader) bool { return r.Octets() == nil },
	"Length": func(r *oer.Reader) bool { return r.Length() == 0 },
	"Uint":   func(r *oer.Reader) bool { return r.Uint() == 0 },
	"Int":    func(r *oer.Reader) bool { return r.Int() == 0 },
	"Rest":   func(r *oer.Reader) bool { return len(r.Rest()) == 0 },
	"Len":    func(r *oer.Reader) bool { return r.Len() == 0 },
}

func TestNothingLeftIsTruncated(t *testing.T) {
	for name, read := range reads {
		if name == "Rest" || name == "Len" {
			continue // nothing is what they give
		}
		var r oer.Reader
		if !read(&r) || !errors.Is(r.Err(), oer.ErrTruncated) {
			t.Errorf("%s of an empty reader: %v, or not zero", name, r.Err())
		}
	}
}

func TestFirstFaultStays(t *testing.T) {
	for name, read := range reads {
		// The length 0x80 is a fault that no later read has.
		r := oer.NewReader([]byte{0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
		r.Length()
		if !read(&r) {
			t.Errorf("%s after a fault is not zero", name)
		}
		if !errors.Is(r.Err(), oer.ErrNonCanonical) {
			t.Errorf("%s after a fault: %v, want the first one", name, r.Err())
		}
	}
}

func TestFaults(t *testing.T) {
	octets := func(r *oer.Reader) { r.Octets() }
	length := func(r *oer.Reader) { r.Length() }
	unsigned := func(r *oer.Reader) { r.Uint() }
	signed := func(r *oer.Reader) { r.Int() }
	for _, c := range []struct {
		name string
		in   []byte
		read func(*oer.Reader)
		want error
	}{
		{"OER-08 leading zero in a length", []byte{0x82, 0x00, 0x80}, length, oer.ErrNonCanonical},
		{"OER-09 long form of a short length", []byte{0x81, 0x7f}, length, oer.ErrNonCanonical},
		{"OER-09 long form of a short string", []byte{0x81, 0x01, 0xaa}, octets, oer.ErrNonCanonical},
		{"OER-08 two bytes for a length of one", append([]byte{0x82, 0x00, 0xff}, make([]byte, 255)...), octets, oer.ErrNonCanonical},
		{"OER-10 length of nine bytes", []byte{0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0}, length, oer.ErrTooLarge},
		{"OER-10 length above int", []byte{0x88, 0x80, 0, 0, 0, 0, 0, 0, 0}, length, oer.ErrTooLarge},
		{"OER-11 indefinite length", []byte{0x80}, length, oer.ErrNonCanonical},
		{"OER-11 indefinite length of a string", []byte{0x80, 0x00, 0x00}, octets, oer.ErrNonCanonical},
		{"OER-12 length cut off", []byte{0x82, 0x01}, length, oer.ErrTruncated},
		{"OER-12 length of a string cut off", []byte{0x82, 0x01}, octets, oer.ErrTruncated},
		{"OER-12 string cut off", []byte{0x03, 0xaa, 0xbb}, octets, oer.ErrTruncated},
		{"OER-12 long string cut off", append([]byte{0x82, 0x01, 0x00}, make([]byte, 255)...), octets, oer.ErrTruncated},
		{"OER-12 string of 2 GiB promised", []byte{0x84, 0x7f, 0xff, 0xff, 0xff}, octets, oer.ErrTruncated},
		{"OER-12 string of 2^64-1 bytes promised", []byte{0x88, 255, 255, 255, 255, 255, 255, 255, 255}, octets, oer.ErrTruncated},
		{"OER-13 integer of no bytes", []byte{0x00}, unsigned, oer.ErrNonCanonical},
		{"OER-13 integer cut off", []byte{0x02, 0x01}, unsigned, oer.ErrTruncated},
		{"OER-14 leading zero", []byte{0x02, 0x00, 0x05}, unsigned, oer.ErrNonCanonical},
		{"OER-14 leading zero before 64 bits", []byte{0x09, 0, 255, 255, 255, 255, 255, 255, 255, 255}, unsigned, oer.ErrNonCanonical},
		{"STRM-48 integer above 64 bits", []byte{0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0}, unsigned, oer.ErrTooLarge},
		{"OER-15 signed integer of no bytes", []byte{0x00}, signed, oer.ErrNonCanonical},
		{"OER-15 needless zero", []byte{0x02, 0x00, 0x7f}, signed, oer.ErrNonCanonical},
		{"OER-15 needless sign", []byte{0x02, 0xff, 0x80}, signed, oer.ErrNonCanonical},
		{"OER-15 signed integer above 64 bits", []byte{0x09, 0, 255, 255, 255, 255, 255, 255, 255, 255}, signed, oer.ErrTooLarge},
		{"OER-15 signed integer below 64 bits", []byte{0x09, 255, 0, 0, 0, 0, 0, 0, 0, 0}, signed, oer.ErrTooLarge},
		{"negative number of bytes", []byte{1, 2}, func(r *oer.Reader) { r.Bytes(-1) }, oer.ErrTruncated},
		{"smallest number of bytes", []byte{1, 2}, func(r *oer.Reader) { r.Bytes(math.MinInt) }, oer.ErrTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := oer.NewReader(c.in)
			c.read(&r)
			if r.Err() != c.want {
				t.Errorf("%v, want %v", r.Err(), c.want)
			}
			if r.Len() != 0 {
				t.Errorf("%d bytes are left after a fault", r.Len())
			}
		})
	}
}

func TestLengthMayPromiseMoreThanIsLeft(t *testing.T) { // OER-10
	r := oer.NewReader([]byte{0x84, 0x7f, 0xff, 0xff, 0xff, 0x00})
	if n := r.Length(); n != math.MaxInt32 || r.Err() != nil || r.Len() != 1 {
		t.Errorf("read %d, %v with %d bytes left", n, r.Err(), r.Len())
	}
}

func TestAppendToResultLeavesInputAlone(t *testing.T) {
	in := []byte{0x01, 0xaa, 0xbb, 0xcc}
	r := oer.NewReader(in)
	_ = append(r.Octets(), 0xee)
	_ = append(r.Bytes(1), 0xee)
	if !bytes.Equal(in, []byte{0x01, 0xaa, 0xbb, 0xcc}) {
		t.Errorf("the input has become %x", in)
	}
	long := append([]byte{0x82, 0x01, 0x00}, make([]byte, 257)...)
	r = oer.NewReader(long)
	_ = append(r.Octets(), 0xee)
	if long[len(long)-1] != 0 {
		t.Error("the input of a long string has changed")
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	b := oer.AppendOctets(nil, make([]byte, 300))
	b = oer.AppendString(b, "g.alice")
	b = oer.AppendUint(b, 1<<40)
	b = oer.AppendInt(b, -1<<40)
	b = append(b, 1, 2, 3, 4, 5, 6, 7, 8)
	if n := testing.AllocsPerRun(100, func() {
		r := oer.NewReader(b)
		r.Octets()
		r.Octets()
		r.Uint()
		r.Int()
		r.Uint64()
		if r.Err() != nil || r.Len() != 0 {
			t.Fatal(r.Err())
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for name, in := range map[string][]byte{
		"truncated":     {0x84, 0x7f, 0xff, 0xff, 0xff, 0x00},
		"not canonical": {0x80},
		"too large":     {0x89, 1},
	} {
		if n := testing.AllocsPerRun(100, func() {
			r := oer.NewReader(in)
			r.Octets()
			if r.Err() == nil {
				t.Fatal("no error")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
