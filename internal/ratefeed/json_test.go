package ratefeed_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/ratefeed"
)

func TestParseJSONRefuses(t *testing.T) {
	tests := []struct{ name, document, says string }{
		{"nothing", "", "unexpected EOF"},
		{"half", `{"a": [1, {"b": `, "unexpected EOF"},
		{"no value", `{"a"}`, "invalid character"},
		{"two values", `{} {}`, "something follows"},
		{"garbage behind", `{}]`, "invalid character"},
		{"a name twice", `{"rates": {"EUR": "0.92", "USD": 1, "EUR": "0.5"}}`, `"EUR" is there twice`},
		{"a name twice, escaped", `{"EUR": 1, "\u0045UR": 2}`, `"EUR" is there twice`},
		{"NaN", `{"a": NaN}`, "invalid character"},
		{"HTML", `<html>`, "invalid character"},
		{"deep", strings.Repeat("[", 1<<20), "nested more than"},
		{"deep objects", strings.Repeat(`{"a":`, 1<<17), "nested more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			value, err := ratefeed.ParseJSON(strings.NewReader(test.document))
			if err == nil || value != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, %v; want an error that says %q", value, err, test.says)
			}
		})
	}
}

func TestPointer(t *testing.T) {
	document, err := ratefeed.ParseJSON(strings.NewReader(
		`{"data": [{"price": 0.1000000000000000055}, {"price": "1.3e-7"}], "a/b": {"m~n": "2"}, "": "3", "t": 1795608000, "bad": [null, true, {}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{
		"/data/0/price": "200000000000000011/2000000000000000000",
		"/data/1/price": "13/100000000",
		"/a~1b/m~0n":    "2",
		"/":             "3",
	} {
		p, err := ratefeed.NewPointer(pointer)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Price(document); err != nil || got.String() != want || p.String() != pointer {
			t.Errorf("%s (%v): %v, %v; want %s", pointer, p, got, err, want)
		}
	}
	for pointer, says := range map[string]string{
		"/data/2/price":  "nothing is at /data/2",
		"/data/00/price": "nothing is at /data/00",
		"/data/-1/price": "nothing is at /data/-1",
		"/data/-/price":  "nothing is at /data/-",
		"/t/x":           "nothing is at /t/x",
		"/none":          "nothing is at /none",
		"":               "no price",
		"/bad/0":         "/bad/0: no price",
		"/bad/1":         "no price",
		"/bad/2":         "no price",
	} {
		p, err := ratefeed.NewPointer(pointer)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Price(document); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v; want %q", pointer, got, err, says)
		}
	}
	for _, pointer := range []string{"last", "/a~", "/a~2"} {
		if p, err := ratefeed.NewPointer(pointer); err == nil {
			t.Errorf("%s is read as %v", pointer, p)
		}
	}
}

func TestJSONTime(t *testing.T) {
	want := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, value := range []any{"2026-11-25T12:00:00Z", "2026-11-25T13:00:00+01:00", "2026-11-25T12:00:00.000Z", "1795608000", json.Number("1795608000")} {
		if got, err := ratefeed.JSONTime(value); err != nil || !got.Equal(want) {
			t.Errorf("%v: %v, %v", value, got, err)
		}
	}
	for _, value := range []any{nil, "", "yesterday", "2026-11-25", json.Number("1.5"), json.Number("-1"), json.Number("1795608000000"), true} {
		if got, err := ratefeed.JSONTime(value); err == nil {
			t.Errorf("%v is read as %v", value, got)
		}
	}
}

func TestParsePrice(t *testing.T) {
	for _, text := range []string{"", "0", "0e5", "-1", "+1", "1/2", "NaN", "Infinity", "0x10", "1 ", "1e400", "1e25", "1e-25", strings.Repeat("1", 41)} {
		if price, err := ratefeed.ParsePrice(text); err == nil {
			t.Errorf("%q is read as %v", text, price)
		}
	}
	for text, want := range map[string]string{"1": "1", "1e-24": "1/1000000000000000000000000", "0.29": "29/100", "43289.51734182637": "4328951734182637/100000000000"} {
		if price, err := ratefeed.ParsePrice(text); err != nil || price.String() != want {
			t.Errorf("%q is read as %v, %v", text, price, err)
		}
	}
}

// What it takes, encoding/json takes too, for the same; and only what names
// something twice is taken there and refused here.
func FuzzParseJSON(f *testing.F) {
	for _, document := range []string{`{"base":"USD","rates":{"EUR":"0.92","JPY":149.25}}`, `[1,[2,{"a":null}],true,"\u00e9"]`, `{"a":1,"a":2}`, `{`, ``, `1e999`} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		got, err := ratefeed.ParseJSON(strings.NewReader(document))
		d := json.NewDecoder(strings.NewReader(document))
		d.UseNumber()
		var want any
		wantErr := d.Decode(&want)
		if err == nil && (wantErr != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%v; encoding/json gives %v, %v", got, want, wantErr)
		}
		if err != nil && json.Valid([]byte(document)) && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "nested") {
			t.Errorf("valid JSON is refused: %v", err)
		}
	})
}

func FuzzPointer(f *testing.F) {
	for _, pointer := range []string{"/data/0/price", "", "/", "/a~1b/m~0n", "/~", "x"} {
		f.Add(pointer)
	}
	document, err := ratefeed.ParseJSON(strings.NewReader(`{"data": [{"price": 1}], "a/b": {"m~n": "2"}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ratefeed.NewPointer(text)
		if err != nil {
			return
		}
		if p.String() != text {
			t.Errorf("%q comes back as %q", text, p)
		}
		_, _ = p.Price(document)
	})
}
