// Package vectors reads the test vectors that the packages have in their
// testdata: JSON files, in which long bytes and texts are written as what they
// repeat.
package vectors

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Load reads a file of vectors.
func Load[T any](t testing.TB, file string) (v T) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Some gives the vectors of one part of a file, and ends the test if there
// are none: it would check nothing.
func Some[T any](t testing.TB, part []T) []T {
	t.Helper()
	if len(part) == 0 {
		t.Fatal("no vectors")
	}
	return part
}

// Hex decodes hexadecimal.
func Hex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Uint is an integer that stands in the vectors as a decimal string.
func Uint(t testing.TB, s string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Wire is encoded bytes: in hexadecimal or, if there are many, as pieces in
// hexadecimal that are repeated.
type Wire struct {
	Hex string
	RLE [][2]any `json:"hex_rle"`
}

// Bytes gives the bytes.
func (w Wire) Bytes(t testing.TB) []byte {
	t.Helper()
	return Hex(t, w.Hex+Repeated(w.RLE))
}

// Repeated joins pieces, each a text and how often it is repeated.
func Repeated(pieces [][2]any) string {
	var all strings.Builder
	for _, piece := range pieces {
		all.WriteString(strings.Repeat(piece[0].(string), int(piece[1].(float64))))
	}
	return all.String()
}

// Filled is data: in hexadecimal, or one byte that is repeated.
type Filled struct {
	Hex, Fill string
	Len       int
}

// Bytes gives the data.
func (f Filled) Bytes(t testing.TB) []byte {
	t.Helper()
	return Hex(t, f.Hex+strings.Repeat(f.Fill, f.Len))
}

// Text is a string, or what a long one is made of: what it begins with, and a
// string that is repeated, up to a length.
type Text string

// UnmarshalJSON reads both forms.
func (s *Text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(s))
	}
	var long struct {
		Fill, Prefix string
		Len          int
	}
	if err := json.Unmarshal(b, &long); err != nil {
		return err
	}
	if long.Fill == "" || long.Len < len(long.Prefix) {
		return fmt.Errorf("text of unknown form: %s", b)
	}
	*s = Text(long.Prefix + strings.Repeat(long.Fill, (long.Len-len(long.Prefix))/len(long.Fill)))
	return nil
}
