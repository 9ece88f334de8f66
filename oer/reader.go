package oer

import (
	"encoding/binary"
	"errors"
	"math"
)

// What a [Reader] may find wrong. [Reader.Err] gives one of these, unwrapped,
// so that reading malformed input allocates nothing either.
var (
	// ErrTruncated: the input ends before the field does, or a length
	// promises more bytes than there are (OER-12).
	ErrTruncated = errors.New("oer: truncated")

	// ErrNonCanonical: a length or an integer in another form than the one
	// that canonical OER has for it: the long form where the short one does
	// (OER-09), leading zeros (OER-08, OER-14, OER-15), the indefinite length
	// 0x80 (OER-11), an integer of no bytes (OER-13).
	ErrNonCanonical = errors.New("oer: not in canonical form")

	// ErrTooLarge: an integer above 64 bits, or a length above 64 bits
	// (OER-10) or, from [Reader.Length], above the range of int.
	ErrTooLarge = errors.New("oer: value too large")
)

// Reader takes fields off the front of a slice. It is a small value, meant to
// live on the stack; it does not allocate. What it returns aliases the input
// (with the capacity cut, so that an append to a result copies), and lives and
// changes with it. After the first fault all reads give the zero value and
// the fault stays in [Reader.Err]. The zero Reader is one of empty input.
type Reader struct {
	b     []byte // what is left; nil after a fault
	fault fault
}

// NewReader makes a Reader of b.
func NewReader(b []byte) Reader {
	return Reader{b: b}
}

// Err is the first fault, or nil: [ErrTruncated], [ErrNonCanonical] or
// [ErrTooLarge].
func (r *Reader) Err() error {
	if r.fault == 0 {
		return nil
	}
	return r.fault.err()
}

// Len is the number of bytes that are left.
func (r *Reader) Len() int { return len(r.b) }

// Rest takes all bytes that are left.
func (r *Reader) Rest() []byte { return r.Bytes(len(r.b)) }

