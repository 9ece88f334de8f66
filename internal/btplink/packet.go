package btplink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/interledger-go/connector/oer"
)

// ErrInvalidPacket is wrapped by all errors of decoding and encoding packets:
// the bytes are no BTP packet, or the fields make none.
var ErrInvalidPacket = errors.New("btp: invalid packet")

// Type is the first byte of a packet (BTP-02).
type Type uint8

// The types of BTP 2.0. The other ones are unreadable, those of BTP 1.0
// included.
const (
	TypeResponse Type = 1
	TypeError    Type = 2
	TypeMessage  Type = 6
	TypeTransfer Type = 7
)

// String gives the name of the type in lower case: "message".
func (t Type) String() string {
	switch t {
	case TypeResponse:
		return "response"
	case TypeError:
		return "error"
	case TypeMessage:
		return "message"
	case TypeTransfer:
		return "transfer"
	}
	return "type " + strconv.Itoa(int(t))
}

// ContentType says how to read the data of an entry (BTP-03). Values that
// have no name here are allowed.
type ContentType uint8

// The content types of RFC 23.
const (
	OctetStream ContentType = 0 // application/octet-stream
	TextPlain   ContentType = 1 // text/plain, UTF-8
	JSON        ContentType = 2 // application/json
)

// Entry is what one sub-protocol says in a packet (BTP-03).
type Entry struct {
	Name        string // ASCII
	ContentType ContentType
	Data        []byte
}

// Packet is a BTP packet of any type (BTP-01). The first of its entries is the
// primary one (BTP-09), and no two have the same name (BTP-08).
type Packet struct {
	Type      Type
	RequestID uint32
	Amount    uint64 // of a transfer
	Error     Error  // of an error
	Entries   []Entry
}

// Entry finds the entry of a sub-protocol.
func (p *Packet) Entry(name string) (Entry, bool) {
	for i := range p.Entries {
		if p.Entries[i].Name == name {
			return p.Entries[i], true
		}
	}
	return Entry{}, false
}

// Decode makes p the packet that b has at its front; bytes behind it, and
// behind the last field of its contents, are ignored (OER-17). Names and data
// point into b, which must never change from now on. The Entries of p are
// used again, so that decoding into the same p does not allocate. The error
// wraps ErrInvalidPacket and names the field; p has no use then.
func (p *Packet) Decode(b []byte) error {
	entries := p.Entries[:0]
	*p = Packet{}
	r := oer.NewReader(b)
	p.Type, p.RequestID = Type(r.Uint8()), r.Uint32()
	contents := oer.NewReader(r.Octets())
	if err := r.Err(); err != nil {
		return invalid("envelope", err)
	}
	switch p.Type {
	case TypeMessage, TypeResponse:
	case TypeTransfer:
		p.Amount = contents.Uint64()
	case TypeError:
		if err := p.Error.decode(&contents); err != nil {
			return err
		}
	default:
		return invalid("type", fmt.Errorf("it is %d, want 1, 2, 6 or 7", p.Type))
	}
	var err error
	p.Entries, err = decodeEntries(&contents, entries)
	return err
}

// decodeEntries reads protocolData and appends it to entries.
func decodeEntries(r *oer.Reader, entries []Entry) ([]Entry, error) {
	// A count is only believed as far as entries follow: nothing is made for
	// it in advance.
	for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
		name := r.Octets()
		e := Entry{alias(name), ContentType(r.Uint8()), r.Octets()}
		if !ascii(name) {
			return entries, invalid("protocolName", errNotASCII)
		}
		entries = append(entries, e)
	}
	if err := r.Err(); err != nil {
		return entries, invalid("protocolData", err)
	}
	return entries, checkNames(entries)
}

// checkNames finds two entries of the same name (BTP-08).
func checkNames(entries []Entry) error {
	if len(entries) > 16 { // compare each with each only while they are few
		seen := make(map[string]bool, len(entries))
		for _, e := range entries {
			if seen[e.Name] {
				return duplicate(e.Name)
			}
			seen[e.Name] = true
		}
		return nil
	}
	for i := range entries {
		for j := range i {
			if entries[i].Name == entries[j].Name {
				return duplicate(entries[i].Name)
			}
		}
	}
	return nil
}

func duplicate(name string) error {
	return invalid("protocolData", fmt.Errorf("two entries are named %q", name))
}

// Size is the number of bytes that AppendBinary writes.
func (p *Packet) Size() int { return 1 + 4 + oer.OctetsSize(p.contentsSize()) }

