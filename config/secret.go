package config

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a text that nobody else is to see. In JSON it is the text itself,
// or {"file": "/run/secrets/bob"} for the content of a file, of which a line
// break at the end does not count, or {"env": "BOB_TOKEN"} for a variable.
//
// No formatting verb, log or encoder shows it; convert it to a string to use
// it.
type Secret string

const redacted = "(secret)"

// String gives "(secret)", or "" if it is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format writes what String gives, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue gives what String gives.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText gives what String gives: a configuration that is written has
// lost its secrets.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Secret) readNode(d *decoder, path string, n *node) {
	switch {
	case n.kind == text:
		*s = Secret(n.text)
	case n.kind != object:
		d.add(path, `is %s: it must be a text, {"file": "…"} or {"env": "…"}`, n.kind)
		return
	case len(n.members) != 1 || n.members[0].value.kind != text || n.members[0].name != "file" && n.members[0].name != "env":
		d.add(path, `must be a text, {"file": "…"} or {"env": "…"}, with a single text in it`)
		return
	case d.secrets == nil:
		d.add(path, "refers to a %s, which is only possible in a configuration that is read: give the text itself", n.members[0].name)
		return
	default:
		value, problem := d.secrets.resolve(n.members[0].name, n.members[0].value.text)
		if problem != "" {
			d.add(path, "%s", problem)
			return
		}
		*s = Secret(value)
	}
	d.seen = append(d.seen, string(*s))
}

// vault gives what secrets refer to.
type vault struct {
	environ  map[string]string
	readFile func(name string) ([]byte, error)
}

// resolve gives the text that a reference means, or what is wrong with it.
func (v *vault) resolve(kind, name string) (value, problem string) {
	if kind == "env" {
		value, ok := v.environ[name]
		if !ok {
			return "", fmt.Sprintf("refers to the variable %s, which is not set", name)
		}
		return value, ""
	}
	content, err := v.read(name)
	if err != nil {
		return "", fmt.Sprintf("refers to a file that cannot be read: %v", err)
	}
	return content, ""
}

// read gives the content of a file without the line break at its end.
func (v *vault) read(name string) (string, error) {
	read := v.readFile
	if read == nil {
		read = os.ReadFile
	}
	content, err := read(name)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}
