package ilp_test

import (
	"encoding"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/vectors"
)

// addressVectors is testdata/addresses.json.
type addressVectors struct {
	Valid       []addressVector
	Invalid     []addressVector
	PrefixMatch []struct {
		ID, Prefix, Address string
		Match               bool
	} `json:"prefix_match"`
	LongestPrefix []struct {
		Table []string
		Cases [][2]*string
	} `json:"longest_prefix_tables"`
}

type addressVector struct {
	ID, Address, Scheme, Why string
	RLE                      [][2]any `json:"address_rle"`
	Segments                 int
}

func (v addressVector) text() string { return v.Address + vectors.Repeated(v.RLE) }

func TestVectorsAddressValid(t *testing.T) { // ADDR-01 to ADDR-05
	for _, v := range vectors.Some(t, vectors.Load[addressVectors](t, "testdata/addresses.json").Valid) {
		s := v.text()
		a, err := ilp.ParseAddress(s)
		if err != nil || a.String() != s || a.IsZero() {
			t.Errorf("%s: parsed %.80q as %q, %v", v.ID, s, a, err)
		}
		if a.Scheme() != v.Scheme || strings.Count(s, ".") != v.Segments-1 {
			t.Errorf("%s: %.80q has the scheme %q, want %q", v.ID, s, a.Scheme(), v.Scheme)
		}
	}
}

func TestVectorsAddressInvalid(t *testing.T) { // ADDR-01 to ADDR-05, ADDR-15
	for _, v := range vectors.Some(t, vectors.Load[addressVectors](t, "testdata/addresses.json").Invalid) {
		s := v.text()
		a, err := ilp.ParseAddress(s)
		if !errors.Is(err, ilp.ErrInvalidAddress) || !a.IsZero() {
			t.Errorf("%s: %s: parsed %.80q as %q, %v", v.ID, v.Why, s, a, err)
		}
	}
}

func TestVectorsPrefixMatch(t *testing.T) { // ADDR-06, ADDR-10
	for _, v := range vectors.Some(t, vectors.Load[addressVectors](t, "testdata/addresses.json").PrefixMatch) {
		if got := ilp.HasPrefix(v.Address, v.Prefix); got != v.Match {
			t.Errorf("%s: %q has the prefix %q: %v", v.ID, v.Address, v.Prefix, got)
		}
		// The same by the method, where both are addresses.
		a, errA := ilp.ParseAddress(v.Address)
		prefix, errP := ilp.ParseAddress(v.Prefix)
		if errA == nil && (errP == nil || v.Prefix == "") && a.HasPrefix(prefix) != v.Match {
			t.Errorf("%s: %q has the prefix %q: %v", v.ID, a, prefix, !v.Match)
		}
	}
}

func TestVectorsLongestPrefix(t *testing.T) { // ADDR-10
	for _, v := range vectors.Some(t, vectors.Load[addressVectors](t, "testdata/addresses.json").LongestPrefix) {
		for _, c := range v.Cases {
			var got *string
			for _, prefix := range v.Table {
				if ilp.HasPrefix(*c[0], prefix) && (got == nil || len(prefix) > len(*got)) {
					got = &prefix
				}
			}
			if (got == nil) != (c[1] == nil) || got != nil && *got != *c[1] {
				t.Errorf("the longest prefix of %q in %q is not the expected one", *c[0], v.Table)
			}
		}
	}
}

func TestAddressSchemes(t *testing.T) { // ADDR-02
	for _, s := range []string{"g", "private", "example", "peer", "self", "test", "test1", "test2", "test3", "local"} {
		if a, err := ilp.ParseAddress(s + ".a"); err != nil || a.Scheme() != s {
			t.Errorf("scheme %s: %q, %v", s, a, err)
		}
		for _, bad := range []string{s, s + ".", "." + s, s + "x.a", "x" + s + ".a", strings.ToUpper(s) + ".a"} {
			if a, err := ilp.ParseAddress(bad); err == nil {
				t.Errorf("parsed %q as %q", bad, a)
			}
		}
	}
	for _, bad := range []string{"test0.a", "test4.a", "test11.a", "privat.a", "privates.a", "unknownscheme.a", "..a"} {
		if a, err := ilp.ParseAddress(bad); err == nil {
			t.Errorf("parsed %q as %q", bad, a)
		}
	}
}

