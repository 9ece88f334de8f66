package admin_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/testenv"
)

// The page shows amounts whole, however large, and takes what it shows.
func TestPageFormatsAmounts(t *testing.T) {
	node := testenv.NeedCommand(t, "node", "apt-get install -y --no-install-recommends nodejs")
	module := filepath.Join(t.TempDir(), "format.mjs")
	if err := os.WriteFile(module, must(os.ReadFile("page/format.js")), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ expression, want string }{
		{`amount("-1304099316495", 9)`, "−1\u202f304.099316495"},
		{`amount("18446744073709551615", 0)`, "18\u202f446\u202f744\u202f073\u202f709\u202f551\u202f615"},
		{`amount("5", 18)`, "0.000000000000000005"},
		{`amount("0", 9)`, "0.00"},
		{`amount("1500000000", 9)`, "1.50"},
		{`amount("7", 1)`, "0.7"},
		{`rounded("-1300419", 6)`, "−1.30"},
		{`rounded("-31", 6)`, "−0.000031"},
		{`rounded("99", 0)`, "99"},
		{`rounded("-7", 9)`, "−0.000000007"}, // not nothing
		{`rounded("0", 9)`, "0.00"},
		{`rounded("1999999999", 9)`, "1.99"},
		{`parse("-2.5", 6)`, "-2500000"},
		{`parse("−1\u202f304.1", 2)`, "-130410"},
		{`parse("18446744073709551615", 0)`, "18446744073709551615"},
		{`parse("2.500", 1)`, "25"},
		{`parse("2.505", 2)`, "null"}, // finer than a unit
		{`parse("1e3", 2)`, "null"},
		{`parse("", 2)`, "null"},
		{`parse(".5", 2)`, "null"},
		{`short("-Infinity", 2)`, "−∞"},
		{`short("-500000000", 6)`, "−500"},
		{`compact(1234567)`, "1.23M"},
		{`compact(0)`, "0"},
		{`rate("0.00086025")`, "0.00086025"},
		{`rate("860.975")`, "860.975"},
		{`rate("5504250.1")`, "5\u202f504\u202f250"},
		{`rate("1.8095e-7")`, "1.8095 e-7"},
		{`rate("1e12")`, "1.0000 e12"},
	}
	var expressions []string
	for _, c := range cases {
		expressions = append(expressions, "String("+c.expression+")")
	}
	script := `import { amount, compact, parse, rate, rounded, short } from "` + module + `";
		process.stdout.write(JSON.stringify([` + strings.Join(expressions, ",") + `]))`
	out, err := exec.Command(node, "--input-type=module", "--eval", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if got[i] != c.want {
			t.Errorf("%s gives %q, want %q", c.expression, got[i], c.want)
		}
	}
}
