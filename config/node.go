package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// kind is what a JSON value is.
type kind int

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

var kindNames = [...]string{null: "null", boolean: "a boolean", number: "a number", text: "a text", list: "a list", object: "an object"}

func (k kind) String() string { return kindNames[k] }

// node is a JSON value with all that encoding/json would drop: the order of
// members, those that occur twice, and the digits of numbers.
type node struct {
	kind    kind
	text    string // of a text; the literal of a number or boolean
	items   []*node
	members []member
}

type member struct {
	name  string
	value *node
}

// set makes value the only member of its name.
func (n *node) set(name string, value *node) {
	kept := n.members[:0]
	for _, m := range n.members {
		if m.name != name {
			kept = append(kept, m)
		}
	}
	n.members = append(kept, member{name, value})
}

// maxDepth is how deep values may lie in one another.
const maxDepth = 64

// parse reads one JSON value. Its errors quote nothing of data but a single
// character.
func parse(data []byte) (*node, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line, column := position(data, syntax.Offset)
			return nil, fmt.Errorf("is not JSON: line %d, column %d: %w", line, column, err)
		}
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	return parseFrom(d, token, 0)
}

func position(data []byte, offset int64) (line, column int) {
	before := data[:min(max(offset-1, 0), int64(len(data)))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, len(before) - bytes.LastIndexByte(before, '\n')
}

func parseFrom(d *json.Decoder, token json.Token, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("has values more than %d deep in one another", maxDepth)
	}
	switch token := token.(type) {
	case nil:
		return &node{kind: null}, nil
	case bool:
		return &node{kind: boolean, text: fmt.Sprint(token)}, nil
	case json.Number:
		return &node{kind: number, text: token.String()}, nil
	case string:
		return &node{kind: text, text: token}, nil
	case json.Delim:
		if token == '[' {
			return parseList(d, depth)
		}
		return parseObject(d, depth)
	}
	return nil, fmt.Errorf("is not JSON: unexpected %v", token)
}

func parseList(d *json.Decoder, depth int) (*node, error) {
	n := &node{kind: list}
	for {
		token, err := next(d)
		if err != nil {
			return nil, err
		}
		if token == json.Delim(']') {
			return n, nil
		}
		item, err := parseFrom(d, token, depth+1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
}

func parseObject(d *json.Decoder, depth int) (*node, error) {
	n := &node{kind: object}
	for {
		token, err := next(d)
		if err != nil {
			return nil, err
		}
		if token == json.Delim('}') {
			return n, nil
		}
		name, _ := token.(string) // the text is JSON, so it is one
		token, err = next(d)
		if err != nil {
			return nil, err
		}
		value, err := parseFrom(d, token, depth+1)
		if err != nil {
			return nil, err
		}
		n.members = append(n.members, member{name, value})
	}
}

func next(d *json.Decoder) (json.Token, error) {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	return token, nil
}

// appendJSON appends n as compact JSON.
func (n *node) appendJSON(dst []byte) []byte {
	switch n.kind {
	case null:
		return append(dst, "null"...)
	case boolean, number:
		return append(dst, n.text...)
	case text:
		return appendText(dst, n.text)
	case list:
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.appendJSON(dst)
		}
		return append(dst, ']')
	default:
		dst = append(dst, '{')
		for i, m := range n.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, m.name), ':')
			dst = m.value.appendJSON(dst)
		}
		return append(dst, '}')
	}
}

func appendText(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	return append(dst, quoted...)
}
