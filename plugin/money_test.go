package plugin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// SE-12: what is converted truncates, and what is cut off remains.
func TestNewMoneyVectors(t *testing.T) {
	file, err := os.ReadFile("testdata/settlement.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Conversions []struct {
			ID, Amount, Scaled   string
			FromScale, ToScale   uint8
			RemainderAtFromScale string
		} `json:"scale_conversion"`
	}
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Conversions) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, v := range vectors.Conversions {
		t.Run(v.ID, func(t *testing.T) {
			scaled, rest := number(t, v.Scaled), number(t, v.RemainderAtFromScale)
			m, err := plugin.NewMoney("k", number(t, v.Amount), v.FromScale, ilp.Asset{Code: "USD", Scale: v.ToScale})
			// What does not fit is refused: a settlement cannot be booked in part.
			fits := scaled.IsUint64() && (rest.Sign() == 0 || int(v.FromScale)-int(v.ToScale) <= 18)
			if (err == nil) != fits {
				t.Fatalf("NewMoney gives %v, want it to fit: %v", err, fits)
			}
			if err != nil {
				return
			}
			fraction := new(big.Int)
			if finer := int64(v.FromScale) - int64(v.ToScale); finer > 0 {
				fraction.Mul(rest, new(big.Int).Exp(big.NewInt(10), big.NewInt(18-finer), nil))
			}
			if m.Amount != scaled.Uint64() || m.Fraction != fraction.Uint64() || m.Key != "k" {
				t.Errorf("NewMoney gives %+v, want %v and a fraction of %v", m, scaled, fraction)
			}
		})
	}
}

func number(t testing.TB, digits string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		t.Fatalf("%q is no number", digits)
	}
	return n
}

func TestNewMoney(t *testing.T) {
	for _, test := range []struct {
		name, amount   string
		scale, unit    uint8
		whole, between uint64
		err            string
	}{
		{"SE-11", "254", 2, 0, 2, 540_000_000_000_000_000, ""},
		{"SE-12", "905", 11, 9, 9, 50_000_000_000_000_000, ""},
		{"a coarser scale", "7", 2, 9, 70_000_000, 0, ""},
		{"more than 64 bits of a finer unit", "20000000000000000001", 18, 9, 20_000_000_000, 1_000_000_000, ""},
		{"the smallest fraction", "1", 18, 0, 0, 1, ""},
		{"the largest", "18446744073709551615999999999999999999", 27, 9, math.MaxUint64, plugin.FractionsPerUnit - 1, ""},
		{"more", "18446744073709551616000000000000000000", 27, 9, 0, 0, "more than 64 bits"},
		{"more by a coarser scale", "18446744074", 0, 9, 0, 0, "more than 64 bits"},
		{"finer, with zeros", "7" + strings.Repeat("0", 237), 255, 0, 0, 7, ""},
		{"finer", "70", 29, 9, 0, 0, "a part below 10^-18"},
		{"negative", "-1", 9, 9, 0, 0, "must be at least 0"},
	} {
		m, err := plugin.NewMoney("k", number(t, test.amount), test.scale, ilp.Asset{Code: "USD", Scale: test.unit})
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || m != (plugin.Money{}) {
				t.Errorf("%s: %+v, %v, want an error with %q", test.name, m, err, test.err)
			}
			continue
		}
		if want := (plugin.Money{Amount: test.whole, Fraction: test.between, Key: "k"}); err != nil || m != want {
			t.Errorf("%s: %+v, %v, want %+v", test.name, m, err, want)
		}
	}
	if _, err := plugin.NewMoney("k", nil, 0, ilp.Asset{}); err == nil {
		t.Error("an amount that is missing is taken")
	}
}

