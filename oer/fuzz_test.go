package oer_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/vectors"
	"github.com/interledger-go/connector/oer"
)

// What is read in one way or another is written as the bytes it was read
// from, and a fault is one of three.
func FuzzReader(f *testing.F) {
	v := vectors.Load[vectorFile](f, "testdata/oer.json")
	for _, list := range [][]integer{v.UintFixed, v.Length, v.VarUint, v.VarInt} {
		for _, c := range list {
			f.Add(c.Bytes(f))
		}
	}
	for _, c := range v.VarOctets {
		f.Add(c.Bytes(f))
	}
	for _, c := range v.Malformed {
		f.Add(c.Bytes(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		for name, again := range map[string]func(*oer.Reader) []byte{
			"length": func(r *oer.Reader) []byte { return oer.AppendLength(nil, r.Length()) },
			"octets": func(r *oer.Reader) []byte { return oer.AppendOctets(nil, r.Octets()) },
			"uint":   func(r *oer.Reader) []byte { return oer.AppendUint(nil, r.Uint()) },
			"int":    func(r *oer.Reader) []byte { return oer.AppendInt(nil, r.Int()) },
			"bytes":  func(r *oer.Reader) []byte { return r.Bytes(8) },
		} {
			r := oer.NewReader(b)
			got := again(&r)
			rest := bytes.Clone(r.Rest())
			switch r.Err() {
			case nil:
				if !bytes.Equal(append(got, rest...), in) {
					t.Errorf("%s: read and wrote %x with %x left", name, got, rest)
				}
			case oer.ErrTruncated, oer.ErrNonCanonical, oer.ErrTooLarge:
				if len(rest) != 0 {
					t.Errorf("%s: %x left after %v", name, rest, r.Err())
				}
			default:
				t.Errorf("%s: %v", name, r.Err())
			}
		}
		if !bytes.Equal(b, in) {
			t.Error("the input has changed")
		}
	})
}

// An accepted timestamp is what package time makes of it, and is written as it
// was.
func FuzzParseTimestamp(f *testing.F) {
	v := vectors.Load[timestampVectors](f, "testdata/timestamps.json")
	for _, c := range v.Valid {
		f.Add([]byte(c.Wire))
	}
	for _, c := range v.Invalid {
		f.Add([]byte(c.Wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := oer.ParseTimestamp(b)
		var want time.Time
		wantOK := false
		digit := func(c rune) bool { return c >= '0' && c <= '9' }
		if len(b) == oer.TimestampSize && len(bytes.TrimFunc(b, digit)) == 0 {
			var wantErr error
			want, wantErr = time.Parse("20060102150405.000", string(b[:14])+"."+string(b[14:]))
			wantOK = wantErr == nil
		}
		if (err == nil) != wantOK {
			t.Fatalf("%v, %v", got, err)
		}
		if err != nil {
			return
		}
		again, err := oer.AppendTimestamp(nil, got)
		if err != nil || !bytes.Equal(again, b) || !got.Equal(want) {
			t.Errorf("read %v and wrote %q, %v", got, again, err)
		}
	})
}

// An accepted text is written in its canonical form, which means the same.
func FuzzParseGeneralizedTime(f *testing.F) {
	for _, c := range vectors.Load[timestampVectors](f, "testdata/timestamps.json").TextInvalid {
		b, err := hex.DecodeString(c.Hex)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[1:])
	}
	f.Add([]byte("20260102030405.678Z"))
	f.Add([]byte("20161231235960.5Z"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := oer.ParseGeneralizedTime(b)
		if err != nil {
			return
		}
		canonical := oer.AppendGeneralizedTime(nil, got)
		back, err := oer.ParseGeneralizedTime(canonical)
		if err != nil || !back.Equal(got) {
			t.Fatalf("read %v, wrote %q and read %v, %v", got, canonical, back, err)
		}
		if len(canonical) > len(b) {
			t.Errorf("canonical %q is longer", canonical)
		}
		if again := oer.AppendGeneralizedTime(nil, back); !bytes.Equal(again, canonical) {
			t.Errorf("wrote %q, then %q", canonical, again)
		}
	})
}
