package ilp

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/interledger-go/connector/oer"
)

// Places of the fields in the contents of a Prepare (ILP4-03).
const (
	amountOffset      = 0
	expiresAtOffset   = 8
	conditionOffset   = expiresAtOffset + oer.TimestampSize
	destinationOffset = conditionOffset + len(Condition{})
)

// Prepare offers Amount for the fulfillment of Condition. A host makes one as
// a literal or decodes it; both kinds are encoded by AppendBinary.
type Prepare struct {
	// Amount in the unit of the link that the packet is on (its Asset). All
	// 64 bits are used (ILP4-09).
	Amount uint64
	// ExpiresAt is when the offer ends. On the wire it has milliseconds, and
	// what is below them is dropped.
	ExpiresAt time.Time
	// Condition is the SHA-256 hash of the fulfillment.
	Condition Condition
	// Destination is the address of the receiver.
	Destination Address
	// Data is for the receiver: up to MaxDataLength bytes.
	Data []byte

	// wire is the packet that this one was decoded from, or nil, and the
	// rest are places in it. A Destination and Data of a legal packet end
	// well below 65536.
	wire                   []byte
	contents               uint16
	destination, destLimit uint16
	data, dataLimit        uint16
}

// Decode makes p the Prepare that packet has at its front. Destination and
// Data point into packet, which must never change from now on; see the package
// comment. The error wraps [ErrInvalidPacket] and names the field; p is the
// zero Prepare then and packet is the caller's again.
func (p *Prepare) Decode(packet []byte) error {
	start, end, err := envelope(packet, TypePrepare)
	if err != nil {
		*p = Prepare{}
		return err
	}
	contents := packet[start:end]
	if len(contents) < destinationOffset {
		*p = Prepare{}
		return shortPrepare(len(contents))
	}
	expiresAt, err := oer.ParseTimestamp(contents[expiresAtOffset:conditionOffset])
	if err != nil {
		*p = Prepare{}
		return &packetError{TypePrepare, "expiresAt", err}
	}
	r := oer.NewReader(contents[destinationOffset:])
	destination := r.Octets()
	destLimit := end - r.Len()
	data := r.Octets()
	dataLimit := end - r.Len()
	if r.Err() != nil || !validAddress(alias(destination)) || len(data) > MaxDataLength {
		*p = Prepare{}
		return prepareError(contents)
	}
	p.Amount = binary.BigEndian.Uint64(contents[amountOffset:])
	p.ExpiresAt = expiresAt
	p.Condition = Condition(contents[conditionOffset:])
	p.Destination = Address{alias(destination)}
	p.Data = data
	p.wire = packet[:end:end]
	p.contents = uint16(start)
	p.destination, p.destLimit = uint16(destLimit-len(destination)), uint16(destLimit)
	p.data, p.dataLimit = uint16(dataLimit-len(data)), uint16(dataLimit)
	return nil
}

// shortPrepare names the field in which contents of n bytes end.
func shortPrepare(n int) error {
	field := "amount"
	switch {
	case n >= conditionOffset:
		field = "executionCondition"
	case n >= expiresAtOffset:
		field = "expiresAt"
	}
	return &packetError{TypePrepare, field, oer.ErrTruncated}
}

// prepareError finds what is wrong with contents from the destination on.
func prepareError(contents []byte) error {
	r := oer.NewReader(contents[destinationOffset:])
	destination := string(r.Octets())
	if err := r.Err(); err != nil {
		return &packetError{TypePrepare, "destination", err}
	}
	if !validAddress(destination) {
		return &packetError{TypePrepare, "destination", addressError(destination)}
	}
	data := r.Octets()
	if err := r.Err(); err != nil {
		return &packetError{TypePrepare, "data", err}
	}
	return checkData(TypePrepare, len(data))
}

