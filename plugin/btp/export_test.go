package btp

import "github.com/interledger-go/connector/internal/btplink"

// ParseILP is the short way to read a packet with nothing but an ILP packet.
var ParseILP = btplink.ParseILP

// AppendILP is the short way to write one.
func AppendILP(dst []byte, t Type, id uint32, packet []byte) []byte {
	return append(btplink.AppendILPHead(dst, t, id, len(packet)), packet...)
}

// ILPSize is what AppendILP adds for a packet of n bytes.
var ILPSize = btplink.ILPSize
