package ccp

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// TableID names a routing table and with it a count of epochs: a UUID. The
// zero value is no table; a peer that knows nothing yet says so (CCP-13).
type TableID [16]byte

// String gives the id as the text of a UUID.
func (id TableID) String() string {
	var b [36]byte
	hex.Encode(b[0:], id[0:4])
	hex.Encode(b[9:], id[4:6])
	hex.Encode(b[14:], id[6:8])
	hex.Encode(b[19:], id[8:10])
	hex.Encode(b[24:], id[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// newTableID makes a random UUID, of version 4.
func newTableID(source rand.Source) TableID {
	var id TableID
	binary.BigEndian.PutUint64(id[:8], source.Uint64())
	binary.BigEndian.PutUint64(id[8:], source.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// runtimeSource is the generator of the runtime, seeded by the system.
type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

func orRuntime(source rand.Source) rand.Source {
	if source == nil {
		return runtimeSource{}
	}
	return source
}
