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
	// Size is the number of bytes that AppendBinary writes.
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
		if len(packet) == 0 {
			return nil, fmt.Errorf("%w: reply: no bytes", ErrInvalidPacket)
		}
		return nil, fmt.Errorf("%w: reply: %v, want fulfill or reject", ErrInvalidPacket, t)
	}
}

// envelope checks the type of a packet and the length of its contents
// (ILP4-01), and gives the places where the contents start and end.
func envelope(packet []byte, want Type) (start, end int, err error) {
	if len(packet) == 0 || Type(packet[0]) != want {
		return 0, 0, typeError(packet, want)
	}
	r := oer.NewReader(packet[1:])
	contents := len(r.Octets())
	if err := r.Err(); err != nil {
		return 0, 0, &packetError{want, "envelope", err}
	}
	end = len(packet) - r.Len()
	return end - contents, end, nil
}

func typeError(packet []byte, want Type) error {
	if len(packet) == 0 {
		return &packetError{want, "type", oer.ErrTruncated}
	}
	return &packetError{want, "type", fmt.Errorf("it is %d, want %d", packet[0], want)}
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

// alias gives the bytes of b as a string without a copy. It is sound by the
// contract of the Decode methods: the bytes of a packet that was decoded are
// never written again. Rewrite does write, but to a packet that nobody has
// decoded into values that are still in use.
func alias(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}
