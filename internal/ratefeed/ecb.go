package ratefeed

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/interledger-go/connector/backend"
)

// The European Central Bank's file of daily reference rates.
const (
	ECBURL = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"

	// ECBBase is the currency that they are against.
	ECBBase = "EUR"

	// ECBRefresh is how often it is looked at.
	ECBRefresh = time.Hour

	// ECBMaxAge lasts from one publication to the next over the longest
	// holidays, Easter and a Christmas on a Thursday, which is five days, and
	// half a day more.
	ECBMaxAge = 132 * time.Hour

	// ecbHour is when the rates of a day are counted from, UTC: they are
	// published at about 16:00 CET, which is 14:00 in summer.
	ecbHour = 14

	envelopeSpace = "http://www.gesmes.org/xml/2002-08-01"
	cubeSpace     = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref"
)

// NewECB returns the fetch function of a feed of that file.
func NewECB(client *http.Client, address string) (func(context.Context) (Quotes, error), error) {
	if address == "" {
		address = ECBURL
	}
	request, err := NewRequest(client, address, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (Quotes, error) { return request.Get(ctx, ParseECB) }, nil
}

// ParseECB reads the daily file. It must be whole, of one day, and have at
// least one currency and none twice. The file says how much of a currency a
// euro buys; a price is the inverse.
func ParseECB(r io.Reader) (Quotes, error) {
	p := ecbParser{quotes: Quotes{Base: ECBBase, Prices: make(map[string]backend.Ratio)}}
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.take(token)
		}
		if err != nil {
			return Quotes{}, fmt.Errorf("not the ECB's daily rates: %w", err)
		}
	}
	if !p.begun || len(p.quotes.Prices) == 0 {
		return Quotes{}, errors.New("not the ECB's daily rates: no currency in it")
	}
	return p.quotes, nil
}

// ecbParser keeps where it is in
//
//	<gesmes:Envelope><Cube><Cube time="2026-11-25"><Cube currency="USD" rate="1.0834"/>…
//
// Everything else below the envelope is passed over.
type ecbParser struct {
	quotes Quotes
	begun  bool // the envelope has been seen
	depth  int  // open elements
}

func (p *ecbParser) take(token xml.Token) error {
	switch element := token.(type) {
	case xml.EndElement:
		p.depth--
	case xml.StartElement:
		p.depth++
		switch {
		case p.depth == 1 && p.begun:
			return errors.New("two documents in one")
		case p.depth == 1:
			p.begun = true
			if element.Name != (xml.Name{Space: envelopeSpace, Local: "Envelope"}) {
				return fmt.Errorf("the root is %.40s in the namespace %.80q: want Envelope in %q", element.Name.Local, element.Name.Space, envelopeSpace)
			}
		case element.Name.Local == "Cube" && element.Name.Space != cubeSpace:
			return fmt.Errorf("a Cube in the namespace %.80q: want %q", element.Name.Space, cubeSpace)
		case element.Name.Local == "Cube":
			return p.cube(element.Attr)
		}
	}
	return nil
}

// cube takes the attributes of a Cube. Only the outermost has none.
func (p *ecbParser) cube(attributes []xml.Attr) error {
	value := make(map[string]string, len(attributes))
	for _, a := range attributes {
		if _, twice := value[a.Name.Local]; twice {
			return fmt.Errorf("a Cube with two attributes %.40q", a.Name.Local)
		}
		value[a.Name.Local] = a.Value
	}
	if day, ok := value["time"]; ok {
		return p.day(day)
	}
	currency, named := value["currency"]
	rate, priced := value["rate"]
	if !named && !priced {
		return nil
	}
	if !named || !priced || p.quotes.Time.IsZero() {
		return errors.New("a Cube with a currency or a rate alone, or before the day: want both, within a Cube with a time")
	}
	return p.quote(currency, rate)
}

func (p *ecbParser) day(day string) error {
	if !p.quotes.Time.IsZero() {
		return errors.New("more than one day: want the daily file")
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return fmt.Errorf("day %.40q: want one such as 2026-11-25", day)
	}
	p.quotes.Time = t.Add(ecbHour * time.Hour)
	return nil
}

func (p *ecbParser) quote(currency, rate string) error {
	if err := CheckCode(currency); err != nil {
		return err
	}
	if _, twice := p.quotes.Prices[currency]; twice || currency == p.quotes.Base {
		return fmt.Errorf("currency %s is there twice, or is the base", currency)
	}
	if strings.ContainsAny(rate, "eE") {
		return fmt.Errorf("currency %s: price %.40q: want a decimal number without exponent", currency, rate)
	}
	perEuro, err := ParsePrice(rate)
	if err != nil {
		return fmt.Errorf("currency %s: %w", currency, err)
	}
	p.quotes.Prices[currency] = perEuro.Inv()
	return nil
}