func (p *Packet) contentsSize() int {
	n := 0
	switch p.Type {
	case TypeTransfer:
		n = 8
	case TypeError:
		n = p.Error.size()
	}
	n += uintSize(uint64(len(p.Entries)))
	for i := range p.Entries {
		n += oer.OctetsSize(len(p.Entries[i].Name)) + 1 + oer.OctetsSize(len(p.Entries[i].Data))
	}
	return n
}

// AppendBinary appends the packet to dst in canonical form, and implements
// [encoding.BinaryAppender]. Fields that its type does not have are not
// written. An error wraps ErrInvalidPacket: an unknown type, a name that is
// not ASCII or occurs twice, an Error whose code or data is out of bounds.
// dst is returned as it was then.
func (p *Packet) AppendBinary(dst []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return dst, err
	}
	dst = appendHead(dst, p.Type, p.RequestID, p.contentsSize())
	switch p.Type {
	case TypeTransfer:
		dst = binary.BigEndian.AppendUint64(dst, p.Amount)
	case TypeError:
		dst = p.Error.append(dst)
	}
	dst = oer.AppendUint(dst, uint64(len(p.Entries)))
	for i := range p.Entries {
		e := &p.Entries[i]
		dst = append(oer.AppendString(dst, e.Name), byte(e.ContentType))
		dst = oer.AppendOctets(dst, e.Data)
	}
	return dst, nil
}

// check finds what keeps p from being written.
func (p *Packet) check() error {
	switch p.Type {
	case TypeMessage, TypeResponse, TypeTransfer:
	case TypeError:
		if err := p.Error.check(); err != nil {
			return err
		}
	default:
		return invalid("type", fmt.Errorf("it is %d, want 1, 2, 6 or 7", p.Type))
	}
	for i := range p.Entries {
		if !ascii(p.Entries[i].Name) {
			return invalid("protocolName", errNotASCII)
		}
	}
	return checkNames(p.Entries)
}

// Clone gives a packet that shares no memory with p or with the bytes it was
// decoded from.
func (p *Packet) Clone() Packet {
	c := *p
	c.Error.Name = strings.Clone(p.Error.Name)
	c.Error.Code = Code(strings.Clone(string(p.Error.Code)))
	c.Error.Data = bytes.Clone(p.Error.Data)
	c.Entries = slices.Clone(p.Entries)
	for i := range c.Entries {
		c.Entries[i].Name = strings.Clone(c.Entries[i].Name)
		c.Entries[i].Data = bytes.Clone(c.Entries[i].Data)
	}
	return c
}

// appendHead appends what goes before contents of n bytes.
func appendHead(dst []byte, t Type, id uint32, n int) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, byte(t)), id)
	return oer.AppendLength(dst, n)
}

// A packet with one entry, an ILP packet (BTP-10), is what nearly all of them
// are. It is written without a Packet, into memory of its exact size.
const (
	protocolILP = "ilp"
	ilpHead     = "\x01\x01" + "\x03" + protocolILP + "\x00" // count, name, content type
)

// ILPSize is the size of a packet around an ILP packet of n bytes.
func ILPSize(n int) int {
	return 1 + 4 + oer.OctetsSize(len(ilpHead)+oer.OctetsSize(n))
}

// AppendILPHead appends what goes before an ILP packet of n bytes. Nothing
// goes behind it.
func AppendILPHead(dst []byte, t Type, id uint32, n int) []byte {
	dst = appendHead(dst, t, id, len(ilpHead)+oer.OctetsSize(n))
	return oer.AppendLength(append(dst, ilpHead...), n)
}

// ParseILP reads such a packet, without a Packet. ok is false for all others,
// of which some are valid.
func ParseILP(b []byte) (t Type, id uint32, packet []byte, ok bool) {
	r := oer.NewReader(b)
	t, id = Type(r.Uint8()), r.Uint32()
	contents := oer.NewReader(r.Octets())
	if t != TypeMessage && t != TypeResponse || string(contents.Bytes(len(ilpHead))) != ilpHead {
		return t, id, nil, false
	}
	packet = contents.Octets()
	return t, id, packet, contents.Err() == nil
}

// uintSize is the number of bytes that oer.AppendUint writes.
func uintSize(v uint64) int {
	n := 2
	for v >>= 8; v > 0; v >>= 8 {
		n++
	}
	return n
}

var errNotASCII = errors.New("it is not ASCII")

func invalid(field string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrInvalidPacket, field, err)
}

func ascii[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// alias gives the bytes of b as a string without a copy, which is sound by the
// contract of Decode: they are never written again.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
