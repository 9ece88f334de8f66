package wsconn

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// maxHeader is the length of the longest frame header: two bytes, eight of
// length, four of masking key.
const maxHeader = 14

// parseHeader reads the frame header that b begins with. size is its length
// in bytes, or 0 if b ends inside of it. A length of more than 63 bits, which
// the RFC forbids, comes out negative.
func parseHeader(b []byte) (h ws.Header, size int) {
	if len(b) < 2 {
		return h, 0
	}
	h.Fin = b[0]&0x80 != 0
	h.Rsv = b[0] >> 4 & 7
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	h.Masked = b[1]&0x80 != 0
	size = 2
	switch n := b[1] & 0x7f; n {
	default:
		h.Length = int64(n)
	case 126:
		if len(b) < 4 {
			return h, 0
		}
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		size = 4
	case 127:
		if len(b) < 10 {
			return h, 0
		}
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
		size = 10
	}
	if h.Masked {
		if len(b) < size+4 {
			return h, 0
		}
		h.Mask = [4]byte(b[size:])
		size += 4
	}
	return h, size
}

// appendHeader appends the header of an unfragmented frame with n bytes of
// payload. mask is nil on a server.
func appendHeader(dst []byte, op ws.OpCode, n int, mask *[4]byte) []byte {
	var masked byte
	if mask != nil {
		masked = 0x80
	}
	dst = append(dst, 0x80|byte(op))
	switch {
	case n < 126:
		dst = append(dst, masked|byte(n))
	case n <= 0xffff:
		dst = append(dst, masked|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	if mask != nil {
		dst = append(dst, mask[:]...)
	}
	return dst
}
