package ilp

import (
	"errors"
	"fmt"
	"strings"
)

// MaxAddressLength is the length of the longest address in characters, which
// are bytes (ADDR-04).
const MaxAddressLength = 1023

// ErrInvalidAddress is wrapped by all errors about addresses.
var ErrInvalidAddress = errors.New("invalid ILP address")

// Address is an ILP address (RFC 15), such as "g.alice.wallet". The zero
// value is no address; every other value is valid by the rules of the RFC.
// Addresses are compared with ==, character by character (ADDR-06), and can be
// the keys of a map.
type Address struct {
	s string
}

// ParseAddress checks s by the rules of RFC 15 (ADDR-01 to ADDR-05). The
// empty string is no address. The error wraps [ErrInvalidAddress] and says
// what is wrong. The address shares the memory of s.
func ParseAddress(s string) (Address, error) {
	if !validAddress(s) {
		return Address{}, fmt.Errorf("ilp: %w", addressError(s))
	}
	return Address{s}, nil
}

// MustParseAddress is ParseAddress for literals in a program. It panics if s
// is not valid.
func MustParseAddress(s string) Address {
	a, err := ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

// String gives the address as text; of the zero value, "".
func (a Address) String() string { return a.s }

// IsZero reports whether a is no address.
func (a Address) IsZero() bool { return a.s == "" }

// Scheme is the first part of the address, which says where it has a meaning
// (ADDR-09): "g" for the public network, "peer" for the two ends of a link,
// and so on.
func (a Address) Scheme() string {
	scheme, _, _ := strings.Cut(a.s, ".")
	return scheme
}

// HasPrefix reports whether prefix is a or a parent of a, by whole segments
// (ADDR-10): "g.alice" is a prefix of "g.alice.wallet" and not of
// "g.alicebob". The zero value is a prefix of every address.
func (a Address) HasPrefix(prefix Address) bool {
	return hasPrefix(a.s, prefix.s)
}

func hasPrefix(s, prefix string) bool {
	return strings.HasPrefix(s, prefix) &&
		(len(s) == len(prefix) || prefix == "" || s[len(prefix)] == '.')
}

// Child gives the address that has the segments after those of a. It is an
// error, which wraps [ErrInvalidAddress], if a segment is not valid (a dot
// within it is not), if the result is too long or if a is the zero value.
func (a Address) Child(segments ...string) (Address, error) {
	if a.IsZero() {
		return Address{}, fmt.Errorf("ilp: %w: the zero address has no children", ErrInvalidAddress)
	}
	size := len(a.s)
	for _, s := range segments {
		if !ValidSegment(s) {
			return Address{}, fmt.Errorf("ilp: %w: segment %.*q: want one or more of A-Z a-z 0-9 _ ~ -",
				ErrInvalidAddress, quoteLimit, s)
		}
		size += 1 + len(s)
	}
	if size > MaxAddressLength {
		return Address{}, fmt.Errorf("ilp: %w: a child of %.*q has %d characters, at most %d are allowed",
			ErrInvalidAddress, quoteLimit, a.s, size, MaxAddressLength)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(a.s)
	for _, s := range segments {
		b.WriteByte('.')
		b.WriteString(s)
	}
	return Address{b.String()}, nil
}

// Clone gives an address that is equal to a and has memory of its own. An
// address that outlives the packet it was decoded with should be cloned: it
// keeps the whole packet in memory.
func (a Address) Clone() Address { return Address{strings.Clone(a.s)} }

// MarshalText implements [encoding.TextMarshaler]. The zero value is the
// empty text.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.s), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It copies text. Empty
// text is the zero value, anything else goes by the rules of [ParseAddress].
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// ValidSegment reports whether s can be a segment of an address: one or more
// of the characters A-Z a-z 0-9 _ ~ - (ADDR-03).
func ValidSegment(s string) bool {
	var seen uint32
	for i := range len(s) {
		seen |= classes[s[i]]
	}
	return seen == char && s != ""
}

// validAddress is the syntax of RFC 15.
func validAddress(s string) bool {
	return len(s) <= MaxAddressLength && beginsWithScheme(s) && validSegments(s)
}

// validSegments reports whether s is one or more segments with a dot between
// them. Every packet passes here, so the loop does not branch on what it
// reads. It shifts the classes of the characters into a word, where an empty
// segment is two bits in a row, and so is a character that is not legal. Both
// ends of s count as dots.
func validSegments(s string) bool {
	var bad uint32
	word, i := uint32(dot), 0
	for ; i < len(s)-7; i += 8 {
		next := classes[s[i]]
		next = next<<1 | classes[s[i+1]]
		next = next<<1 | classes[s[i+2]]
		next = next<<1 | classes[s[i+3]]
		next = next<<1 | classes[s[i+4]]
		next = next<<1 | classes[s[i+5]]
		next = next<<1 | classes[s[i+6]]
		next = next<<1 | classes[s[i+7]]
		word = word<<8 | next
		bad |= word & (word >> 1)
	}
	for ; i < len(s); i++ {
		word = word<<1 | classes[s[i]]
	}
	word = word<<1 | dot
	return bad|word&(word>>1) == 0
}

// beginsWithScheme reports whether s begins with a scheme and a dot (ADDR-02).
func beginsWithScheme(s string) bool {
	if len(s) > 1 && s[0] == 'g' && s[1] == '.' {
		return true
	}
	const longest = len("private.")
	n := strings.IndexByte(s[:min(len(s), longest)], '.')
	return n > 0 && validScheme(s[:n])
}

func validScheme(s string) bool {
	switch s {
	case "g", "private", "example", "peer", "self", "test", "test1", "test2", "test3", "local":
		return true
	}
	return false
}

// Classes of bytes in an address (ADDR-03, ADDR-15), as bits for validSegments.
const (
	char = 0b00 // may stand in a segment
	dot  = 0b01 // separates segments
	xxxx = 0b11 // may not stand in an address
)

var classes = [256]uint32{
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0x00
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0x10
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, char, dot, xxxx, // 0x20
	char, char, char, char, char, char, char, char, char, char, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0x30
	xxxx, char, char, char, char, char, char, char, char, char, char, char, char, char, char, char, // 0x40
	char, char, char, char, char, char, char, char, char, char, char, xxxx, xxxx, xxxx, xxxx, char, // 0x50
	xxxx, char, char, char, char, char, char, char, char, char, char, char, char, char, char, char, // 0x60
	char, char, char, char, char, char, char, char, char, char, char, xxxx, xxxx, xxxx, char, xxxx, // 0x70
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0x80
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0x90
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0xA0
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0xB0
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0xC0
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0xD0
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0xE0
	xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, xxxx, // 0xF0
}

// quoteLimit is how many characters of a faulty address an error repeats.
const quoteLimit = 64

// addressError says what is wrong with s, which is not valid, and keeps no
// reference to it.
func addressError(s string) error {
	why := func(format string, args ...any) error {
		return fmt.Errorf("%w %.*q: %s", ErrInvalidAddress, quoteLimit, s, fmt.Sprintf(format, args...))
	}
	if s == "" {
		return fmt.Errorf("%w: it is empty", ErrInvalidAddress)
	}
	if len(s) > MaxAddressLength {
		return why("%d characters, at most %d are allowed", len(s), MaxAddressLength)
	}
	scheme, rest, _ := strings.Cut(s, ".")
	if !validScheme(scheme) {
		return why("the scheme is none of g, private, example, peer, self, test, test1, test2, test3, local")
	}
	for i := range len(s) {
		if classes[s[i]] == xxxx {
			return why("byte %#02x is none of A-Z a-z 0-9 _ ~ - and the dot", s[i])
		}
	}
	if rest == "" {
		return why("no segment follows the scheme")
	}
	return why("a segment is empty")
}
