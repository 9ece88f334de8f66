package boltstore

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/interledger-go/connector/store"
)

// bucketName is the name of the bucket that holds everything, and with it of
// the form of what is in it.
var bucketName = []byte("interledger connector store 1")

// A record is what the file holds for a key: the value, and a CRC-32C over key
// and value, in big-endian order. bbolt has no checksum for its pages.
const sumSize = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends the record of key and value to b.
func appendRecord(b, key, value []byte) []byte {
	b = append(b, value...)
	return binary.BigEndian.AppendUint32(b, sum(key, value))
}

// valueOf returns a copy of the value in a record of key, or an error that
// wraps ErrDamaged.
func valueOf(key, record []byte) ([]byte, error) {
	if err := checkRecord(key, record); err != nil {
		return nil, err
	}
	value := make([]byte, len(record)-sumSize)
	copy(value, record)
	return value, nil
}

// checkRecord returns an error that wraps ErrDamaged unless record is one of
// key.
func checkRecord(key, record []byte) error {
	n := len(record) - sumSize
	switch {
	case len(key) == 0 || len(key) > store.MaxKeySize:
		return damagef("key of %d bytes", len(key))
	case n < 0 || n > store.MaxValueSize:
		return damagef("key %.40q: record of %d bytes", key, len(record))
	case sum(key, record[:n]) != binary.BigEndian.Uint32(record[n:]):
		return damagef("key %.40q: wrong checksum", key)
	}
	return nil
}

func sum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
