package backend_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/interledger-go/connector/backend"
)

func TestParseRatio(t *testing.T) {
	zeros := strings.Repeat("0", backend.MaxRatioExponent)
	tests := []struct{ text, want string }{
		{"1", "1"},
		{"0", "0"},
		{"0.000", "0"},
		{"0/5", "0"},
		{"0e512", "0"},
		{"007", "7"},
		{"0.002", "1/500"},
		{"1.08", "27/25"},
		{"1.08e3", "1080"},
		{"1.08E+3", "1080"},
		{"1.3e-7", "13/100000000"},
		{"1e007", "10000000"},
		{"499/500", "499/500"},
		{"998/1000", "499/500"},
		{"1/010", "1/10"}, // decimal, whatever it begins with
		{"010/3", "10/3"},
		{"08/09", "8/9"},
		{"010", "10"},
		{"18446744073709551615", "18446744073709551615"},
		{"18446744073709551616", "18446744073709551616"},
		{"0.1000000000000000055511151231257827", "1000000000000000055511151231257827/10000000000000000000000000000000000"},
		{"1e512", "1" + zeros},
		{"1e-512", "1/1" + zeros},
		{strings.Repeat("0", 1023) + "7", "7"},
	}
	for _, test := range tests {
		r, err := backend.ParseRatio(test.text)
		if err != nil || r.String() != test.want {
			t.Errorf("ParseRatio(%q) = %v, %v; want %v", test.text, r, err, test.want)
			continue
		}
		canonical(t, r)
	}
}

func TestParseRatioRefuses(t *testing.T) {
	const form, exponent = "want a decimal number", "want an exponent between -512 and 512"
	tests := []struct{ text, says string }{
		{"", form},
		{" 1", form},
		{"1 ", form},
		{"1,08", form},
		{"1_000", form},
		{"-1", form},
		{"+1", form},
		{"-0", form},
		{".5", form},
		{"5.", form},
		{"1.e3", form},
		{"e3", form},
		{"1e", form},
		{"1e+", form},
		{"1e3.5", form},
		{"1e3e3", form},
		{"1.2.3", form},
		{"0x10", form},
		{"0b1", form},
		{"1p3", form},
		{"NaN", form},
		{"Inf", form},
		{"Infinity", form},
		{"/", form},
		{"1/", form},
		{"/1", form},
		{"1/2/3", form},
		{"1.5/2", form},
		{"1/2e3", form},
		{"1e3/2", form},
		{"1/-2", form},
		{"١", form}, // a digit, but not one of ours
		{"1\x00", form},
		{"1/0", "want a denominator other than 0"},
		{"0/0", "want a denominator other than 0"},
		{"1e513", exponent},
		{"1e-513", exponent},
		{"1e1000000000", exponent},
		{"0e99999999999999999999", exponent},
		{"1e-99999999999999999999", exponent},
		{strings.Repeat("1", 1025), "want at most 1024"},
	}
	for _, test := range tests {
		r, err := backend.ParseRatio(test.text)
		if err == nil || !r.IsZero() {
			t.Errorf("ParseRatio(%q) = %v, %v; want the zero Ratio and an error", test.text, r, err)
			continue
		}
		if !strings.Contains(err.Error(), test.says) || len(err.Error()) > 200 {
			t.Errorf("ParseRatio(%q): %q; want it short and saying %q", test.text, err, test.says)
		}
	}
}

func TestMustParseRatioPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("MustParseRatio took what is no ratio")
		}
	}()
	backend.MustParseRatio("1,08")
}

// schoolbook reads what ParseRatio has accepted digit by digit, as an
// independent second opinion.
func schoolbook(text string) *big.Rat {
	num, den, power := new(big.Int), big.NewInt(1), 0
	ten := big.NewInt(10)
	place := func(x *big.Int, c rune) { x.Add(x.Mul(x, ten), big.NewInt(int64(c-'0'))) }
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if top, bottom, ok := strings.Cut(mantissa, "/"); ok {
		mantissa, den = top, new(big.Int)
		for _, c := range bottom {
			place(den, c)
		}
	}
	point := false
	for _, c := range mantissa {
		if c == '.' {
			point = true
			continue
		}
		place(num, c)
		if point {
			power--
		}
	}
	sign, shift := 1, 0
	for _, c := range exponent {
		switch c {
		case '-':
			sign = -1
		case '+':
		default:
			shift = shift*10 + int(c-'0')
		}
	}
	for power += sign * shift; power > 0; power-- {
		num.Mul(num, ten)
	}
	for ; power < 0; power++ {
		den.Mul(den, ten)
	}
	return new(big.Rat).SetFrac(num, den)
}

func FuzzParseRatio(f *testing.F) {
	for _, text := range []string{
		"", "0", "1", "0.002", "1.08e3", "1.3E-7", "499/500", "0/1", "1/0", "-1", "+1", "1e512", "1e-513", "1e1000000000",
		"18446744073709551616/3", ".5", "5.", "NaN", "0x1p-2", "1_0", "1/010", "010/3", "010", "08/09", "00.10e01", strings.Repeat("9", 1024),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := backend.ParseRatio(text)
		if err != nil {
			if !r.IsZero() {
				t.Fatalf("ParseRatio(%q) = %v together with %v", text, r, err)
			}
			return
		}
		if want := schoolbook(text); r.Rat().Cmp(want) != 0 {
			t.Fatalf("ParseRatio(%q) = %v; want %v", text, r, want)
		}
		canonical(t, r)
		written := r.String()
		if len(written) > backend.MaxRatioLength {
			return
		}
		again, err := backend.ParseRatio(written)
		if err != nil || again.Cmp(r) != 0 {
			t.Fatalf("%q written as %q is read as %v, %v", text, written, again, err)
		}
	})
}

func TestAfterSpread(t *testing.T) {
	tests := []struct{ spread, want string }{
		{"", "1"},
		{"0", "1"},
		{"0.002", "499/500"},
		{"1/3", "2/3"},
		{"1e-7", "9999999/10000000"},
		{"0.999999999999999999", "1/1000000000000000000"},
		{"1e-30", strings.Repeat("9", 30) + "/1" + strings.Repeat("0", 30)},
	}
	for _, test := range tests {
		if got, err := backend.AfterSpread(test.spread); err != nil || got.String() != test.want {
			t.Errorf("AfterSpread(%q) = %v, %v; want %v", test.spread, got, err, test.want)
		}
	}
}

// The reference took any number here: above 1 the rate went negative and the
// amount, read as unsigned, enormous; NaN got through the validation.
func TestAfterSpreadRefuses(t *testing.T) {
	for _, spread := range []string{"1", "1.0", "1.5", "3/2", "100", "1e30", "-0.1", "NaN", "Infinity", "0.2%", "0,002", " "} {
		r, err := backend.AfterSpread(spread)
		if err == nil || !r.IsZero() {
			t.Errorf("AfterSpread(%q) = %v, %v; want the zero Ratio and an error", spread, r, err)
			continue
		}
		for _, says := range []string{"spread", "want at least 0 and less than 1, such as 0.002"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("AfterSpread(%q): %q does not say %q", spread, err, says)
			}
		}
	}
}
