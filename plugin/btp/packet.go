package btp

import "github.com/interledger-go/connector/internal/btplink"

// ErrInvalidPacket is wrapped by all errors of decoding and encoding packets:
// the bytes are no BTP packet, or the fields make none.
var ErrInvalidPacket = btplink.ErrInvalidPacket

// Packet is a BTP packet of any type (BTP-01): its Type and RequestID, the
// Amount of a transfer, the Error of an error, and its Entries. The first of
// the entries is the primary one (BTP-09), and no two have the same name
// (BTP-08).
//
//	func (p *Packet) Entry(name string) (Entry, bool)
//	func (p *Packet) Decode(b []byte) error // names and data point into b
//	func (p *Packet) AppendBinary(dst []byte) ([]byte, error)
//	func (p *Packet) Size() int
//	func (p *Packet) Clone() Packet
type Packet = btplink.Packet

// Entry is what one sub-protocol says in a packet (BTP-03): its Name, which
// is ASCII, the ContentType, and the Data.
type Entry = btplink.Entry

// Type is the first byte of a packet (BTP-02).
type Type = btplink.Type

// The types of BTP 2.0. The other ones are unreadable, those of BTP 1.0
// included.
const (
	TypeResponse = btplink.TypeResponse
	TypeError    = btplink.TypeError
	TypeMessage  = btplink.TypeMessage
	TypeTransfer = btplink.TypeTransfer
)

// ContentType says how to read the data of an entry (BTP-03). Values that
// have no name here are allowed.
type ContentType = btplink.ContentType

// The content types of RFC 23.
const (
	OctetStream = btplink.OctetStream // application/octet-stream
	TextPlain   = btplink.TextPlain   // text/plain, UTF-8
	JSON        = btplink.JSON        // application/json
)
