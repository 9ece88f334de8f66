package ilp

import (
	"crypto/sha256"
	"encoding/hex"
)

// Condition is what a Prepare asks for: the SHA-256 hash of a fulfillment
// (ILP4-10).
type Condition [sha256.Size]byte

// Fulfillment is the preimage of a condition. Who knows it can claim the
// amount of the Prepare, so it is a secret until it is sent.
type Fulfillment [32]byte

// The protocols between two peers (IL-DCP, CCP, settlement messages) transfer
// no money, and use a fulfillment that everybody knows: 32 zero bytes. These
// variables are constants that the language has no form for: never assign to
// them.
var (
	// PeerFulfillment is 32 zero bytes.
	PeerFulfillment Fulfillment

	// PeerCondition is the condition of PeerFulfillment.
	PeerCondition = Condition{
		0x66, 0x68, 0x7a, 0xad, 0xf8, 0x62, 0xbd, 0x77, 0x6c, 0x8f, 0xc1, 0x8b, 0x8e, 0x9f, 0x8e, 0x20,
		0x08, 0x97, 0x14, 0x85, 0x6e, 0xe2, 0x33, 0xb3, 0x90, 0x2a, 0x59, 0x1d, 0x0d, 0x5f, 0x29, 0x25,
	}
)

// Condition gives the condition that f fulfills.
func (f Fulfillment) Condition() Condition {
	return sha256.Sum256(f[:])
}

// String gives the condition in hexadecimal.
func (c Condition) String() string {
	return hex.EncodeToString(c[:])
}
