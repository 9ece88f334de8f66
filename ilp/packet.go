package ilp

import (
	"encoding"
	"errors"
	"fmt"
	"strconv"
	"unsafe"

	"github.com/interledger-go/connector/oer"
)

// Limits on the fields (ILP4-07) and, computed from them, on whole packets
// (ILP4-08), in bytes. A packet that carries bytes of an extension after its
// last field (OER-17) may be larger.
const (
	MaxDataLength    = 32767 // data of any packet
	MaxMessageLength = 8191  // message of a Reject, in UTF-8

	MaxPrepareSize = 33857
	MaxFulfillSize = 32806
	MaxRejectSize  = 41997
	MaxPacketSize  = MaxRejectSize
)

// ErrInvalidPacket is wrapped by all errors of decoding and encoding packets:
// the bytes are no packet, or the fields make none.
var ErrInvalidPacket = errors.New("ilp: invalid packet")

// Type is the first byte of a packet (ILP4-01).
type Type uint8

// The types of packets. All others are invalid.
const (
	TypePrepare Type = 12
	TypeFulfill Type = 13
	TypeReject  Type = 14
)

// PacketType gives the type of a packet, without a look at the rest of it.
// The type of no bytes is 0.
func PacketType(packet []byte) Type {
	if len(packet) == 0 {
		return 0
	}
	return Type(packet[0])
}

// String gives the name of the type in lower case: "prepare".
func (t Type) String() string {
	switch t {
	case TypePrepare:
		return "prepare"
	case TypeFulfill:
		return "fulfill"
	case TypeReject:
		return "reject"
	}
	return "type " + strconv.Itoa(int(t))
}

// Reply is the answer to a Prepare: a [*Fulfill] or a [*Reject], never nil
// and nothing else.
type Reply interface {
	// AppendBinary appends the packet to b.
	encoding.BinaryAppender
	// Size is the number of bytes that AppendBinary writes, if it does not fail.
	Size() int

	isReply()
}

// DecodeReply decodes a packet into f if it is a Fulfill or into r if it is a
// Reject, and returns that one. The other one is left as it is. What it
// returns aliases packet, which must not change any more. The error wraps
// [ErrInvalidPacket]; the Reply is nil then.
func DecodeReply(packet []byte, f *Fulfill, r *Reject) (Reply, error) {
	switch t := PacketType(packet); t {
	case TypeFulfill:
		if err := f.Decode(packet); err != nil {
			return nil, err
		}
		return f, nil
	case TypeReject:
		if err := r.Decode(packet); err != nil {
			return nil, err
		}
		return r, nil
	default:
		return nil, fmt.Errorf("%w: %v, want fulfill or reject", ErrInvalidPacket, t)
	}
}

// envelope finds the contents of a packet of this type (ILP4-01), from start
// up to end. If there are none, end is negative, and open says why.
func envelope(packet []byte, want Type) (start, end int) {
	if len(packet) == 0 || Type(packet[0]) != want {
		return 0, -1
	}
	return span(packet, 1)
}

// span finds the octet string whose length determinant is at place i of b,
// from start up to end. A negative end says that there is none, and a negative
// i that there was none before. It is what oer.Reader does, in the form that
// costs a packet least: places, and the usual sizes of a length first.
func span(b []byte, i int) (start, end int) {
	if uint(i) >= uint(len(b)) {
		return 0, -1
	}
	size := int(b[i])
	start = i + 1
	if size >= 0x80 {
		if size != 0x82 || i >= len(b)-2 || b[i+1] == 0 {
			return oddSpan(b, i)
		}
		size = int(b[i+1])<<8 | int(b[i+2]) // 256 to 65535
		start = i + 3
	}
	if size > len(b)-start {
		return 0, -1
	}
	return start, start + size
}

// oddSpan is span for all sizes of a length.
func oddSpan(b []byte, i int) (start, end int) {
	r := oer.NewReader(b[i:])
	n := len(r.Octets())
	if r.Err() != nil {
		return 0, -1
	}
	end = len(b) - r.Len()
	return end - n, end
}

// open gives a reader of the contents of a packet of this type, or says what
// is wrong with the envelope.
func open(packet []byte, want Type) (oer.Reader, error) {
	r := oer.NewReader(packet)
	got := Type(r.Uint8())
	if r.Err() == nil && got != want {
		return r, &packetError{want, "type", fmt.Errorf("it is %d, want %d", got, want)}
	}
	contents := r.Octets()
	if err := r.Err(); err != nil {
		return r, &packetError{want, "envelope", err}
	}
	return oer.NewReader(contents), nil
}

// appendEnvelope appends what goes before contents of so many bytes.
func appendEnvelope(dst []byte, t Type, contents int) []byte {
	return oer.AppendLength(append(dst, byte(t)), contents)
}

// envelopeSize is the size of a packet with contents of so many bytes.
func envelopeSize(contents int) int {
	return 1 + oer.OctetsSize(contents)
}

// packetError names the field that keeps bytes from being a packet, or fields
// from making one.
type packetError struct {
	packet Type
	field  string
	err    error
}

func (e *packetError) Error() string {
	return "ilp: " + e.packet.String() + ": " + e.field + ": " + e.err.Error()
}

func (e *packetError) Unwrap() []error { return []error{ErrInvalidPacket, e.err} }

// checkData is the limit on the data of a packet (ILP4-07).
func checkData(t Type, n int) error {
	return checkLength(t, "data", n, MaxDataLength)
}

func checkLength(t Type, field string, n, limit int) error {
	if n > limit {
		return tooLong(t, field, n, limit)
	}
	return nil
}

func tooLong(t Type, field string, n, limit int) error {
	return &packetError{t, field, fmt.Errorf("%d bytes, at most %d are allowed", n, limit)}
}

// alias gives the bytes of b as a string without a copy. That is sound for a
// string that ends with the call, and for others by the contract of the Decode
// methods: the bytes of a packet that was decoded are never written again.
// Rewrite, which does write, reaches only the amount and the expiry, and no
// string is made of these.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
