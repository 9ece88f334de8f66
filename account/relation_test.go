package account_test

import (
	"encoding"
	"encoding/json"
	"testing"

	"github.com/interledger-go/connector/account"
)

var (
	_ encoding.TextMarshaler   = account.Child
	_ encoding.TextUnmarshaler = (*account.Relation)(nil)
)

// NODE-08 names the relations.
var relations = map[account.Relation]string{
	account.Child: "child", account.Peer: "peer", account.Parent: "parent",
}

func TestRelationText(t *testing.T) {
	for r, name := range relations {
		if got := r.String(); got != name {
			t.Errorf("String of %d = %q, want %q", int(r), got, name)
		}
		text, err := r.MarshalText()
		if err != nil || string(text) != name {
			t.Errorf("MarshalText of %s = %q, %v", name, text, err)
		}
		var back account.Relation
		if err := back.UnmarshalText(text); err != nil || back != r {
			t.Errorf("UnmarshalText of %q = %s, %v", text, back, err)
		}
	}
}

func TestRelationUnknown(t *testing.T) {
	for r, name := range map[account.Relation]string{0: "Relation(0)", -1: "Relation(-1)", account.Parent + 1: "Relation(4)"} {
		if got := r.String(); got != name {
			t.Errorf("String = %q, want %q", got, name)
		}
		if text, err := r.MarshalText(); err == nil {
			t.Errorf("MarshalText of %s = %q, want an error", name, text)
		}
	}
	for _, text := range []string{"", "Child", "CHILD", "child ", "sibling", "Relation(1)", "1"} {
		r := account.Peer
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText of %q = %s, want an error", text, r)
		}
		if r != account.Peer {
			t.Errorf("UnmarshalText of %q has changed the relation to %s", text, r)
		}
	}
}

// A configuration in JSON has the name.
func TestRelationJSON(t *testing.T) {
	var r account.Relation
	if err := json.Unmarshal([]byte(`"parent"`), &r); err != nil || r != account.Parent {
		t.Errorf("Unmarshal = %s, %v", r, err)
	}
	if out, err := json.Marshal(account.Child); err != nil || string(out) != `"child"` {
		t.Errorf("Marshal = %s, %v", out, err)
	}
}