// Bytes takes a fixed-length octet string of n bytes (OER-05). A negative n
// is as truncated as one that is too large.
func (r *Reader) Bytes(n int) []byte {
	if uint(n) > uint(len(r.b)) {
		r.fail(truncated)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// Uint8 takes a fixed-width integer of one byte (OER-02).
func (r *Reader) Uint8() uint8 {
	if len(r.b) < 1 {
		r.fail(truncated)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Uint16 takes a fixed-width integer of two bytes (OER-02).
func (r *Reader) Uint16() uint16 {
	if len(r.b) < 2 {
		r.fail(truncated)
		return 0
	}
	v := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return v
}

// Uint32 takes a fixed-width integer of four bytes (OER-02).
func (r *Reader) Uint32() uint32 {
	if len(r.b) < 4 {
		r.fail(truncated)
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

// Uint64 takes a fixed-width integer of eight bytes (OER-02).
func (r *Reader) Uint64() uint64 {
	if len(r.b) < 8 {
		r.fail(truncated)
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// Int8 takes a fixed-width two's complement integer of one byte (OER-03).
func (r *Reader) Int8() int8 { return int8(r.Uint8()) }

// Int16 takes a fixed-width two's complement integer of two bytes (OER-03).
func (r *Reader) Int16() int16 { return int16(r.Uint16()) }

// Int32 takes a fixed-width two's complement integer of four bytes (OER-03).
func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

// Int64 takes a fixed-width two's complement integer of eight bytes (OER-03).
func (r *Reader) Int64() int64 { return int64(r.Uint64()) }

// Length takes a length determinant and gives the number of bytes that it
// promises, which may well be more than are left: a caller that goes on with
// Bytes is told so there, one that reads from a stream decides itself.
// A length that does not fit an int is [ErrTooLarge].
func (r *Reader) Length() int {
	n := r.length()
	if n > math.MaxInt {
		r.fail(tooLarge)
		return 0
	}
	return int(n)
}

// Octets takes a variable-length octet string (OER-12), or a variable-length
// string as its bytes (OER-16). A length above what is left is [ErrTruncated]
// at once, however large it is.
func (r *Reader) Octets() []byte {
	var v []byte
	v, r.b, r.fault = octets(r.b, r.fault)
	return v
}

// Uint takes a variable-length unsigned integer, VarUInt (OER-13), of up to
// 64 bits. Protocols that allow larger ones take Octets.
func (r *Reader) Uint() uint64 {
	b := r.Octets()
	switch {
	case r.fault != 0:
		return 0
	case len(b) == 0, len(b) > 1 && b[0] == 0:
		r.fail(nonCanonical)
		return 0
	case len(b) > 8:
		r.fail(tooLarge)
		return 0
	}
	return bigEndian(b)
}

// Int takes a variable-length signed integer, VarInt (OER-15), of up to 64
// bits.
func (r *Reader) Int() int64 {
	b := r.Octets()
	switch {
	case r.fault != 0:
		return 0
	case len(b) == 0:
		r.fail(nonCanonical)
		return 0
	case len(b) > 1 && int8(b[0]) == int8(b[1])>>7:
		// The first byte repeats the sign that the second one has by itself.
		r.fail(nonCanonical)
		return 0
	case len(b) > 8:
		r.fail(tooLarge)
		return 0
	}
	unused := 64 - 8*len(b)
	return int64(bigEndian(b)<<unused) >> unused
}

// length takes a length determinant.
func (r *Reader) length() uint64 {
	if len(r.b) == 0 {
		r.fail(truncated)
		return 0
	}
	if n := r.b[0]; n < 0x80 {
		r.b = r.b[1:]
		return uint64(n)
	}
	size := int(r.b[0] & 0x7f)
	switch {
	case size == 0:
		r.fail(nonCanonical)
		return 0
	case size > 8:
		r.fail(tooLarge)
		return 0
	case size >= len(r.b):
		r.fail(truncated)
		return 0
	}
	n := bigEndian(r.b[1 : 1+size])
	if r.b[1] == 0 || n < 0x80 {
		r.fail(nonCanonical)
		return 0
	}
	r.b = r.b[1+size:]
	return n
}

// octets takes an octet string off the front of b, where a reader with that
// fault stands. It is a function of values, and the methods around it are
// small enough for the compiler to put in their place, so that the fields of a
// local Reader stay in registers.
func octets(b []byte, f fault) (v, rest []byte, _ fault) {
	if len(b) > 0 && int(b[0]) < min(len(b), 0x80) {
		n := int(b[0])
		return b[1 : 1+n : 1+n], b[1+n:], f
	}
	if len(b) > 3 && b[0] == 0x82 && b[1] != 0 { // 256 to 65535 bytes
		n := 3 + int(b[1])<<8 + int(b[2])
		if n <= len(b) {
			return b[3:n:n], b[n:], f
		}
	}
	return anyOctets(b, f)
}

// anyOctets is octets for all lengths.
func anyOctets(b []byte, f fault) (v, rest []byte, _ fault) {
	r := Reader{b, f}
	n := r.length()
	if n > uint64(len(r.b)) {
		r.fail(truncated)
		return nil, nil, r.fault
	}
	return r.b[:n:n], r.b[n:], r.fault
}

// fail keeps the first fault. Without input every later read fails as well,
// so that none of them has to look at the fault first.
func (r *Reader) fail(f fault) {
	if r.fault == 0 {
		r.fault = f
	}
	r.b = nil
}

// fault is an error in one byte.
type fault uint8

const (
	truncated fault = 1 + iota
	nonCanonical
	tooLarge
)

func (f fault) err() error {
	switch f {
	case truncated:
		return ErrTruncated
	case nonCanonical:
		return ErrNonCanonical
	default:
		return ErrTooLarge
	}
}

// bigEndian reads up to eight bytes.
func bigEndian(b []byte) uint64 {
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}
