package config

import (
	"fmt"
	"log/slog"
)

// Raw is a JSON object that a driver reads: its options. There are secrets in
// it as often as not, so, like [Secret], no formatting verb, log or encoder
// shows it.
type Raw []byte

func (r *Raw) readNode(d *decoder, path string, n *node) {
	if d.is(path, n, object) {
		*r = n.appendJSON(nil)
	}
}

// String gives "(secret)", or "" if it is empty.
func (r Raw) String() string { return Secret(r).String() }

// Format writes what String gives, whatever the verb.
func (r Raw) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// LogValue gives what String gives.
func (r Raw) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText gives what String gives.
func (r Raw) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// value is any JSON value, and no secret to be looked up.
type value []byte

func (v *value) readNode(_ *decoder, _ string, n *node) { *v = n.appendJSON(nil) }