// AppendBinary appends the packet to dst, which must not overlap the bytes
// that p was decoded from, and implements [encoding.BinaryAppender].
//
// A Prepare that was decoded, and whose Condition, Destination and Data are
// still those that Decode gave it, is written as the very bytes it came in,
// with Amount and ExpiresAt written over (ILP4-21). Any other is encoded from
// its fields, and then has no bytes after them.
//
// An error wraps [ErrInvalidPacket]: no destination, an ExpiresAt that is
// zero or outside the years 0 to 9999, too much data. dst is returned as it
// was then.
func (p *Prepare) AppendBinary(dst []byte) ([]byte, error) {
	if p.intact() {
		start := len(dst)
		out := append(dst, p.wire...)
		if err := putMutable(out[start+int(p.contents):], p.Amount, p.ExpiresAt); err != nil {
			return dst, err
		}
		return out, nil
	}
	if p.Destination.IsZero() {
		return dst, &packetError{TypePrepare, "destination", errNoDestination}
	}
	if err := checkData(TypePrepare, len(p.Data)); err != nil {
		return dst, err
	}
	var mutable [conditionOffset]byte
	if err := putMutable(mutable[:], p.Amount, p.ExpiresAt); err != nil {
		return dst, err
	}
	dst = appendEnvelope(dst, TypePrepare, p.contentsSize())
	dst = append(dst, mutable[:]...)
	dst = append(dst, p.Condition[:]...)
	dst = oer.AppendString(dst, p.Destination.s)
	return oer.AppendOctets(dst, p.Data), nil
}

// Size is the number of bytes that AppendBinary writes.
func (p *Prepare) Size() int {
	if p.intact() {
		return len(p.wire)
	}
	return envelopeSize(p.contentsSize())
}

func (p *Prepare) contentsSize() int {
	return destinationOffset + oer.OctetsSize(len(p.Destination.s)) + oer.OctetsSize(len(p.Data))
}

// Clone gives a Prepare that is written to the same bytes and shares no
// memory with p or with the packet it was decoded from.
func (p *Prepare) Clone() Prepare {
	c := *p
	if p.intact() {
		c.wire = slices.Clone(p.wire)
		c.Destination = Address{alias(c.wire[c.destination:c.destLimit])}
		c.Data = c.wire[c.data:c.dataLimit:c.dataLimit]
		return c
	}
	c.wire = nil
	c.Destination = p.Destination.Clone()
	c.Data = slices.Clone(p.Data)
	return c
}

// intact reports whether the fields that are not to be changed on the way are
// those that p was decoded with. It is cheap: comparing a string with itself
// ends at the pointers, and so does the comparison of the data.
func (p *Prepare) intact() bool {
	return p.wire != nil &&
		p.Destination.s == alias(p.wire[p.destination:p.destLimit]) &&
		sameSlice(p.Data, p.wire[p.data:p.dataLimit]) &&
		p.Condition == Condition(p.wire[p.contents+conditionOffset:])
}

// sameSlice reports whether a and b are the same bytes in memory, or none.
func sameSlice(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Rewrite writes the amount and the expiry of an encoded Prepare over, in
// place (ILP4-04). It checks the envelope but not the rest of the packet.
// The caller owns packet, and no Prepare that was decoded from it is in use
// any more. An error wraps [ErrInvalidPacket]; packet is unchanged then.
func Rewrite(packet []byte, amount uint64, expiresAt time.Time) error {
	start, end, err := envelope(packet, TypePrepare)
	if err != nil {
		return err
	}
	contents := packet[start:end]
	if len(contents) < destinationOffset {
		return shortPrepare(len(contents))
	}
	return putMutable(contents, amount, expiresAt)
}

// putMutable writes the two fields that change on the way over the front of
// contents, or nothing if there is an error.
func putMutable(contents []byte, amount uint64, expiresAt time.Time) error {
	if expiresAt.IsZero() {
		return &packetError{TypePrepare, "expiresAt", errNoExpiry}
	}
	if err := oer.PutTimestamp(contents[expiresAtOffset:conditionOffset], expiresAt); err != nil {
		return &packetError{TypePrepare, "expiresAt", err}
	}
	binary.BigEndian.PutUint64(contents[amountOffset:], amount)
	return nil
}

var (
	errNoDestination = errors.New("it is empty, want an address")
	errNoExpiry      = errors.New("it is the zero time, want when the packet expires")
)
