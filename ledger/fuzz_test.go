package ledger_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

func FuzzParseBook(f *testing.F) {
	for _, balance := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		f.Add(ledger.BookRecord(balance, 0, math.MaxUint64, 0))
		f.Add(ledger.BookRecord(balance, 1<<63, 2, 0)[:24])
		f.Add(ledger.BookRecord(balance, 1<<63, 2, plugin.FractionsPerUnit-1))
		f.Add(ledger.BookRecord(balance, 1<<63, 2, plugin.FractionsPerUnit))
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		balance, in, out, remainder, err := ledger.ParseBook(value)
		if err != nil {
			if len(value) == 25 && value[0] == 1 {
				t.Errorf("%x is refused: %v", value, err)
			}
			return
		}
		if again := ledger.BookRecord(balance, in, out, remainder); !bytes.Equal(again, value) {
			t.Errorf("%x is read as %d, %d, %d, %d, which is written as %x", value, balance, in, out, remainder, again)
		}
	})
}

func FuzzParseAsset(f *testing.F) {
	for _, asset := range []ilp.Asset{{Code: "USD", Scale: 9}, {Code: "€"}, {Code: "x", Scale: 255}} {
		f.Add(ledger.AssetValue(asset))
		f.Add(ledger.AssetValue(asset)[:2])
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		asset, err := ledger.ParseAsset(value)
		if err != nil {
			if len(value) > 2 && value[0] == 1 {
				t.Errorf("%x is refused: %v", value, err)
			}
			return
		}
		if again := ledger.AssetValue(asset); !bytes.Equal(again, value) {
			t.Errorf("%x is read as %v, which is written as %x", value, asset, again)
		}
	})
}

func FuzzParseSettlement(f *testing.F) {
	for _, amount := range []uint64{0, 1, 1<<53 + 1, math.MaxInt64, math.MaxUint64} {
		value := ledger.SettlementValue(plugin.Money{Amount: amount}, time.Unix(0, math.MaxInt64))
		f.Add(value)
		f.Add(ledger.SettlementValue(plugin.Money{Amount: amount, Fraction: 1 + amount/100}, time.Unix(0, math.MaxInt64)))
		f.Add(value[:16])
		f.Add(append([]byte{2}, value[1:]...))
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		m, at, err := ledger.ParseSettlement("k", value)
		if err != nil {
			if len(value) == 17 && value[0] == 1 {
				t.Errorf("%x is refused: %v", value, err)
			}
			return
		}
		if again := ledger.SettlementValue(m, at); !bytes.Equal(again, value) {
			t.Errorf("%x is read as %v at %v, which is written as %x", value, m, at, again)
		}
	})
}
