package ledger

import (
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// The longest backoff between attempts to pay, for tests that wait for it.
const MaxBackoff = maxBackoff

// BookRecord gives the value of a book's record.
func BookRecord(balance int64, in, out, remainder uint64) []byte {
	return bookRecord(nil, figures{balance, in, out, remainder})
}

// ParseBook reads the value of a book's record.
func ParseBook(value []byte) (balance int64, in, out, remainder uint64, err error) {
	f, err := parseBook(value)
	return f.balance, f.in, f.out, f.remainder, err
}

// SettlementValue gives the value of a settlement's record.
func SettlementValue(m plugin.Money, at time.Time) []byte { return settlementValue(m, at) }

// ParseSettlement reads the value of a settlement's record.
func ParseSettlement(key string, value []byte) (m plugin.Money, at time.Time, err error) {
	return parseSettlement(key, value)
}

// AssetValue gives the value of the record that says what a book counts.
func AssetValue(a ilp.Asset) []byte { return assetValue(a) }

// ParseAsset reads it.
func ParseAsset(value []byte) (ilp.Asset, error) { return parseAsset(value) }

// The keys of an account's records in the store.
func BookKey(account string) string          { return accountKey(bookPrefix, account) }
func AssetKey(account string) string         { return accountKey(assetPrefix, account) }
func OutKey(account, key string) string      { return outKey(account, key) }
func ReceivedKey(account, key string) string { return receivedKey(account, key) }

// InMemory counts the books that a ledger holds.
func InMemory(l *Local) int { return len(l.all()) }
