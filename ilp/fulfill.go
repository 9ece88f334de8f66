package ilp

import (
	"slices"

	"github.com/interledger-go/connector/oer"
)

// Fulfill answers a Prepare with the preimage of its condition, and so claims
// its amount.
type Fulfill struct {
	// Fulfillment is the preimage of the condition.
	Fulfillment Fulfillment
	// Data is for the sender: up to MaxDataLength bytes.
	Data []byte
}

var _ Reply = (*Fulfill)(nil)

func (*Fulfill) isReply() {}

// Decode makes f the Fulfill that packet has at its front. Data points into
// packet, which must never change from now on; see the package comment. The
// error wraps [ErrInvalidPacket] and names the field; f is the zero Fulfill
// then and packet is the caller's again.
func (f *Fulfill) Decode(packet []byte) error {
	*f = Fulfill{}
	r, err := open(packet, TypeFulfill)
	if err != nil {
		return err
	}
	fulfillment := r.Bytes(len(f.Fulfillment))
	if err := r.Err(); err != nil {
		return &packetError{TypeFulfill, "fulfillment", err}
	}
	data := r.Octets()
	if err := r.Err(); err != nil {
		return &packetError{TypeFulfill, "data", err}
	}
	if err := checkData(TypeFulfill, len(data)); err != nil {
		return err
	}
	f.Fulfillment = Fulfillment(fulfillment)
	f.Data = data
	return nil
}

// AppendBinary appends the packet to dst and implements
// [encoding.BinaryAppender]. Too much data is an error, which wraps
// [ErrInvalidPacket]; dst is returned as it was then.
func (f *Fulfill) AppendBinary(dst []byte) ([]byte, error) {
	if err := checkData(TypeFulfill, len(f.Data)); err != nil {
		return dst, err
	}
	dst = appendEnvelope(dst, TypeFulfill, f.contentsSize())
	dst = append(dst, f.Fulfillment[:]...)
	return oer.AppendOctets(dst, f.Data), nil
}

// Size is the number of bytes that AppendBinary writes, if it does not fail.
func (f *Fulfill) Size() int { return envelopeSize(f.contentsSize()) }

func (f *Fulfill) contentsSize() int {
	return len(f.Fulfillment) + oer.OctetsSize(len(f.Data))
}

// Clone gives a Fulfill that shares no memory with f.
func (f *Fulfill) Clone() Fulfill {
	return Fulfill{Fulfillment: f.Fulfillment, Data: slices.Clone(f.Data)}
}
