package ledger

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// What the store holds. An account id is preceded by its length, so that no
// id is the beginning of another's keys.
//
//	ledger/book/ACCOUNT         the figures
//	ledger/asset/ACCOUNT        what they count
//	ledger/out/ACCOUNT KEY      a settlement that we are making
//	ledger/in/ACCOUNT KEY       a settlement that we have received
const (
	bookPrefix     = "ledger/book/"
	assetPrefix    = "ledger/asset/"
	outPrefix      = "ledger/out/"
	receivedPrefix = "ledger/in/"

	maxKey = 200 // of a settlement that we receive
	// The longest key in the store: it is that of a settlement received.
	maxStoreKey = len(receivedPrefix) + 1 + account.MaxIDLength + maxKey

	// Records of the first version have no fractions. They are written where
	// there are none, so that most are short, and are read for ever.
	wholeVersion      = 1
	fractionalVersion = 2
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
	dst = append(dst, version(f.remainder))
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.balance))
	dst = binary.BigEndian.AppendUint64(dst, f.in)
	dst = binary.BigEndian.AppendUint64(dst, f.out)
	return appendFraction(dst, f.remainder)
}

func version(fraction uint64) byte {
	if fraction == 0 {
		return wholeVersion
	}
	return fractionalVersion
}

// appendFraction ends a record whose version is that of fraction.
func appendFraction(dst []byte, fraction uint64) []byte {
	if fraction == 0 {
		return dst
	}
	return binary.BigEndian.AppendUint64(dst, fraction)
}

var errRecord = errors.New("is damaged, or of a later version: restore it from a copy, or use the version that wrote it")

func parseBook(value []byte) (figures, error) {
	value, remainder, err := splitRecord(value, 24)
	if err != nil {
		return figures{}, err
	}
	return figures{
		balance:   int64(binary.BigEndian.Uint64(value)),
		in:        binary.BigEndian.Uint64(value[8:]),
		out:       binary.BigEndian.Uint64(value[16:]),
		remainder: remainder,
	}, nil
}

// splitRecord gives what a record has between its version and its fraction,
// which is size bytes, and the fraction.
func splitRecord(value []byte, size int) (body []byte, fraction uint64, err error) {
	switch {
	case len(value) == 1+size && value[0] == wholeVersion:
		return value[1:], 0, nil
	case len(value) == 1+size+8 && value[0] == fractionalVersion:
		fraction = binary.BigEndian.Uint64(value[1+size:])
	}
	if fraction == 0 || fraction >= plugin.FractionsPerUnit {
		return nil, 0, errRecord
	}
	return value[1 : 1+size], fraction, nil
}

// assetValue is the value of the record that says what a book counts.
func assetValue(a ilp.Asset) []byte {
	return append([]byte{wholeVersion, a.Scale}, a.Code...)
}

func parseAsset(value []byte) (ilp.Asset, error) {
	if len(value) < 3 || value[0] != wholeVersion {
		return ilp.Asset{}, errRecord
	}
	return ilp.Asset{Code: string(value[2:]), Scale: value[1]}, nil
}

// settlementValue is the value of a settlement's record, made or received. The
// time counts nanoseconds, since it tells the order of those we make.
func settlementValue(m plugin.Money, at time.Time) []byte {
	value := make([]byte, 0, 25)
	value = append(value, version(m.Fraction))
	value = binary.BigEndian.AppendUint64(value, m.Amount)
	value = binary.BigEndian.AppendUint64(value, uint64(at.UnixNano()))
	return appendFraction(value, m.Fraction)
}

// parseSettlement reads the value of the record of the settlement that has
// this key.
func parseSettlement(key string, value []byte) (m plugin.Money, at time.Time, err error) {
	value, fraction, err := splitRecord(value, 16)
	if err != nil {
		return plugin.Money{}, time.Time{}, err
	}
	m = plugin.Money{Amount: binary.BigEndian.Uint64(value), Fraction: fraction, Key: key}
	return m, time.Unix(0, int64(binary.BigEndian.Uint64(value[8:]))), nil
}

func receivedRecord(account string, m plugin.Money, at time.Time) record {
	return record{key: receivedKey(account, m.Key), value: settlementValue(m, at)}
}
