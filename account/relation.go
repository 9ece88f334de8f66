package account

import "fmt"

// Relation is who a counterparty is to us (NODE-08). The zero value is no
// relation, and is refused.
type Relation int

const (
	// Child: we are its parent. It gets its address from us, under ours.
	Child Relation = iota + 1
	// Peer: an equal, with an address of its own.
	Peer
	// Parent: it is our way to the rest of the network.
	Parent
)

var relationNames = [...]string{Child: "child", Peer: "peer", Parent: "parent"}

func (r Relation) valid() bool { return r >= Child && r <= Parent }

// String gives "child", "peer" or "parent".
func (r Relation) String() string {
	if !r.valid() {
		return fmt.Sprintf("Relation(%d)", int(r))
	}
	return relationNames[r]
}

// MarshalText gives what String gives, and refuses an unknown relation.
func (r Relation) MarshalText() ([]byte, error) {
	if !r.valid() {
		return nil, fmt.Errorf("account: unknown relation %d", int(r))
	}
	return []byte(relationNames[r]), nil
}

// UnmarshalText takes "child", "peer" or "parent".
func (r *Relation) UnmarshalText(text []byte) error {
	for relation := Child; relation <= Parent; relation++ {
		if relationNames[relation] == string(text) {
			*r = relation
			return nil
		}
	}
	return fmt.Errorf("account: unknown relation %q: it must be child, peer or parent", text)
}
