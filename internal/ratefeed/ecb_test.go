package ratefeed_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/ratefeed"
)

func daily(t testing.TB) string {
	t.Helper()
	document, err := os.ReadFile("../../backend/ecb/testdata/eurofxref-daily.xml")
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// envelope is a daily file around what the outermost Cube holds.
func envelope(cubes string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>` +
		`<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">` +
		`<gesmes:subject>Reference rates</gesmes:subject><Cube>` + cubes + `</Cube></gesmes:Envelope>`
}

func day(cubes string) string { return envelope(`<Cube time="2026-11-24">` + cubes + `</Cube>`) }

func TestParseECB(t *testing.T) {
	quotes, err := ratefeed.ParseECB(strings.NewReader(daily(t)))
	if err != nil {
		t.Fatal(err)
	}
	if quotes.Base != "EUR" || len(quotes.Prices) != 30 {
		t.Errorf("%d currencies in %s", len(quotes.Prices), quotes.Base)
	}
	if want := time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC); !quotes.Time.Equal(want) {
		t.Errorf("the rates are of %v; want %v", quotes.Time, want)
	}
	for code, want := range map[string]string{"USD": "5000/5417", "JPY": "4/653", "IDR": "20/336469", "GBP": "20000/17227"} {
		if got := quotes.Prices[code].String(); got != want {
			t.Errorf("a unit of %s is %s euros; want %s", code, got, want)
		}
	}
}

func TestParseECBRefuses(t *testing.T) {
	const usd = `<Cube currency="USD" rate="1.0834"/>`
	rate := func(text string) string { return day(`<Cube currency="USD" rate="` + text + `"/>`) }
	whole := daily(t)
	tests := []struct{ name, document, says string }{
		{"nothing", "", "no currency"},
		{"text", "service unavailable", "no currency"},
		{"HTML", "<!DOCTYPE html><html><body><p>Sorry<br></body></html>", "want Envelope"},
		{"no rates", envelope(""), "no currency"},
		{"a day without rates", day(""), "no currency"},
		{"another namespace of the rates", strings.Replace(day(usd), "2002-08-01/eurofxref", "2003/other", 1), "namespace"},
		{"another namespace of the envelope", strings.Replace(day(usd), "gesmes.org/xml/2002-08-01", "example.org", 1), "want Envelope"},
		{"no namespace", `<Envelope><Cube><Cube time="2026-11-24">` + usd + `</Cube></Cube></Envelope>`, "want Envelope"},
		{"two documents", day(usd) + strings.TrimPrefix(day(usd), `<?xml version="1.0" encoding="UTF-8"?>`), "two documents"},
		{"two days", envelope(`<Cube time="2026-11-24">` + usd + `</Cube><Cube time="2026-11-23"></Cube>`), "more than one day"},
		{"no day", envelope(usd), "before the day"},
		{"a day that is none", envelope(`<Cube time="2026-02-30">` + usd + `</Cube>`), "want one such as"},
		{"a currency twice", day(usd + usd), "twice"},
		{"the base", day(`<Cube currency="EUR" rate="1"/>`), "is the base"},
		{"no rate", day(`<Cube currency="USD"/>`), "want both"},
		{"no currency", day(`<Cube rate="1"/>`), "want both"},
		{"an empty currency", day(`<Cube currency="" rate="1"/>`), "empty currency code"},
		{"a currency of markup", day(`<Cube currency="U&#10;D" rate="1"/>`), "printable ASCII"},
		{"an attribute twice", day(`<Cube currency="USD" rate="1" rate="2"/>`), "two attributes"},
		{"zero", rate("0"), "more than 0"},
		{"zero in full", rate("0.0000"), "more than 0"},
		{"negative", rate("-1.08"), "above 0"},
		{"exponent", rate("1e3"), "without exponent"},
		{"NaN", rate("NaN"), "above 0"},
		{"infinity", rate("INF"), "above 0"},
		{"empty", rate(""), "above 0"},
		{"a comma", rate("1,08"), "above 0"},
		{"a fraction", rate("1/2"), "want a decimal number"},
		{"huge digits", rate(strings.Repeat("9", 100_000)), "want at most 40"},
		{"a giant", rate("9999999999999999999999999"), "from 1e-24 to 1e24"},
		{"an entity of its own", strings.Replace(rate("&x;"), "<gesmes:Env", `<!DOCTYPE a [<!ENTITY x "1">]><gesmes:Env`, 1), "entity"},
		{"something after the end", day(usd) + "<", "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			quotes, err := ratefeed.ParseECB(strings.NewReader(test.document))
			if err == nil || quotes.Prices != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, %v; want an error that says %q", quotes, err, test.says)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
		})
	}
	for cut := range len(whole) - 1 { // the last is a line feed
		if quotes, err := ratefeed.ParseECB(strings.NewReader(whole[:cut])); err == nil {
			t.Fatalf("the first %d bytes of %d are taken for the whole: %v", cut, len(whole), quotes)
		}
	}
}

// What is added to the format some day is passed over.
func TestParseECBPassesOverTheUnknown(t *testing.T) {
	document := day(`<note xmlns="urn:x" rate="5">text</note><Cube currency="USD" rate="1.0834" multiplier="1"><!-- --></Cube>`)
	quotes, err := ratefeed.ParseECB(strings.NewReader(document))
	if err != nil || quotes.Prices["USD"].String() != "5000/5417" || len(quotes.Prices) != 1 {
		t.Errorf("%v, %v", quotes, err)
	}
}

func FuzzParseECB(f *testing.F) {
	f.Add(daily(f))
	f.Add(day(`<Cube currency="USD" rate="0"/>`))
	f.Add(envelope(`<Cube currency="USD" rate="1"/>`))
	f.Add("<!DOCTYPE html><html>")
	f.Add("")
	f.Fuzz(func(t *testing.T, document string) {
		quotes, err := ratefeed.ParseECB(strings.NewReader(document))
		checkQuotes(t, quotes, err)
		if err == nil && quotes.Time.IsZero() {
			t.Error("quotes without a day")
		}
	})
}

// checkQuotes fails the test unless quotes are usable, or none.
func checkQuotes(t *testing.T, quotes ratefeed.Quotes, err error) {
	t.Helper()
	if err != nil {
		if quotes.Prices != nil {
			t.Errorf("quotes along with the error %v", err)
		}
		return
	}
	if quotes.Base == "" {
		t.Error("quotes in nothing")
	}
	for code, price := range quotes.Prices {
		if code == quotes.Base || ratefeed.CheckCode(code) != nil || price.IsZero() {
			t.Errorf("currency %q has the price %v", code, price)
		}
	}
}

func BenchmarkParseECB(b *testing.B) {
	document := daily(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ratefeed.ParseECB(strings.NewReader(document)); err != nil {
			b.Fatal(err)
		}
	}
}

// endless never ends.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[i%len(e.text)]
	}
	return len(p), nil
}

var _ io.Reader = endless{}
