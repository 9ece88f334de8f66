// Package oer reads and writes the octet encoding rules that all Interledger
// protocols are built from (RFC 30): integers, lengths, octet strings and the
// two forms of a timestamp. It is not a general ASN.1 codec (OER-21): a
// protocol calls the functions for its fields in the order they have on the
// wire.
//
// Encoders are functions that append to the caller's slice and return it, as
// append does. Fixed-width integers need none: encoding/binary.BigEndian
// writes them, and a fixed octet string is appended as it is.
//
//	b = binary.BigEndian.AppendUint64(b, amount)
//	b = oer.AppendString(b, destination)
//	b = oer.AppendOctets(b, data)
//
// A [Reader] takes the fields off a slice again. Its error is sticky: after
// the first fault every read gives a zero value, so a decoder reads all its
// fields in a row and asks for [Reader.Err] once. Nothing is copied and
// nothing is allocated, whatever a length on the wire may promise.
//
//	r := oer.NewReader(b)
//	amount, destination, data := r.Uint64(), r.Octets(), r.Octets()
//	if err := r.Err(); err != nil {
//		return err
//	}
//
// What is written is canonical OER, and nothing else is read: a length or an
// integer in more bytes than it needs is refused, as the deployed codecs
// refuse such lengths (OER-11). So each value has one encoding, and decoding
// and encoding again gives the bytes back. Bytes that are left after the last
// field a decoder knows are no fault; most protocols ignore them (OER-17).
//
// A time is 17 digits to the millisecond in ILP packets ([AppendTimestamp]) and
// a GeneralizedTime, which leaves out zeros, in BTP ([AppendGeneralizedTime]).
//
// Nothing in this package keeps state: all functions may be called
// concurrently. A Reader belongs to one goroutine.
package oer
