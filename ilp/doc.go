// Package ilp has the packets of the Interledger protocol, version 4 (RFC 27),
// and what they are made of: addresses (RFC 15), conditions and error codes.
//
// A payment is asked for by a [Prepare], which promises the next node an
// amount for the preimage of a condition, and is answered by a [Fulfill], which
// has the preimage, or by a [Reject], which says why not. The two answers are
// the only types of [Reply]; a Reject is an error as well, so that Go code that
// refuses a packet returns it as one.
//
// # Ownership of bytes
//
// Decoding copies nothing and allocates nothing: Data, Destination, Message
// and the like of a decoded packet point into the slice it was decoded from.
// So that slice belongs to the packet from then on, and nobody may write to
// it again, nor reuse it, as long as any of these values is in use; the Clone
// methods cut the tie. After an error the slice is the caller's again.
// Encoding appends to a slice of the caller and keeps no part of it.
//
// # Forwarding
//
// A connector changes two fields of a Prepare, the amount and the expiry, and
// they have a fixed place and width (ILP4-04). So a Prepare remembers the bytes
// it was decoded from, and [Prepare.AppendBinary] copies these and writes the
// two fields over: the next node gets what the sender wrote, byte for byte
// (ILP4-21). [Rewrite] does the same in place for a program that owns the
// bytes.
//
// # What is refused
//
// Decoding takes canonical OER only (see package oer) and enforces the limits
// of the standard (ILP4-07), as encoding does: 32767 bytes of data, 8191 of a
// message, 1023 of an address. Bytes that follow the last field of a packet
// inside its envelope are accepted (OER-17); they stay where they are in a
// Prepare that is forwarded, and are not kept in a reply. Bytes after the
// envelope are accepted too, but are not part of the packet and go no further.
//
// All errors of decoding and encoding packets wrap [ErrInvalidPacket] and name the
// field; those about an address wrap [ErrInvalidAddress] too.
//
// Values of this package may be read by many goroutines at once. A method with
// a pointer receiver that writes, which is Decode and UnmarshalText, needs the
// value for itself.
package ilp
