package oer_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/vectors"
	"github.com/interledger-go/connector/oer"
)

// vectorFile is testdata/oer.json. Integers are decimal strings there.
type vectorFile struct {
	UintFixed []integer `json:"uint_fixed"`
	Length    []integer `json:"length_determinant"`
	VarUint   []integer `json:"var_uint"`
	VarInt    []integer `json:"var_int"`
	VarOctets []struct {
		ID   string
		Data vectors.Filled
		vectors.Wire
	} `json:"var_octets"`
	SequenceOf []struct {
		ID      string
		Element string
		Value   []any
		vectors.Wire
	} `json:"sequence_of"`
	Malformed []struct {
		ID, Type, Why, RFC string
		JS                 struct{ Decoded string }
		vectors.Wire
	}
}

type integer struct {
	ID, Type, Value string
	vectors.Wire
}

func parseInt(t *testing.T, s string) int64 {
	t.Helper()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// done fails the test unless r has taken all of its input.
func done(t *testing.T, r *oer.Reader) {
	t.Helper()
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if n := r.Len(); n != 0 {
		t.Fatalf("%d bytes are left", n)
	}
}

func TestVectorsUintFixed(t *testing.T) { // OER-02
	for _, v := range vectors.Some(t, vectors.Load[vectorFile](t, "testdata/oer.json").UintFixed) {
		t.Run(v.ID, func(t *testing.T) {
			b, want := v.Bytes(t), vectors.Uint(t, v.Value)
			r := oer.NewReader(b)
			var got uint64
			var again []byte
			switch v.Type {
			case "UInt8":
				got = uint64(r.Uint8())
				again = append(again, byte(got))
			case "UInt16":
				got = uint64(r.Uint16())
				again = binary.BigEndian.AppendUint16(nil, uint16(got))
			case "UInt32":
				got = uint64(r.Uint32())
				again = binary.BigEndian.AppendUint32(nil, uint32(got))
			case "UInt64":
				got = r.Uint64()
				again = binary.BigEndian.AppendUint64(nil, got)
			default:
				t.Fatalf("no test for type %s", v.Type)
			}
			done(t, &r)
			if got != want || !bytes.Equal(again, b) {
				t.Errorf("read %d and wrote %x, want %d and %x", got, again, want, b)
			}
		})
	}
}

func TestVectorsLength(t *testing.T) { // OER-06, OER-07
	for _, v := range vectors.Some(t, vectors.Load[vectorFile](t, "testdata/oer.json").Length) {
		t.Run(v.ID, func(t *testing.T) {
			b, want := v.Bytes(t), vectors.Uint(t, v.Value)
			r := oer.NewReader(b)
			got := r.Length()
			if want > math.MaxInt {
				if got != 0 || !errors.Is(r.Err(), oer.ErrTooLarge) {
					t.Errorf("%d, %v; %d is above any length that Go has", got, r.Err(), want)
				}
				return
			}
			done(t, &r)
			if uint64(got) != want {
				t.Errorf("read %d, want %d", got, want)
			}
			if w := oer.AppendLength(nil, got); !bytes.Equal(w, b) || oer.LengthSize(got) != len(b) {
				t.Errorf("wrote %x of announced size %d, want %x", w, oer.LengthSize(got), b)
			}
		})
	}
}

func TestVectorsOctets(t *testing.T) { // OER-12
	for _, v := range vectors.Some(t, vectors.Load[vectorFile](t, "testdata/oer.json").VarOctets) {
		t.Run(v.ID, func(t *testing.T) {
			b, want := v.Bytes(t), v.Data.Bytes(t)
			r := oer.NewReader(b)
			got := r.Octets()
			done(t, &r)
			if !bytes.Equal(got, want) {
				t.Errorf("read %.40x, want %.40x", got, want)
			}
			if w := oer.AppendOctets(nil, want); !bytes.Equal(w, b) {
				t.Errorf("wrote %.40x, want %.40x", w, b)
			}
			if w := oer.AppendString(nil, string(want)); !bytes.Equal(w, b) {
				t.Errorf("wrote a string as %.40x, want %.40x", w, b)
			}
			if n := oer.OctetsSize(len(want)); n != len(b) {
				t.Errorf("announced %d bytes, want %d", n, len(b))
			}
		})
	}
}

func TestVectorsVarUint(t *testing.T) { // OER-13
	for _, v := range vectors.Some(t, vectors.Load[vectorFile](t, "testdata/oer.json").VarUint) {
		t.Run(v.ID, func(t *testing.T) {
			b, want := v.Bytes(t), vectors.Uint(t, v.Value)
			r := oer.NewReader(b)
			got := r.Uint()
			done(t, &r)
			if got != want {
				t.Errorf("read %d, want %d", got, want)
			}
			if w := oer.AppendUint(nil, want); !bytes.Equal(w, b) {
				t.Errorf("wrote %x, want %x", w, b)
			}
		})
	}
}

func TestVectorsVarInt(t *testing.T) { // OER-15
	for _, v := range vectors.Some(t, vectors.Load[vectorFile](t, "testdata/oer.json").VarInt) {
		t.Run(v.ID, func(t *testing.T) {
			b, want := v.Bytes(t), parseInt(t, v.Value)
			r := oer.NewReader(b)
			got := r.Int()
			done(t, &r)
			if got != want {
				t.Errorf("read %d, want %d", got, want)
			}
			if w := oer.AppendInt(nil, want); !bytes.Equal(w, b) {
				t.Errorf("wrote %x, want %x", w, b)
			}
		})
	}
}

func TestVectorsSequenceOf(t *testing.T) { // OER-18: a VarUInt count, then the elements
	for _, v := range vectors.Some(t, vectors.Load[vectorFile](t, "testdata/oer.json").SequenceOf) {
		t.Run(v.ID, func(t *testing.T) {
			b := v.Bytes(t)
			r := oer.NewReader(b)
			if n := r.Uint(); n != uint64(len(v.Value)) {
				t.Fatalf("%d elements, want %d", n, len(v.Value))
			}
			again := oer.AppendUint(nil, uint64(len(v.Value)))
			for i, want := range v.Value {
				switch v.Element {
				case "var-octets":
					got := r.Octets()
					if hex.EncodeToString(got) != want {
						t.Errorf("element %d is %x, want %v", i, got, want)
					}
					again = oer.AppendOctets(again, got)
				case "UInt8":
					got := r.Uint8()
					if float64(got) != want {
						t.Errorf("element %d is %d, want %v", i, got, want)
					}
					again = append(again, got)
				default:
					t.Fatalf("no test for elements of type %s", v.Element)
				}
			}
			done(t, &r)
			if !bytes.Equal(again, b) {
				t.Errorf("wrote %x, want %x", again, b)
			}
		})
	}
}

// Where the standard leaves the choice ("may"), this package refuses: forms
// that are not canonical, and values above 64 bits. The exception is named
// here.
var mayAccept = map[string]string{
	"OERX-239": "72057594037927935", // a length that an int has room for
}

func TestVectorsMalformed(t *testing.T) {
	for _, v := range vectors.Some(t, vectors.Load[vectorFile](t, "testdata/oer.json").Malformed) {
		t.Run(v.ID, func(t *testing.T) {
			r := oer.NewReader(v.Bytes(t))
			got := ""
			switch v.Type {
			case "UInt8":
				got = strconv.Itoa(int(r.Uint8()))
			case "UInt16":
				got = strconv.Itoa(int(r.Uint16()))
			case "UInt32":
				got = strconv.FormatUint(uint64(r.Uint32()), 10)
			case "UInt64":
				got = strconv.FormatUint(r.Uint64(), 10)
			case "length":
				got = strconv.Itoa(r.Length())
			case "varOctets":
				got = hex.EncodeToString(r.Octets())
			case "varUInt":
				got = strconv.FormatUint(r.Uint(), 10)
			case "varInt":
				got = strconv.FormatInt(r.Int(), 10)
			default:
				t.Fatalf("no test for type %s", v.Type)
			}
			accept, want := v.RFC == "accept", v.JS.Decoded
			if choice, ok := mayAccept[v.ID]; ok && v.RFC == "may" {
				accept, want = true, choice
			}
			if accept && v.Type == "length" && vectors.Uint(t, want) > math.MaxInt {
				accept = false // the int of a 32-bit machine
			}
			switch {
			case accept && (r.Err() != nil || got != want):
				t.Errorf("%s: read %q, %v; want %q", v.Why, got, r.Err(), want)
			case !accept && r.Err() == nil:
				t.Errorf("%s: read %q, want an error", v.Why, got)
			case !accept && strings.Trim(got, "0") != "":
				t.Errorf("%s: read %q after an error, want a zero value", v.Why, got)
			}
		})
	}
}
