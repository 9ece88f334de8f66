package ilp

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/interledger-go/connector/oer"
)

// Reject answers a Prepare with the reason why there is no fulfillment. It is
// an error: code that refuses a packet returns a *Reject, and
// errors.AsType[*Reject] finds it again.
type Reject struct {
	// Code says what kind of fault it is and what the sender may do.
	Code Code
	// TriggeredBy is the address of the node that made the Reject, or the
	// zero value. Nodes that relay it leave it as it is (ILP4-53).
	TriggeredBy Address
	// Message is for humans (ILP4-54). On the wire it has at most
	// MaxMessageLength bytes and should be UTF-8; what was decoded may be
	// neither valid UTF-8 nor harmless to print.
	Message string
	// Data is for the sender: up to MaxDataLength bytes, and none except with
	// F08 (see AmountTooLarge) and the application errors (ILP4-51).
	Data []byte

	// Cause is the error that made this node reject the packet, for its own
	// log. It is never on the wire.
	Cause error
}

var (
	_ Reply = (*Reject)(nil)
	_ error = (*Reject)(nil)
)

func (*Reject) isReply() {}

// Rejectf makes a Reject with a message that is formatted as by fmt.Sprintf.
// Everybody on the way back to the sender can read it.
func Rejectf(code Code, format string, args ...any) *Reject {
	return &Reject{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Internal makes a Reject for a fault of this node itself, T00. Its message
// says no more than that; cause stays local.
func Internal(cause error) *Reject {
	return &Reject{Code: T00InternalError, Message: "internal error", Cause: cause}
}

// Error gives the code, its name, the message, in parentheses the address that
// triggered it, and the local cause, as far as there are any:
// "F02 Unreachable: no route found (g.connie)".
func (r *Reject) Error() string {
	var b strings.Builder
	b.WriteString(string(r.Code))
	if name := r.Code.Name(); name != "" {
		b.WriteString(" " + name)
	}
	if r.Message != "" {
		b.WriteString(": " + r.Message)
	}
	if !r.TriggeredBy.IsZero() {
		b.WriteString(" (" + r.TriggeredBy.s + ")")
	}
	if r.Cause != nil {
		b.WriteString(": " + r.Cause.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (r *Reject) Unwrap() error { return r.Cause }

// Decode makes r the Reject that packet has at its front. TriggeredBy, Message,
// Data and a Code that RFC 27 does not have point into packet, which must
// never change from now on; see the package comment. The error wraps
// [ErrInvalidPacket] and names the field; r is the zero Reject then and packet
// is the caller's again.
func (r *Reject) Decode(packet []byte) error {
	*r = Reject{}
	in, err := open(packet, TypeReject)
	if err != nil {
		return err
	}
	code := Code(alias(in.Bytes(codeSize)))
	if err := in.Err(); err != nil {
		return &packetError{TypeReject, "code", err}
	}
	if !code.valid() {
		return &packetError{TypeReject, "code", errCode}
	}
	triggeredBy := alias(in.Octets())
	if err := in.Err(); err != nil {
		return &packetError{TypeReject, "triggeredBy", err}
	}
	if triggeredBy != "" && !validAddress(triggeredBy) {
		return &packetError{TypeReject, "triggeredBy", addressError(triggeredBy)}
	}
	message := alias(in.Octets())
	if err := in.Err(); err != nil {
		return &packetError{TypeReject, "message", err}
	}
	if err := checkLength(TypeReject, "message", len(message), MaxMessageLength); err != nil {
		return err
	}
	data := in.Octets()
	if err := in.Err(); err != nil {
		return &packetError{TypeReject, "data", err}
	}
	if err := checkData(TypeReject, len(data)); err != nil {
		return err
	}
	r.Code = code.known()
	r.TriggeredBy = Address{triggeredBy}
	r.Message = message
	r.Data = data
	return nil
}

// AppendBinary appends the packet to dst and implements
// [encoding.BinaryAppender]. Of a message that is too long it writes the
// start, up to the end of a character. A code that is not three ASCII
// characters and too much data are errors, which wrap [ErrInvalidPacket]; dst
// is returned as it was then.
func (r *Reject) AppendBinary(dst []byte) ([]byte, error) {
	if !r.Code.valid() {
		return dst, &packetError{TypeReject, "code", errCode}
	}
	if err := checkData(TypeReject, len(r.Data)); err != nil {
		return dst, err
	}
	dst = appendEnvelope(dst, TypeReject, r.contentsSize())
	dst = append(dst, r.Code...)
	dst = oer.AppendString(dst, r.TriggeredBy.s)
	dst = oer.AppendString(dst, wireMessage(r.Message))
	return oer.AppendOctets(dst, r.Data), nil
}

// Size is the number of bytes that AppendBinary writes, if it does not fail.
func (r *Reject) Size() int { return envelopeSize(r.contentsSize()) }

func (r *Reject) contentsSize() int {
	return codeSize + oer.OctetsSize(len(r.TriggeredBy.s)) +
		oer.OctetsSize(len(wireMessage(r.Message))) + oer.OctetsSize(len(r.Data))
}

// wireMessage is the part of s that there is room for.
func wireMessage(s string) string {
	if len(s) <= MaxMessageLength {
		return s
	}
	// The first byte that does not fit may be amid a character. In what is
	// not UTF-8 there may be no start of one nearby.
	for n := MaxMessageLength; n > MaxMessageLength-utf8.UTFMax; n-- {
		if utf8.RuneStart(s[n]) {
			return s[:n]
		}
	}
	return s[:MaxMessageLength]
}

// Clone gives a Reject that shares no memory with r. The Cause is the same.
func (r *Reject) Clone() Reject {
	return Reject{
		Code:        Code(strings.Clone(string(r.Code))),
		TriggeredBy: r.TriggeredBy.Clone(),
		Message:     strings.Clone(r.Message),
		Data:        slices.Clone(r.Data),
		Cause:       r.Cause,
	}
}

// AmountTooLarge is the data of an F08 (ILP4-52): what arrived and the most
// that may, both in the unit of the link on which the node that rejects got
// the Prepare.
type AmountTooLarge struct {
	// Received is the amount of the Prepare.
	Received uint64
	// Maximum is the largest amount that is not too large.
	Maximum uint64
}

var _ encoding.BinaryAppender = AmountTooLarge{}

// AppendBinary appends the 16 bytes of the data to dst and implements
// [encoding.BinaryAppender]. The error is always nil.
func (a AmountTooLarge) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, a.Received)
	return binary.BigEndian.AppendUint64(dst, a.Maximum), nil
}

// Decode reads the data of an F08. Bytes after the two amounts are ignored
// (OER-17). The error wraps [oer.ErrTruncated]; a is zero then.
func (a *AmountTooLarge) Decode(data []byte) error {
	r := oer.NewReader(data)
	received, maximum := r.Uint64(), r.Uint64()
	if err := r.Err(); err != nil {
		*a = AmountTooLarge{}
		return fmt.Errorf("ilp: data of F08: %w", err)
	}
	a.Received, a.Maximum = received, maximum
	return nil
}

var errCode = errors.New("want three ASCII characters")
