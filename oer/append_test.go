package oer_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/interledger-go/connector/oer"
)

func TestLengthIsShortest(t *testing.T) { // OER-06 to OER-09
	for _, c := range []struct {
		n    int
		want string
	}{
		{0, "00"}, {1, "01"}, {127, "7f"},
		{128, "8180"}, {255, "81ff"},
		{256, "820100"}, {65535, "82ffff"},
		{65536, "83010000"}, {1<<24 - 1, "83ffffff"},
		{1 << 24, "8401000000"}, {math.MaxInt32, "847fffffff"},
	} {
		got := oer.AppendLength([]byte{0xee}, c.n)
		if hex.EncodeToString(got) != "ee"+c.want {
			t.Errorf("%d: wrote %x after ee, want %s", c.n, got, c.want)
		}
		if n := oer.LengthSize(c.n); n != len(c.want)/2 {
			t.Errorf("%d: announced %d bytes, want %d", c.n, n, len(c.want)/2)
		}
		r := oer.NewReader(got[1:])
		if n := r.Length(); n != c.n || r.Err() != nil || r.Len() != 0 {
			t.Errorf("%d: read %d, %v with %d bytes left", c.n, n, r.Err(), r.Len())
		}
	}
}

func TestUintIsShortest(t *testing.T) { // OER-13, OER-14
	for shift := range 64 {
		for _, v := range []uint64{1 << shift, 1<<shift - 1, 1<<shift + 1} {
			size := 1
			for size < 8 && v>>(8*size) != 0 {
				size++
			}
			got := oer.AppendUint([]byte{0xee}, v)
			if len(got) != 2+size || got[1] != byte(size) {
				t.Errorf("%#x: wrote %x, want %d bytes", v, got, size)
			}
			r := oer.NewReader(got[1:])
			if n := r.Uint(); n != v || r.Err() != nil || r.Len() != 0 {
				t.Errorf("%#x: read %#x, %v with %d bytes left", v, n, r.Err(), r.Len())
			}
		}
	}
}

func TestIntIsShortest(t *testing.T) { // OER-15
	for _, c := range []struct {
		v    int64
		want string
	}{
		{0, "0100"}, {1, "0101"}, {-1, "01ff"},
		{127, "017f"}, {-128, "0180"}, {128, "020080"}, {-129, "02ff7f"},
		{math.MaxInt16, "027fff"}, {math.MinInt16, "028000"}, {math.MaxInt16 + 1, "03008000"},
		{1<<39 - 1, "057fffffffff"}, {-1 << 39, "058000000000"},
		{math.MaxInt64, "087fffffffffffffff"}, {math.MinInt64, "088000000000000000"},
	} {
		got := oer.AppendInt([]byte{0xee}, c.v)
		if hex.EncodeToString(got) != "ee"+c.want {
			t.Errorf("%d: wrote %x after ee, want %s", c.v, got, c.want)
		}
		r := oer.NewReader(got[1:])
		if n := r.Int(); n != c.v || r.Err() != nil || r.Len() != 0 {
			t.Errorf("%d: read %d, %v with %d bytes left", c.v, n, r.Err(), r.Len())
		}
	}
}

func TestOctetsAroundSizeLimits(t *testing.T) { // OER-12
	for _, n := range []int{0, 1, 127, 128, 255, 256, 257, 65535, 65536, 1 << 18} {
		b := bytes.Repeat([]byte{0x5a}, n)
		got := oer.AppendOctets(nil, b)
		if len(got) != oer.OctetsSize(n) {
			t.Errorf("%d: wrote %d bytes, announced %d", n, len(got), oer.OctetsSize(n))
		}
		r := oer.NewReader(append(got, 0xee))
		if v := r.Octets(); !bytes.Equal(v, b) || r.Err() != nil || r.Len() != 1 {
			t.Errorf("%d: read %d bytes, %v with %d bytes left", n, len(v), r.Err(), r.Len())
		}
	}
}

func TestAppendToRoomAllocatesNothing(t *testing.T) {
	data := make([]byte, 300)
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		b := oer.AppendLength(dst, 300)
		b = oer.AppendOctets(b, data)
		b = oer.AppendString(b, "g.alice")
		b = oer.AppendUint(b, math.MaxUint64)
		oer.AppendInt(b, math.MinInt64)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