// Every byte at every place, so that it passes each part of the loop.
func TestAddressCharacters(t *testing.T) { // ADDR-03, ADDR-15
	const legal = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~-"
	for _, size := range []int{1, 2, 3, 5, 6, 7, 8, 13, 14, 15, 16, 20, 50, 70} {
		for at := range size {
			for c := range 256 {
				b := []byte("g." + strings.Repeat("x", size))
				b[2+at] = byte(c)
				want := strings.IndexByte(legal, byte(c)) >= 0
				if c == '.' {
					want = at > 0 && at < size-1
				}
				if _, err := ilp.ParseAddress(string(b)); (err == nil) != want {
					t.Fatalf("parsed %q: %v", b, err)
				}
			}
			if size > 1 && at < size-1 {
				b := []byte("g." + strings.Repeat("x", size))
				b[2+at], b[3+at] = '.', '.'
				if _, err := ilp.ParseAddress(string(b)); err == nil {
					t.Fatalf("parsed %q", b)
				}
			}
		}
	}
}

func TestAddressLength(t *testing.T) { // ADDR-04
	longest := "g." + strings.Repeat("a", ilp.MaxAddressLength-2)
	if _, err := ilp.ParseAddress(longest); err != nil {
		t.Error(err)
	}
	if _, err := ilp.ParseAddress(longest + "a"); err == nil {
		t.Errorf("parsed an address of %d characters", len(longest)+1)
	}
}

func TestAddressErrorsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "ilp: invalid ILP address: it is empty"},
		{"x.a", `ilp: invalid ILP address "x.a": the scheme is none of g, private, example, peer, self, test, test1, test2, test3, local`},
		{"g.a b", `ilp: invalid ILP address "g.a b": byte 0x20 is none of A-Z a-z 0-9 _ ~ - and the dot`},
		{"g.\xe1", `ilp: invalid ILP address "g.\xe1": byte 0xe1 is none of A-Z a-z 0-9 _ ~ - and the dot`},
		{"g", `ilp: invalid ILP address "g": no segment follows the scheme`},
		{"g.", `ilp: invalid ILP address "g.": no segment follows the scheme`},
		{"g.a.", `ilp: invalid ILP address "g.a.": a segment is empty`},
		{"g.a..b", `ilp: invalid ILP address "g.a..b": a segment is empty`},
		{"g." + strings.Repeat("a", 1022), `ilp: invalid ILP address "g.` + strings.Repeat("a", 62) + `": 1024 characters, at most 1023 are allowed`},
	} {
		if _, err := ilp.ParseAddress(c.in); err == nil || err.Error() != c.want {
			t.Errorf("%.80q: %v, want %s", c.in, err, c.want)
		}
	}
}

func TestMustParseAddress(t *testing.T) {
	if a := ilp.MustParseAddress("g.alice"); a.String() != "g.alice" {
		t.Errorf("parsed %q", a)
	}
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, ilp.ErrInvalidAddress) {
			t.Errorf("panicked with %v", err)
		}
	}()
	ilp.MustParseAddress("alice")
	t.Error("no panic")
}

func TestZeroAddress(t *testing.T) {
	var zero ilp.Address
	alice := ilp.MustParseAddress("g.alice")
	switch {
	case !zero.IsZero(), zero.String() != "", zero.Scheme() != "":
		t.Error("the zero address has text")
	case !zero.Clone().IsZero():
		t.Error("a clone of the zero address is not zero")
	case !alice.HasPrefix(zero), !zero.HasPrefix(zero), zero.HasPrefix(alice):
		t.Error("the zero address is the prefix of all, and has no other")
	case zero == alice || zero != ilp.Address{}:
		t.Error("the zero address is equal to itself only")
	}
	if a, err := zero.Child("a"); !errors.Is(err, ilp.ErrInvalidAddress) {
		t.Errorf("a child of the zero address is %q, %v", a, err)
	}
}

