package ledger_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/interledger-go/connector/ledger"
)

func FuzzParseBook(f *testing.F) {
	for _, balance := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		f.Add(ledger.BookRecord(balance, 0, math.MaxUint64))
		f.Add(ledger.BookRecord(balance, 1<<63, 2)[:24])
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		balance, in, out, err := ledger.ParseBook(value)
		if err != nil {
			if len(value) == 25 && value[0] == 1 {
				t.Errorf("%x is refused: %v", value, err)
			}
			return
		}
		if again := ledger.BookRecord(balance, in, out); !bytes.Equal(again, value) {
			t.Errorf("%x is read as %d, %d, %d, which is written as %x", value, balance, in, out, again)
		}
	})
}

func FuzzParseSettlement(f *testing.F) {
	for _, amount := range []uint64{0, 1, 1<<53 + 1, math.MaxInt64, math.MaxUint64} {
		value := ledger.SettlementValue(amount, time.Unix(0, math.MaxInt64))
		f.Add(value)
		f.Add(value[:16])
		f.Add(append([]byte{2}, value[1:]...))
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		amount, at, err := ledger.ParseSettlement(value)
		if err != nil {
			if len(value) == 17 && value[0] == 1 {
				t.Errorf("%x is refused: %v", value, err)
			}
			return
		}
		if again := ledger.SettlementValue(amount, at); !bytes.Equal(again, value) {
			t.Errorf("%x is read as %d at %v, which is written as %x", value, amount, at, again)
		}
	})
}