func TestMoneyString(t *testing.T) {
	for _, test := range []struct {
		money plugin.Money
		want  string
	}{
		{plugin.Money{Amount: 10, Key: "k"}, `10 under "k"`},
		{plugin.Money{Amount: 2, Fraction: plugin.FractionsPerUnit / 2, Key: "\x00"}, `2.5 under "\x00"`},
		{plugin.Money{Fraction: 30}, `0.00000000000000003 under ""`},
	} {
		if got := test.money.String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// What NewMoney gives is the amount, exactly, or an error.
func FuzzNewMoney(f *testing.F) {
	f.Add([]byte{9, 5}, uint8(11), uint8(9))
	f.Add([]byte{1}, uint8(0), uint8(255))
	f.Add([]byte{1}, uint8(255), uint8(0))
	f.Add([]byte(strings.Repeat("\xff", 16)), uint8(27), uint8(9))
	f.Fuzz(func(t *testing.T, amount []byte, scale, unit uint8) {
		if len(amount) > 200 {
			return
		}
		n := new(big.Int).SetBytes(amount)
		m, err := plugin.NewMoney("k", n, scale, ilp.Asset{Scale: unit})
		if err != nil {
			return
		}
		got := new(big.Rat).SetFrac(new(big.Int).SetUint64(m.Fraction), big.NewInt(plugin.FractionsPerUnit))
		got.Add(got, new(big.Rat).SetInt(new(big.Int).SetUint64(m.Amount)))
		got.Quo(got, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(unit)), nil)))
		want := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		if m.Fraction >= plugin.FractionsPerUnit || got.Cmp(want) != 0 {
			t.Errorf("%v at scale %d is %+v at scale %d", n, scale, m, unit)
		}
	})
}

// What is written of a settlement is what NewMoney reads, digit by digit.
func TestMoneyQuantity(t *testing.T) {
	for _, test := range []struct {
		money  plugin.Money
		unit   uint8
		amount string
		scale  uint8
	}{
		{plugin.Money{}, 9, "0", 9},
		{plugin.Money{Amount: 7}, 0, "7", 0},
		{plugin.Money{Amount: 700}, 255, "700", 255},
		{plugin.Money{Amount: 7, Fraction: 250_000_000_000_000_000}, 9, "725", 11},
		{plugin.Money{Fraction: 1}, 237, "1", 255},
		{plugin.Money{Fraction: 100}, 239, "1", 255},
		{plugin.Money{Amount: math.MaxUint64, Fraction: plugin.FractionsPerUnit - 1}, 2, "18446744073709551615999999999999999999", 20},
	} {
		test.money.Key = "k"
		unit := ilp.Asset{Code: "USD", Scale: test.unit}
		amount, scale, err := test.money.Quantity(unit)
		if err != nil || amount.String() != test.amount || scale != test.scale {
			t.Errorf("%v in %v: %v at scale %d, %v; want %s at %d", test.money, unit, amount, scale, err, test.amount, test.scale)
			continue
		}
		if again, err := plugin.NewMoney("k", amount, scale, unit); err != nil || again != test.money {
			t.Errorf("%v in %v comes back as %v, %v", test.money, unit, again, err)
		}
	}
	if _, _, err := (plugin.Money{Fraction: 1, Key: "k"}).Quantity(ilp.Asset{Code: "USD", Scale: 238}); err == nil || !strings.Contains(err.Error(), "a scale of 256") {
		t.Errorf("a scale of 256: %v", err)
	}
}

// SE-55: whoever is told that a key was used before can go on from what it
// stands for.
func TestKeyReusedError(t *testing.T) {
	first := plugin.Money{Amount: 7, Key: "k"}
	err := fmt.Errorf("ledger: %w", &plugin.KeyReusedError{First: first})
	if found, ok := errors.AsType[*plugin.KeyReusedError](err); !ok || found.First != first || !errors.Is(err, plugin.ErrKeyReused) {
		t.Errorf("%v is %v, want ErrKeyReused with %v", err, found, first)
	}
	if want := `ledger: plugin: the key is that of a settlement of another amount: first it was 7 under "k"`; err.Error() != want {
		t.Errorf("it says %q, want %q", err, want)
	}
}
