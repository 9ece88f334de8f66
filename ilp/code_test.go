package ilp_test

import (
	"slices"
	"testing"

	"github.com/interledger-go/connector/ilp"
)

func TestCodes(t *testing.T) { // ILP4-50 and the table of codes
	want := []struct {
		code ilp.Code
		name string
	}{
		{"F00", "Bad Request"},
		{"F01", "Invalid Packet"},
		{"F02", "Unreachable"},
		{"F03", "Invalid Amount"},
		{"F04", "Insufficient Destination Amount"},
		{"F05", "Wrong Condition"},
		{"F06", "Unexpected Payment"},
		{"F07", "Cannot Receive"},
		{"F08", "Amount Too Large"},
		{"F99", "Application Error"},
		{"T00", "Internal Error"},
		{"T01", "Peer Unreachable"},
		{"T02", "Peer Busy"},
		{"T03", "Connector Busy"},
		{"T04", "Insufficient Liquidity"},
		{"T05", "Rate Limited"},
		{"T99", "Application Error"},
		{"R00", "Transfer Timed Out"},
		{"R01", "Insufficient Source Amount"},
		{"R02", "Insufficient Timeout"},
		{"R99", "Application Error"},
	}
	var all []ilp.Code
	for _, c := range want {
		all = append(all, c.code)
		if got := c.code.Name(); got != c.name {
			t.Errorf("%s is %q, want %q", c.code, got, c.name)
		}
		class := map[byte][3]bool{'F': {true, false, false}, 'T': {false, true, false}, 'R': {false, false, true}}[c.code[0]]
		if got := [3]bool{c.code.Final(), c.code.Temporary(), c.code.Relative()}; got != class {
			t.Errorf("%s is final, temporary, relative: %v", c.code, got)
		}
	}
	got := ilp.Codes()
	if !slices.Equal(got, all) {
		t.Errorf("the codes are %v, want %v", got, all)
	}
	got[0] = "X99"
	if ilp.Codes()[0] != ilp.F00BadRequest {
		t.Error("the list of codes is not the caller's own")
	}
}

func TestUnknownCodes(t *testing.T) { // ILP4-55
	for _, c := range []ilp.Code{"F09", "T98", "R03"} {
		if c.Name() != "" || c.Final() != (c[0] == 'F') || c.Temporary() != (c[0] == 'T') || c.Relative() != (c[0] == 'R') {
			t.Errorf("%s has the name %q or another class than its letter", c, c.Name())
		}
	}
	for _, c := range []ilp.Code{"", "F", "F0", "F000", "X00", "f00", "\x00\x00\x00"} {
		if c.Name() != "" || c.Final() || c.Temporary() || c.Relative() {
			t.Errorf("%q has the name %q or a class", c, c.Name())
		}
	}
}
