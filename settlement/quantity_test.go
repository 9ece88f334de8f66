package settlement_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/settlement"
)

type vectors struct {
	Quantity []struct {
		ID, JSON, Why string
		Valid         bool
	}
	ScaleConversion []struct {
		ID, Amount, Scaled, RemainderAtFromScale string
		FromScale, ToScale                       uint8
	} `json:"scale_conversion"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	file, err := os.ReadFile("testdata/settlement.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Quantity) == 0 || len(v.ScaleConversion) == 0 {
		t.Fatal("there are no vectors")
	}
	return v
}

// SE-10.
func TestQuantityVectors(t *testing.T) {
	for _, v := range readVectors(t).Quantity {
		t.Run(v.ID, func(t *testing.T) {
			var q settlement.Quantity
			err := json.Unmarshal([]byte(v.JSON), &q)
			if (err == nil) != v.Valid {
				t.Fatalf("%s: %v, want it to be valid: %v %s", v.JSON, err, v.Valid, v.Why)
			}
			if err != nil {
				return
			}
			if again, err := json.Marshal(q); err != nil || string(again) != v.JSON {
				t.Errorf("%s is written as %s, %v", v.JSON, again, err)
			}
		})
	}
}

func TestQuantityRefuses(t *testing.T) {
	for _, text := range []string{`null`, `{"amount":null,"scale":2}`, `{"amount":"1","scale":null}`, `{"amount":"+1","scale":2}`, `{"amount":"1_0","scale":2}`,
		`{"amount":"٣","scale":2}`, `{"amount":"1","scale":1e1}`, `{"amount":"00","scale":2}`, `{"amount":"017","scale":2}`, `{"amount":"` + strings.Repeat("0", 513) + `","scale":2}`,
		`{"amount":"1","scale":2,"amount":"2"}`, `{"amount":"1","scale":2,"scale":2}`, `{"amount":"1","scale":2,"Amount":"2"}`, `{"amount":"1","scale":2,"SCALE":9}`,
		`{"AMOUNT":"1","scale":2}`, `{"amount":null,"scale":2,"amount":"2"}`, `{"amount":"1","scale":2,"ſcale":3}`, `{"amount":" 1","scale":2}`, `{"amount":"1 ","scale":2}`, `{"amount":"1\n","scale":2}`, `{"amount":"-0","scale":2}`, `{"amount":"1","scale":-0}`,
		`{"amount":"1","scale":2}{}`, `{"amount":"1","scale":2} 3`, `{"amount":"1","scale":2`, `[{"amount":"1","scale":2}]`, `{"amount":"1","scale":2,}`, ``} {
		q := settlement.Quantity{Amount: big.NewInt(3), Scale: 4}
		if err := q.UnmarshalJSON([]byte(text)); err == nil || q.Amount.Int64() != 3 || q.Scale != 4 {
			t.Errorf("%.60s: %v, %v, want an error and no change", text, err, q)
		}
	}
	for _, q := range []settlement.Quantity{{}, {Amount: big.NewInt(-1)}} {
		if text, err := json.Marshal(q); err == nil {
			t.Errorf("%v is written as %s, want an error", q, text)
		}
	}
	q := settlement.Quantity{}
	if err := json.Unmarshal([]byte(`{"amount":"17","scale":2,"currency":"USD"}`), &q); err != nil || q.Amount.Int64() != 17 {
		t.Errorf("a field of somebody else: %v, %v", q, err)
	}
	long := strings.Repeat("9", 512)
	if err := json.Unmarshal([]byte(`{"amount":"`+long+`","scale":2}`), &q); err != nil || q.Amount.String() != long {
		t.Errorf("as many digits as there may be: %v, %v", q, err)
	}
}

// What an engine says and what it was told are the same sums.
func TestQuantityMoney(t *testing.T) {
	for _, v := range readVectors(t).ScaleConversion {
		var q settlement.Quantity
		if err := json.Unmarshal(fmt.Appendf(nil, `{"amount":%q,"scale":%d}`, v.Amount, v.FromScale), &q); err != nil {
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		unit := ilp.Asset{Code: "USD", Scale: v.ToScale}
		m, err := q.Money("k", unit)
		if err != nil {
			continue // package plugin tells which
		}
		if got := settlement.Of(m, unit); got.Amount.String() != v.Scaled || got.Scale != v.ToScale || m.Key != "k" || (m.Fraction == 0) != (v.RemainderAtFromScale == "0") {
			t.Errorf("%s: %v at scale %d, and a fraction of %d, want %s at %d and a remainder of %s", v.ID, got.Amount, got.Scale, m.Fraction, v.Scaled, v.ToScale, v.RemainderAtFromScale)
		}
	}
	if m, err := (settlement.Quantity{Scale: 9}).Money("k", ilp.Asset{}); err == nil {
		t.Errorf("no amount is %v, want an error", m)
	}
}

func FuzzQuantity(f *testing.F) {
	for _, v := range readVectors(f).Quantity {
		f.Add([]byte(v.JSON))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var q settlement.Quantity
		if q.UnmarshalJSON(text) != nil {
			return
		}
		written, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		var again settlement.Quantity
		if err := json.Unmarshal(written, &again); err != nil || again.Amount.Cmp(q.Amount) != 0 || again.Scale != q.Scale {
			t.Errorf("%v is written as %s, which is read as %v, %v", q, written, again, err)
		}
		if m, err := q.Money("k", ilp.Asset{Scale: 9}); err == nil && m.Fraction >= plugin.FractionsPerUnit {
			t.Errorf("%v is %+v", q, m)
		}
	})
}
