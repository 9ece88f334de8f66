package ccp

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

// Route says that addresses below a prefix can be reached, and by which way.
// Routes are handed around by pointer: they must not be changed once they are
// given to, or were given by, anything in this package.
type Route struct {
	// Prefix covers itself and all addresses that continue it by whole
	// segments. It is an address, or a scheme alone.
	Prefix string
	// Path has the addresses of the connectors on the way, the nearest
	// first (CCP-21).
	Path []ilp.Address
	// Auth goes with the route. Nobody can verify it yet (CCP-35).
	Auth Auth
	// Props are further attributes. None is known; the machines of this
	// package neither keep them nor hand them on, as the reference does.
	Props []Property
}

// OriginRoute is the route to a prefix that this connector answers for itself,
// or has from its configuration: no path, and the secret's Auth.
func OriginRoute(secret []byte, prefix string) *Route {
	return &Route{Prefix: prefix, Auth: AuthOf(secret, prefix)}
}

// same reports whether both say the same, apart from their properties.
func (r *Route) same(other *Route) bool {
	return r == other || r != nil && other != nil &&
		r.Prefix == other.Prefix && r.Auth == other.Auth && slices.Equal(r.Path, other.Path)
}

// Auth is meant to let the origin of a prefix prove that it is so (CCP-35).
type Auth [sha256.Size]byte

// AuthOf is what the origin of a route puts in: HMAC-SHA256 of the prefix
// under the connector's routing secret.
func AuthOf(secret []byte, prefix string) Auth {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(prefix))
	return Auth(mac.Sum(nil))
}

// Next is what the next connector is told: the hash.
func (a Auth) Next() Auth { return sha256.Sum256(a[:]) }

// Property is an attribute of a route (CCP-22).
type Property struct {
	// Optional: who does not know the property may ignore it.
	Optional bool
	// Transitive: who does not know it hands it on. Written as true where
	// Optional is false (CCP-23).
	Transitive bool
	// Partial: somebody on the way did not know it. Written only where
	// Optional and Transitive are true.
	Partial bool
	// UTF8: the value is text.
	UTF8  bool
	ID    uint16
	Value []byte
}

const (
	metaOptional   = 0x80
	metaTransitive = 0x40
	metaPartial    = 0x20
	metaUTF8       = 0x10
)

func (p *Property) meta() (meta byte) {
	if p.Optional {
		meta |= metaOptional
	}
	if p.Transitive || !p.Optional {
		meta |= metaTransitive
	}
	if p.Partial && p.Optional && p.Transitive {
		meta |= metaPartial
	}
	if p.UTF8 {
		meta |= metaUTF8
	}
	return meta
}

// within reports whether address is prefix or continues it by whole segments.
func within(address, prefix string) bool {
	return strings.HasPrefix(address, prefix) &&
		(len(address) == len(prefix) || address[len(prefix)] == '.')
}

// below reports whether address continues prefix by whole segments.
func below(address, prefix string) bool {
	return len(address) > len(prefix) && within(address, prefix)
}

// validPrefix reports whether s is an address or a scheme alone.
func validPrefix(s string) bool {
	if s != "" && strings.IndexByte(s, '.') < 0 {
		s += ".x"
	}
	_, err := ilp.ParseAddress(s)
	return err == nil
}

// pathSize is the number of bytes that a path takes on the wire, without the
// number of its hops.
func pathSize(path []ilp.Address) (size int) {
	for _, hop := range path {
		size += oer.OctetsSize(len(hop.String()))
	}
	return size
}
