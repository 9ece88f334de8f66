package config

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/backend"
)

// Amount is a number of units that limits something, in the smallest unit of
// the account's asset: a JSON string or number, whole and at least 1. In Go
// its zero sets no limit.
type Amount uint64

func (a *Amount) readNode(d *decoder, path string, n *node) {
	if n.kind != text && n.kind != number {
		d.add(path, `is %s: it must be an amount such as "1000000"`, n.kind)
		return
	}
	v, err := strconv.ParseUint(n.text, 10, 64)
	switch {
	case err != nil && digits(n.text):
		d.add(path, "is beyond 64 bits: at most %d is possible", uint64(math.MaxUint64))
	case err != nil || (n.text[0] == '0' && n.text != "0"):
		d.add(path, `is %q: it must be an amount in whole units, such as "1000000"`, n.text)
	case v == 0:
		d.add(path, "is 0: it must be at least 1; leave it out for no limit")
	}
	*a = Amount(v)
}

// MarshalJSON gives a string of digits.
func (a Amount) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `"%d"`, uint64(a)), nil
}

// Limit is a balance, in the smallest unit of the account's asset: a JSON
// string or number, whole, positive or negative, or "Infinity" or "-Infinity",
// which are account.NoMaximum and account.NoMinimum.
type Limit int64

func (l *Limit) readNode(d *decoder, path string, n *node) {
	if n.kind != text && n.kind != number {
		d.add(path, `is %s: it must be a balance such as "1000000" or "-500"`, n.kind)
		return
	}
	switch n.text {
	case "Infinity":
		*l = account.NoMaximum
		return
	case "-Infinity":
		*l = account.NoMinimum
		return
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	unsigned := strings.TrimPrefix(n.text, "-")
	switch {
	case err != nil && digits(unsigned):
		d.add(path, `is beyond 64 bits: at most %d is possible, and "Infinity" or "-Infinity" for no limit`, int64(math.MaxInt64))
	case err != nil || !digits(unsigned) || unsigned[0] == '0' && n.text != "0":
		d.add(path, `is %q: it must be a balance in whole units, such as "1000000" or "-500", or "Infinity" or "-Infinity" for no limit`, n.text)
	}
	*l = Limit(v)
}

// MarshalJSON gives a string.
func (l Limit) MarshalJSON() ([]byte, error) { return json.Marshal(l.String()) }

// String gives the digits, or Infinity or -Infinity.
func (l Limit) String() string {
	switch l {
	case account.NoMaximum:
		return "Infinity"
	case account.NoMinimum:
		return "-Infinity"
	}
	return strconv.FormatInt(int64(l), 10)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Spread is the share of every converted amount that the connector keeps, a
// decimal number of at least 0 and less than 1: a JSON string or number, such
// as "0.002". It is kept as text and read exactly. Empty is none.
type Spread string

func (s *Spread) readNode(d *decoder, path string, n *node) {
	if n.kind != text && n.kind != number {
		d.add(path, `is %s: it must be a share such as "0.002"`, n.kind)
		return
	}
	*s = Spread(n.text)
	if n.text == "" {
		d.add(path, `is empty: it must be a share such as "0.002", or "0" for none`)
		return
	}
	s.check(d.faults, path)
}

func (s Spread) check(f *faults, path string) {
	if _, err := backend.AfterSpread(string(s)); err != nil {
		f.add(path, `is %q: it must be a share of at least 0 and less than 1, such as "0.002"`, string(s))
	}
}

// Rate is a decimal number above 0: a JSON string or number, such as "1.0592".
// It is kept as text and read exactly.
type Rate string

func (r *Rate) readNode(d *decoder, path string, n *node) {
	if n.kind != text && n.kind != number {
		d.add(path, `is %s: it must be a number such as "1.0592"`, n.kind)
		return
	}
	*r = Rate(n.text)
	if ratio, err := backend.ParseRatio(n.text); err != nil || ratio.IsZero() {
		d.add(path, `is %q: it must be a decimal number above 0, such as "1.0592"`, n.text)
	}
}

// Duration is a time.Duration of whole milliseconds: a JSON number of
// milliseconds, or a JSON string with a unit, such as "30s".
type Duration time.Duration

func (t *Duration) readNode(d *decoder, path string, n *node) {
	var v time.Duration
	var err error
	switch {
	case n.kind == number || n.kind == text && digits(n.text):
		var ms int64
		ms, err = strconv.ParseInt(n.text, 10, 64)
		if err == nil && ms > int64(math.MaxInt64/time.Millisecond) {
			d.add(path, "is %d milliseconds: at most %d are possible", ms, int64(math.MaxInt64/time.Millisecond))
			return
		}
		v = time.Duration(ms) * time.Millisecond
	case n.kind == text:
		v, err = time.ParseDuration(n.text)
	default:
		d.add(path, `is %s: it must be a number of milliseconds, or a text such as "30s"`, n.kind)
		return
	}
	switch {
	case err != nil:
		d.add(path, `is %q: it must be a whole number of milliseconds, or a text such as "30s"`, n.text)
		return
	case v < 0:
		d.add(path, "is %v: it must not be negative", v)
	case v%time.Millisecond != 0:
		d.add(path, "is %v: it must be whole milliseconds", v)
	}
	*t = Duration(v)
}

// MarshalJSON gives the number of milliseconds.
func (t Duration) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Duration(t).Milliseconds(), 10), nil
}

func (t Duration) std() time.Duration { return time.Duration(t) }

// String gives it with its unit, such as 30s.
func (t Duration) String() string { return time.Duration(t).String() }