func TestAddressChild(t *testing.T) {
	alice := ilp.MustParseAddress("g.alice")
	for _, c := range []struct {
		segments []string
		want     string
	}{
		{nil, "g.alice"},
		{[]string{"bob"}, "g.alice.bob"},
		{[]string{"bob", "~1", "Z_-"}, "g.alice.bob.~1.Z_-"},
	} {
		got, err := alice.Child(c.segments...)
		if err != nil || got != ilp.MustParseAddress(c.want) || !got.HasPrefix(alice) {
			t.Errorf("child %q is %q, %v; want %q", c.segments, got, err, c.want)
		}
	}
	for _, bad := range [][]string{{""}, {"a.b"}, {"ok", ""}, {"ä"}, {"a b"}, {"*"}} {
		if got, err := alice.Child(bad...); !errors.Is(err, ilp.ErrInvalidAddress) || !got.IsZero() {
			t.Errorf("child %q is %q, %v", bad, got, err)
		}
	}
	room := ilp.MaxAddressLength - len("g.alice.")
	if got, err := alice.Child(strings.Repeat("a", room)); err != nil || len(got.String()) != ilp.MaxAddressLength {
		t.Errorf("the longest child has %d characters, %v", len(got.String()), err)
	}
	if _, err := alice.Child(strings.Repeat("a", room+1)); !errors.Is(err, ilp.ErrInvalidAddress) {
		t.Errorf("a child that is too long: %v", err)
	}
}

func TestValidSegment(t *testing.T) { // ADDR-03
	for s, want := range map[string]bool{
		"a": true, "Z": true, "0": true, "_": true, "~": true, "-": true, "aZ09_~-": true,
		strings.Repeat("a", 2000): true, // only the address has a limit
		"":                        false, ".": false, "a.b": false, "a ": false, "\x00": false, "é": false, "a/b": false,
	} {
		if got := ilp.ValidSegment(s); got != want {
			t.Errorf("%.40q: %v", s, got)
		}
	}
}

func TestAddressText(t *testing.T) {
	var (
		_ encoding.TextMarshaler   = ilp.Address{}
		_ encoding.TextUnmarshaler = (*ilp.Address)(nil)
	)
	type message struct {
		To ilp.Address
		By map[ilp.Address]int
	}
	in := message{To: ilp.MustParseAddress("g.alice"), By: map[ilp.Address]int{ilp.MustParseAddress("g.bob"): 1}}
	b, err := json.Marshal(in)
	if err != nil || string(b) != `{"To":"g.alice","By":{"g.bob":1}}` {
		t.Fatalf("marshalled %s, %v", b, err)
	}
	var out message
	if err := json.Unmarshal(b, &out); err != nil || out.To != in.To || out.By[ilp.MustParseAddress("g.bob")] != 1 {
		t.Errorf("unmarshalled %v, %v", out, err)
	}

	a := ilp.MustParseAddress("g.alice")
	if err := a.UnmarshalText([]byte("g..")); !errors.Is(err, ilp.ErrInvalidAddress) || a.String() != "g.alice" {
		t.Errorf("after text that is no address: %q, %v", a, err)
	}
	if err := a.UnmarshalText(nil); err != nil || !a.IsZero() {
		t.Errorf("after empty text: %q, %v", a, err)
	}
	if b, err := (ilp.Address{}).MarshalText(); err != nil || len(b) != 0 {
		t.Errorf("the zero address is the text %q, %v", b, err)
	}
	text := []byte("g.alice")
	if err := a.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	copy(text, "x.xxxxx")
	if a.String() != "g.alice" {
		t.Errorf("the address has changed with the text, to %q", a)
	}
}
