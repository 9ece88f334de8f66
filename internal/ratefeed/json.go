package ratefeed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector/backend"
)

// maxDepth is how deep the values of a JSON document may be nested.
const maxDepth = 32

// ParseJSON reads one JSON value as encoding/json does into an any, with two
// differences: numbers are json.Number, the text as it stands, and an object
// that has a name twice is refused, because which one counts is anybody's
// guess.
func ParseJSON(r io.Reader) (any, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	value, err := parseValue(d, maxDepth)
	if err != nil {
		return nil, jsonError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("something follows the document")
		}
		return nil, jsonError(err)
	}
	return value, nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("not the JSON that it should be: %w", err)
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == 0 {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	if delim == '{' {
		return parseObject(d, depth-1)
	}
	return parseArray(d, depth-1)
}

func parseObject(d *json.Decoder, depth int) (any, error) {
	object := make(map[string]any)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("a name was expected, not %v", token)
		}
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("%.40q is there twice", name)
		}
		if object[name], err = parseValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // the closing brace, or what is wrong in its place
	return object, err
}

func parseArray(d *json.Decoder, depth int) (any, error) {
	array := []any{}
	for d.More() {
		value, err := parseValue(d, depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := d.Token()
	return array, err
}

// Pointer is a place in a JSON document (RFC 6901), such as
// "/data/0/price". The empty Pointer is the whole document.
type Pointer []string

// NewPointer reads a pointer.
func NewPointer(text string) (Pointer, error) {
	if text == "" {
		return Pointer{}, nil
	}
	if text[0] != '/' {
		return nil, fmt.Errorf("JSON pointer %q: want one that begins with a /, such as /data/0/price", text)
	}
	parts := strings.Split(text[1:], "/")
	for i, part := range parts {
		unescaped := strings.NewReplacer("~0", "", "~1", "").Replace(part)
		if strings.Contains(unescaped, "~") {
			return nil, fmt.Errorf("JSON pointer %q: want ~0 for a ~ and ~1 for a /", text)
		}
		parts[i] = strings.NewReplacer("~0", "~", "~1", "/").Replace(part)
	}
	return parts, nil
}

// String returns the pointer as NewPointer reads it.
func (p Pointer) String() string {
	var b strings.Builder
	for _, part := range p {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	return b.String()
}

// Find returns the value at the place that p names.
func (p Pointer) Find(document any) (any, error) {
	value := document
	for i, part := range p {
		var ok bool
		switch v := value.(type) {
		case map[string]any:
			value, ok = v[part]
		case []any:
			var n int
			if n, ok = arrayIndex(part, len(v)); ok {
				value = v[n]
			}
		}
		if !ok {
			return nil, fmt.Errorf("nothing is at %s", p[:i+1])
		}
	}
	return value, nil
}

// arrayIndex reads an index of RFC 6901: digits without leading zeros.
func arrayIndex(text string, length int) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n < length && strconv.Itoa(n) == text
}

// Price reads the price at p: a JSON number, or a string that holds one.
func (p Pointer) Price(document any) (backend.Ratio, error) {
	value, err := p.Find(document)
	if err != nil {
		return backend.Ratio{}, err
	}
	price, err := JSONPrice(value)
	if err != nil {
		return backend.Ratio{}, fmt.Errorf("%s: %w", p, err)
	}
	return price, nil
}

// Time reads the time at p, as JSONTime does.
func (p Pointer) Time(document any) (time.Time, error) {
	value, err := p.Find(document)
	if err != nil {
		return time.Time{}, err
	}
	t, err := JSONTime(value)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", p, err)
	}
	return t, nil
}

// JSONPrice reads a price from a value of ParseJSON: a JSON number by its
// text, or a string.
func JSONPrice(value any) (backend.Ratio, error) {
	switch v := value.(type) {
	case json.Number:
		return ParsePrice(v.String())
	case string:
		return ParsePrice(v)
	}
	return backend.Ratio{}, errors.New("no price: want a number, or a string that holds one")
}

// JSONTime reads a time from a value of ParseJSON: a string of RFC 3339 such
// as "2026-11-25T15:00:00Z", or whole seconds since 1970, as a number or a
// string.
func JSONTime(value any) (time.Time, error) {
	text, ok := value.(string)
	if number, isNumber := value.(json.Number); isNumber {
		text, ok = number.String(), true
	}
	if ok {
		if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds >= 0 && seconds < 1<<40 {
			return time.Unix(seconds, 0).UTC(), nil
		}
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("no time: want one such as 2026-11-25T15:00:00Z, or seconds since 1970")
}
