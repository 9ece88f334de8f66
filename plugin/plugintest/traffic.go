package plugintest

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// overwritten is what a struct holds when its owner has taken it back.
const overwritten = "the struct was used after the call that it was given to had returned"

// numberSize is the size of the number that the data of a prepare begins with.
const numberSize = 8

// newPrepare makes the prepare with a number, by which its answer is known,
// and so much data, of at least numberSize bytes.
func newPrepare(number uint64, size int) ilp.Prepare {
	return ilp.Prepare{
		Amount:      number,
		ExpiresAt:   time.Now().Add(time.Hour).UTC(),
		Condition:   fulfillment(number).Condition(),
		Destination: ilp.MustParseAddress("test.plugintest"),
		Data:        newData(number, size),
	}
}

// newData gives so many bytes, of which the first are the number.
func newData(number uint64, size int) []byte {
	data := binary.BigEndian.AppendUint64(make([]byte, 0, max(size, numberSize)), number)
	for len(data) < size {
		data = append(data, byte(number)+byte(len(data)*7))
	}
	return data
}

// number is that of a prepare made by newPrepare, or 0.
func number(p *ilp.Prepare) uint64 {
	if len(p.Data) < numberSize {
		return 0
	}
	return binary.BigEndian.Uint64(p.Data)
}

func fulfillment(number uint64) ilp.Fulfillment {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("plugintest"), number))
}

// fulfillOf is the answer to a prepare with so much data.
func fulfillOf(number uint64, size int) *ilp.Fulfill {
	return &ilp.Fulfill{Fulfillment: fulfillment(number), Data: newData(number+1, size)}
}

// rejectOf is the other answer to it.
func rejectOf(number uint64, size int) *ilp.Reject {
	return &ilp.Reject{
		Code:        ilp.F99ApplicationError,
		TriggeredBy: ilp.MustParseAddress("test.plugintest.far"),
		Message:     "rejected by plugintest",
		Data:        newData(number+1, size),
	}
}

// longAddress has the greatest length.
func longAddress() ilp.Address {
	const front = "test."
	return ilp.MustParseAddress(front + strings.Repeat("a", ilp.MaxAddressLength-len(front)))
}
