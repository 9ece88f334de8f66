package ccp

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

// Update tells a peer what happened to a routing table in some epochs
// (CCP-20).
type Update struct {
	// TableID names the table that the epochs belong to.
	TableID TableID
	// CurrentEpoch is the number of epochs that the table has.
	CurrentEpoch uint32
	// FromEpoch and ToEpoch are the epochs that the update covers; ToEpoch
	// is not one of them (CCP-24).
	FromEpoch, ToEpoch uint32
	// HoldDown is for how long the routes of the speaker stay good without
	// a further update. Whole milliseconds.
	HoldDown time.Duration
	// Speaker is the address of the connector that the update comes from.
	Speaker ilp.Address
	// NewRoutes are the routes that are new or have changed.
	NewRoutes []*Route
	// WithdrawnRoutes are the prefixes that have no route any more.
	WithdrawnRoutes []string
}

// The fewest bytes that an element of a sequence takes.
const (
	minRouteSize    = 1 + 2 + len(Auth{}) + 2
	minPropertySize = 1 + 2 + 1
)

// maxMalformed is how many malformed routes an update may have and still be
// used. Only withdrawals can be more, and only in bad faith: finding out what
// is wrong with each costs time.
const maxMalformed = 1000

const maxHoldDown = math.MaxUint32 * time.Millisecond

var _ encoding.BinaryAppender = (*Update)(nil)

// AppendBinary appends the data of the message to dst and implements
// [encoding.BinaryAppender]. It is an error if the speaker is no address, a
// hold-down does not fit, or a prefix or an address in a path is not valid;
// dst is returned as it was then.
func (u *Update) AppendBinary(dst []byte) ([]byte, error) {
	if u.Speaker.IsZero() {
		return dst, errors.New("ccp: route update: it has no speaker")
	}
	if u.HoldDown < 0 || u.HoldDown > maxHoldDown {
		return dst, fmt.Errorf("ccp: route update: a hold-down of %v: it must be 0 to %v", u.HoldDown, maxHoldDown)
	}
	for _, route := range u.NewRoutes {
		if !validPrefix(route.Prefix) {
			return dst, fmt.Errorf("ccp: route update: prefix %.64q is neither an address nor a scheme", route.Prefix)
		}
		for _, hop := range route.Path {
			if hop.IsZero() {
				return dst, fmt.Errorf("ccp: route update: the path to %s has a hop without an address", route.Prefix)
			}
		}
	}
	for _, prefix := range u.WithdrawnRoutes {
		if !validPrefix(prefix) {
			return dst, fmt.Errorf("ccp: route update: withdrawn prefix %.64q is neither an address nor a scheme", prefix)
		}
	}
	dst = u.appendHeader(dst)
	dst = oer.AppendUint(dst, uint64(len(u.NewRoutes)))
	for _, route := range u.NewRoutes {
		dst = oer.AppendString(dst, route.Prefix)
		dst = oer.AppendUint(dst, uint64(len(route.Path)))
		dst = appendHops(dst, route.Path)
		dst = append(dst, route.Auth[:]...)
		dst = oer.AppendUint(dst, uint64(len(route.Props)))
		for i := range route.Props {
			p := &route.Props[i]
			dst = append(dst, p.meta())
			dst = binary.BigEndian.AppendUint16(dst, p.ID)
			dst = oer.AppendOctets(dst, p.Value)
		}
	}
	dst = oer.AppendUint(dst, uint64(len(u.WithdrawnRoutes)))
	for _, prefix := range u.WithdrawnRoutes {
		dst = oer.AppendString(dst, prefix)
	}
	return dst, nil
}

// appendHeader appends all fields before the routes.
func (u *Update) appendHeader(dst []byte) []byte {
	dst = append(dst, u.TableID[:]...)
	dst = binary.BigEndian.AppendUint32(dst, u.CurrentEpoch)
	dst = binary.BigEndian.AppendUint32(dst, u.FromEpoch)
	dst = binary.BigEndian.AppendUint32(dst, u.ToEpoch)
	dst = binary.BigEndian.AppendUint32(dst, uint32(u.HoldDown/time.Millisecond))
	return oer.AppendString(dst, u.Speaker.String())
}

func appendHops(dst []byte, path []ilp.Address) []byte {
	for _, hop := range path {
		dst = oer.AppendString(dst, hop.String())
	}
	return dst
}

// RoutesError says that an update is well-formed but for addresses in some of
// its routes. Of such an update [Update.Decode] gives all the rest, so that
// one bad prefix, which may come from far away, does not cost a peer all its
// routes. Who wants to refuse the whole update takes it as any other error. An
// update with more than a thousand such routes is refused altogether.
type RoutesError struct {
	// Malformed is the number of routes and withdrawals left out.
	Malformed int
	// Prefixes are those of the routes left out for their path: whatever was
	// known of them does not hold any more.
	Prefixes []string
	// Err is the first fault.
	Err error
}

// Error implements the error interface.
func (e *RoutesError) Error() string {
	return fmt.Sprintf("ccp: route update: %d malformed routes, the first: %v", e.Malformed, e.Err)
}

// Unwrap gives the first fault.
func (e *RoutesError) Unwrap() error { return e.Err }

