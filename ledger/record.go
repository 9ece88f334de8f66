package ledger

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/plugin"
)

// What the store holds. An account id is preceded by its length, so that no
// id is the beginning of another's keys.
//
//	ledger/book/ACCOUNT         the figures
//	ledger/out/ACCOUNT KEY      a settlement that we are making
//	ledger/in/ACCOUNT KEY       a settlement that we have received
const (
	bookPrefix     = "ledger/book/"
	outPrefix      = "ledger/out/"
	receivedPrefix = "ledger/in/"

	maxKey = 200 // of a settlement that we receive
	// The longest key in the store: it is that of a settlement received.
	maxStoreKey = len(receivedPrefix) + 1 + account.MaxIDLength + maxKey

	bookVersion       = 1
	settlementVersion = 1
)

// record is a change of the store that goes with a change of the figures.
type record struct {
	key    string
	value  []byte
	delete bool
}

func accountKey(prefix, account string) string {
	return prefix + string([]byte{byte(len(account))}) + account
}

func receivedKey(account, key string) string {
	return accountKey(receivedPrefix, account) + key
}

func outKey(account, key string) string { return accountKey(outPrefix, account) + key }

// bookRecord appends the value of a book's record to dst.
func bookRecord(dst []byte, f figures) []byte {
	dst = append(dst, bookVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.balance))
	dst = binary.BigEndian.AppendUint64(dst, f.in)
	return binary.BigEndian.AppendUint64(dst, f.out)
}

var errRecord = errors.New("is damaged, or of a later version: restore it from a copy, or use the version that wrote it")

func parseBook(value []byte) (figures, error) {
	if len(value) != 25 || value[0] != bookVersion {
		return figures{}, errRecord
	}
	return figures{
		balance: int64(binary.BigEndian.Uint64(value[1:])),
		in:      binary.BigEndian.Uint64(value[9:]),
		out:     binary.BigEndian.Uint64(value[17:]),
	}, nil
}

// settlementValue is the value of a settlement's record, made or received. The
// time counts nanoseconds, since it tells the order of those we make.
func settlementValue(amount uint64, at time.Time) []byte {
	value := make([]byte, 0, 17)
	value = append(value, settlementVersion)
	value = binary.BigEndian.AppendUint64(value, amount)
	return binary.BigEndian.AppendUint64(value, uint64(at.UnixNano()))
}

func parseSettlement(value []byte) (amount uint64, at time.Time, err error) {
	if len(value) != 17 || value[0] != settlementVersion {
		return 0, time.Time{}, errRecord
	}
	return binary.BigEndian.Uint64(value[1:]), time.Unix(0, int64(binary.BigEndian.Uint64(value[9:]))), nil
}

func receivedRecord(account string, m plugin.Money, at time.Time) record {
	return record{key: receivedKey(account, m.Key), value: settlementValue(m.Amount, at)}
}
