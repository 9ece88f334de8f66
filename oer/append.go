package oer

import (
	"encoding/binary"
	"math/bits"
)

// AppendLength appends the length determinant of n (OER-06, OER-07): one byte
// below 128, else the number of bytes that follow, plus 0x80, and n in as few
// bytes as it needs. n is a length in bytes and not negative.
func AppendLength(dst []byte, n int) []byte {
	if uint(n) < 0x80 {
		return append(dst, byte(n))
	}
	size := magnitude(uint64(n))
	dst = append(dst, 0x80|byte(size))
	return appendBig(dst, uint64(n), size)
}

// LengthSize is the number of bytes that AppendLength writes for n.
func LengthSize(n int) int {
	if uint(n) < 0x80 {
		return 1
	}
	return 1 + magnitude(uint64(n))
}

// AppendOctets appends b as a variable-length octet string: its length
// determinant and its bytes (OER-12).
func AppendOctets(dst, b []byte) []byte {
	return append(AppendLength(dst, len(b)), b...)
}

// AppendString appends s as a variable-length string (OER-16). The bytes of s
// are written as they are.
func AppendString(dst []byte, s string) []byte {
	return append(AppendLength(dst, len(s)), s...)
}

// OctetsSize is the number of bytes that a variable-length octet string of n
// bytes takes, its length determinant included.
func OctetsSize(n int) int {
	return LengthSize(n) + n
}

// AppendUint appends v as a variable-length unsigned integer, VarUInt
// (OER-13): a length and the big-endian magnitude without leading zeros. Zero
// has one byte.
func AppendUint(dst []byte, v uint64) []byte {
	size := magnitude(v)
	dst = append(dst, byte(size))
	return appendBig(dst, v, size)
}

// AppendInt appends v as a variable-length signed integer, VarInt (OER-15): a
// length and the shortest big-endian two's complement that keeps the sign.
func AppendInt(dst []byte, v int64) []byte {
	// Folding negative numbers onto the positive ones that need as many bits
	// leaves one more bit to find room for: the sign.
	size := bits.Len64(uint64(v^(v>>63)))/8 + 1
	dst = append(dst, byte(size))
	return appendBig(dst, uint64(v), size)
}

// magnitude is the number of bytes that v needs, at least one.
func magnitude(v uint64) int {
	return (bits.Len64(v|1) + 7) / 8
}

// appendBig appends the low size bytes of v, 1 to 8 of them, big-endian.
func appendBig(dst []byte, v uint64, size int) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return append(dst, b[8-size:]...)
}