// Decode reads the data of a message. The result shares nothing with data;
// routes of one update that have the same path share that. Bytes after the
// last field are ignored (CCP-04). After an error u is zero, save when the
// error is a [*RoutesError].
func (u *Update) Decode(data []byte) error {
	*u = Update{}
	d := decoder{data: data, r: oer.NewReader(data)}
	got, err := d.update()
	if err != nil {
		return fmt.Errorf("ccp: route update: %w", err)
	}
	*u = got
	if d.faults.Malformed > 0 {
		faults := d.faults // which does not keep the data
		return &faults
	}
	return nil
}

// decoder reads one update.
type decoder struct {
	data   []byte
	r      oer.Reader
	paths  map[string][]ilp.Address // by their bytes on the wire
	faults RoutesError
}

func (d *decoder) update() (Update, error) {
	var u Update
	r := &d.r
	copy(u.TableID[:], r.Bytes(len(TableID{})))
	u.CurrentEpoch, u.FromEpoch, u.ToEpoch = r.Uint32(), r.Uint32(), r.Uint32()
	u.HoldDown = time.Duration(r.Uint32()) * time.Millisecond
	speaker := r.Octets()
	if err := r.Err(); err != nil {
		return Update{}, err
	}
	var err error
	if u.Speaker, err = ilp.ParseAddress(string(speaker)); err != nil {
		return Update{}, fmt.Errorf("speaker: %w", err)
	}
	if n := count(r, minRouteSize); n > 0 {
		u.NewRoutes = make([]*Route, 0, n)
		for range n {
			route, err := d.route()
			if err != nil {
				return Update{}, err
			}
			if route != nil {
				u.NewRoutes = append(u.NewRoutes, route)
			}
		}
	}
	if n := count(r, 1); n > 0 {
		u.WithdrawnRoutes = make([]string, 0, n)
		for range n {
			if prefix := string(r.Octets()); validPrefix(prefix) {
				u.WithdrawnRoutes = append(u.WithdrawnRoutes, prefix)
			} else if r.Err() == nil {
				d.malformed("", errPrefix)
			}
			if err := r.Err(); err != nil {
				return Update{}, err
			}
			if d.faults.Malformed > maxMalformed {
				return Update{}, d.faults.Err
			}
		}
	}
	// What had only malformed elements has none.
	if len(u.NewRoutes) == 0 {
		u.NewRoutes = nil
	}
	if len(u.WithdrawnRoutes) == 0 {
		u.WithdrawnRoutes = nil
	}
	return u, r.Err()
}

var errPrefix = fmt.Errorf("%w: a prefix is neither an address nor a scheme", ilp.ErrInvalidAddress)

func (d *decoder) malformed(prefix string, err error) {
	if d.faults.Malformed++; d.faults.Err == nil {
		d.faults.Err = err
	}
	if prefix != "" {
		d.faults.Prefixes = append(d.faults.Prefixes, prefix)
	}
}

// route reads one route; it is nil if an address in it is malformed. The error
// is one of the encoding.
func (d *decoder) route() (*Route, error) {
	r := &d.r
	prefix := r.Octets()
	hops := count(r, 1)
	start := len(d.data) - r.Len()
	for range hops {
		r.Octets()
	}
	path := d.data[start : len(d.data)-r.Len()]
	auth := r.Bytes(len(Auth{}))
	properties := count(r, minPropertySize)
	if err := r.Err(); err != nil {
		return nil, err
	}
	route := &Route{Prefix: string(prefix), Auth: Auth(auth)}
	if properties > 0 {
		route.Props = make([]Property, 0, properties)
		for range properties {
			route.Props = append(route.Props, property(r))
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if !validPrefix(route.Prefix) {
		d.malformed("", errPrefix)
		return nil, nil
	}
	var err error
	if route.Path, err = d.path(path, hops); err != nil {
		d.malformed(route.Prefix, fmt.Errorf("path to %.64s: %w", route.Prefix, err))
		return nil, nil
	}
	return route, nil
}

func property(r *oer.Reader) Property {
	meta := r.Uint8()
	p := Property{
		Optional:   meta&metaOptional != 0,
		Transitive: meta&metaTransitive != 0,
		Partial:    meta&metaPartial != 0,
		UTF8:       meta&metaUTF8 != 0,
		ID:         r.Uint16(),
	}
	if value := r.Octets(); len(value) > 0 {
		p.Value = append(p.Value, value...)
	}
	return p
}

// path gives the path that has these bytes on the wire, which are as many
// octet strings as it has hops.
func (d *decoder) path(wire []byte, hops int) ([]ilp.Address, error) {
	if hops == 0 {
		return nil, nil
	}
	if path, ok := d.paths[string(wire)]; ok {
		return path, nil
	}
	// The addresses are parts of one string.
	text := string(wire)
	path := make([]ilp.Address, 0, hops)
	for r := oer.NewReader(wire); len(path) < hops; {
		size := len(r.Octets())
		end := len(text) - r.Len()
		hop, err := ilp.ParseAddress(text[end-size : end])
		if err != nil {
			return nil, err
		}
		path = append(path, hop)
	}
	if d.paths == nil {
		d.paths = make(map[string][]ilp.Address)
	}
	d.paths[text] = path
	return path, nil
}
