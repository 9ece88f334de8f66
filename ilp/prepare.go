package ilp

import (
	"encoding"
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

	// wire is the packet that this one was decoded from, or nil. contents is
	// where its contents start, and the rest are places in these. All of them
	// are below 65536, since what they are of has kept its limits.
	wire                   []byte
	contents               uint16
	destination, destLimit uint16
	data, dataLimit        uint16
}

var _ encoding.BinaryAppender = (*Prepare)(nil)

// Decode makes p the Prepare that packet has at its front. Destination and
// Data point into packet, which must never change from now on; see the package
// comment. The error wraps [ErrInvalidPacket] and names the field; p is the
// zero Prepare then and packet is the caller's again.
func (p *Prepare) Decode(packet []byte) error {
	start, end := envelope(packet, TypePrepare)
	if end-start < destinationOffset {
		return p.refuse(packet)
	}
	contents := packet[start:end:end]
	p.wire = packet[:end:end]
	p.contents = uint16(start)
	p.Amount = binary.BigEndian.Uint64(contents[amountOffset:])
	p.Condition = Condition(contents[conditionOffset:])

	destination, destLimit := span(contents, destinationOffset)
	if destLimit < 0 {
		return p.refuse(packet)
	}
	p.Destination = Address{alias(contents[destination:destLimit])}
	if !validAddress(p.Destination.s) {
		return p.refuse(packet)
	}
	p.destination, p.destLimit = uint16(destination), uint16(destLimit)

	data, dataLimit := span(contents, destLimit)
	if dataLimit < 0 || dataLimit-data > MaxDataLength {
		return p.refuse(packet)
	}
	p.Data = contents[data:dataLimit:dataLimit]
	p.data, p.dataLimit = uint16(data), uint16(dataLimit)

	var err error
	if p.ExpiresAt, err = oer.ParseTimestamp(contents[expiresAtOffset:conditionOffset]); err != nil {
		return p.refuse(packet)
	}
	return nil
}

// refuse makes p zero and says why Decode takes no Prepare from packet.
func (p *Prepare) refuse(packet []byte) error {
	*p = Prepare{}
	r, err := open(packet, TypePrepare)
	if err != nil {
		return err
	}
	field := func(name string) error {
		return &packetError{TypePrepare, name, r.Err()}
	}
	if r.Uint64(); r.Err() != nil {
		return field("amount")
	}
	expiresAt := r.Bytes(oer.TimestampSize)
	if r.Err() != nil {
		return field("expiresAt")
	}
	if _, err := oer.ParseTimestamp(expiresAt); err != nil {
		return &packetError{TypePrepare, "expiresAt", err}
	}
	if r.Bytes(len(Condition{})); r.Err() != nil {
		return field("executionCondition")
	}
	destination := alias(r.Octets())
	if r.Err() != nil {
		return field("destination")
	}
	if !validAddress(destination) {
		return &packetError{TypePrepare, "destination", addressError(destination)}
	}
	data := r.Octets()
	if r.Err() != nil {
		return field("data")
	}
	return tooLong(TypePrepare, "data", len(data), MaxDataLength)
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

// Size is the number of bytes that AppendBinary writes, if it does not fail.
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
	if !p.intact() {
		c.wire = nil
		c.Destination = p.Destination.Clone()
		c.Data = slices.Clone(p.Data)
		return c
	}
	c.wire = slices.Clone(p.wire)
	contents := c.wire[c.contents:]
	c.Destination = Address{alias(contents[c.destination:c.destLimit])}
	c.Data = contents[c.data:c.dataLimit:c.dataLimit]
	return c
}

// intact reports whether the fields that are not to be changed on the way are
// those that p was decoded with. It is cheap: the comparison of a string with
// itself ends at the pointers, and so does that of the data.
func (p *Prepare) intact() bool {
	if p.wire == nil {
		return false
	}
	contents := p.wire[p.contents:]
	return p.Destination.s == string(contents[p.destination:p.destLimit]) &&
		sameSlice(p.Data, contents[p.data:p.dataLimit]) &&
		p.Condition == Condition(contents[conditionOffset:])
}

// sameSlice reports whether a and b are the same bytes in memory, or none.
func sameSlice(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Rewrite writes the amount and the expiry of an encoded Prepare over, in
// place (ILP4-04). It checks the envelope but not the rest of the packet.
//
// The caller owns packet: nobody reads it at the same time. A Prepare that was
// decoded from it keeps its fields, and would still be written with its own
// amount and expiry.
//
// An error wraps [ErrInvalidPacket], and packet is unchanged then: it is no
// Prepare, or expiresAt is zero or outside the years 0 to 9999.
func Rewrite(packet []byte, amount uint64, expiresAt time.Time) error {
	start, end := envelope(packet, TypePrepare)
	if end-start < destinationOffset {
		return new(Prepare).refuse(packet)
	}
	return putMutable(packet[start:end], amount, expiresAt)
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
