package account_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
)

func link() plugin.Plugin {
	end, _ := inproc.Pipe()
	return end
}

// good is an account without a fault.
func good(relation account.Relation) account.Account {
	return account.Account{ID: "bob", Relation: relation, Asset: ilp.Asset{Code: "USD", Scale: 9}, Plugin: link()}
}

func limits(minimum, maximum, threshold, to int64) *account.BalanceLimits {
	return &account.BalanceLimits{Minimum: minimum, Maximum: maximum, SettleThreshold: &threshold, SettleTo: to}
}

func TestValidateAcceptsWhatIsUsable(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(a *account.Account)
	}{
		{"nothing more", func(*account.Account) {}},
		{"the longest ID", func(a *account.Account) { a.ID, a.AddressSegment = strings.Repeat("é", 127)+"x", "bob" }},
		{"any ID of a child with a segment", func(a *account.Account) { a.ID, a.AddressSegment = "bob & sons", "bob" }},
		{"every character of a segment", func(a *account.Account) { a.AddressSegment = "Az09_~-" }},
		{"the largest scale", func(a *account.Account) { a.Asset.Scale = 255 }},
		{"the smallest scale", func(a *account.Account) { a.Asset.Scale = 0 }},
		{"an asset code that is not ASCII", func(a *account.Account) { a.Asset.Code = "€" }},
		{"the longest asset code", func(a *account.Account) { a.Asset.Code = strings.Repeat("c", account.MaxAssetCodeLength) }},
		{"the largest packet amount", func(a *account.Account) { a.MaxPacketAmount = math.MaxUint64 }},
		{"a rate limit", func(a *account.Account) { a.RateLimit = &account.RateLimit{RefillCount: 1} }},
		{"the shortest period", func(a *account.Account) {
			a.RateLimit = &account.RateLimit{RefillCount: 1, RefillPeriod: 100 * time.Millisecond}
		}},
		{"a capacity below the refill count", func(a *account.Account) { a.RateLimit = &account.RateLimit{RefillCount: 9, Capacity: 1} }},
		{"balance limits of nothing", func(a *account.Account) { a.Balance = &account.BalanceLimits{} }},
		{"balance without bounds", func(a *account.Account) {
			a.Balance = &account.BalanceLimits{Maximum: account.NoMaximum, Minimum: account.NoMinimum}
		}},
		{"settling to the threshold", func(a *account.Account) { a.Balance = limits(-10, 10, 5, 5) }},
		{"settling to the minimum", func(a *account.Account) { a.Balance = limits(-10, 10, -10, -10) }},
		{"settling to the maximum", func(a *account.Account) { a.Balance = limits(-10, 10, 0, 10) }},
		{"a threshold below the minimum", func(a *account.Account) { a.Balance = limits(-10, 10, -11, 0) }},
		{"nothing to settle to", func(a *account.Account) { a.Balance = &account.BalanceLimits{Maximum: -1, Minimum: -2} }},
		{"a throughput", func(a *account.Account) {
			a.Throughput = &account.Throughput{IncomingAmount: 1, RefillPeriod: 100 * time.Millisecond}
		}},
		{"the default throughput period", func(a *account.Account) { a.Throughput = &account.Throughput{OutgoingAmount: 1} }},
		{"the largest in flight", func(a *account.Account) { a.MaxInFlight = math.MaxInt }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := good(account.Child)
			c.change(&a)
			if err := a.Validate(); err != nil {
				t.Errorf("Validate = %v", err)
			}
		})
	}
	for _, r := range []account.Relation{account.Peer, account.Parent} {
		a := good(r)
		a.ID = "bob & sons" // only a child's is part of an address
		if err := a.Validate(); err != nil {
			t.Errorf("%s: Validate = %v", r, err)
		}
	}
}

// Each fault names its account and field, and says what would be right.
func TestValidateNamesEveryFault(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(a *account.Account)
		want   string // the field and what is said of it
	}{
		{"no ID", func(a *account.Account) { a.ID, a.AddressSegment = "", "bob" }, "ID: is empty: give the account a name"},
		{"ID too long", func(a *account.Account) { a.ID = strings.Repeat("a", 256) }, "ID: has 256 bytes: at most 255 are allowed"},
		{"no relation", func(a *account.Account) { a.Relation = 0 }, "Relation: is 0: it must be Parent, Peer or Child"},
		{"unknown relation", func(a *account.Account) { a.Relation = account.Parent + 1 }, "Relation: is 4: it must be"},
		{"negative relation", func(a *account.Account) { a.Relation = -1 }, "Relation: is -1: it must be"},
		{"no asset", func(a *account.Account) { a.Asset = ilp.Asset{} }, `Asset.Code: is empty: name the asset, such as "USD"`},
		{"asset too long", func(a *account.Account) { a.Asset.Code = strings.Repeat("c", 256) }, "Asset.Code: has 256 bytes: at most 255 are allowed"},
		{"asset not UTF-8", func(a *account.Account) { a.Asset.Code = "\xff" }, `Asset.Code: is "\xff": it must be UTF-8`},
		{"no plugin", func(a *account.Account) { a.Plugin = nil }, "Plugin: is nil: give the account its link"},
		{"segment of a peer", func(a *account.Account) { a.Relation, a.AddressSegment = account.Peer, "x" },
			`AddressSegment: is "x", but only a Child has an address under ours: leave it empty`},
		{"segment of a parent", func(a *account.Account) { a.Relation, a.AddressSegment = account.Parent, "x" },
			`AddressSegment: is "x", but only a Child`},
		{"two segments", func(a *account.Account) { a.AddressSegment = "a.b" }, `AddressSegment: is "a.b": a segment has letters, digits, _, ~ and - only`},
		{"segment not ASCII", func(a *account.Account) { a.AddressSegment = "é" }, "AddressSegment: is "},
		{"ID is no segment", func(a *account.Account) { a.ID = "bob & sons" }, "AddressSegment: is empty and the ID cannot stand in for it: set a segment"},
		{"negative in flight", func(a *account.Account) { a.MaxInFlight = -1 }, "MaxInFlight: is -1: it must be 0 (meaning 1000) or more"},
		{"negative routes", func(a *account.Account) { a.MaxRoutes = -1 }, "MaxRoutes: is -1: it must be 0 (meaning 100000) or more"},
		{"minimum above maximum", func(a *account.Account) { a.Balance = &account.BalanceLimits{Maximum: -1} },
			"Balance.Minimum: is 0, above Balance.Maximum, -1: it must not be"},
		{"threshold above what it settles to", func(a *account.Account) { a.Balance = limits(-10, 10, 6, 5) },
			"Balance.SettleThreshold: is 6, above Balance.SettleTo, 5: a settlement would take money back"},
		{"settling below the minimum", func(a *account.Account) { a.Balance = limits(-10, 10, -12, -11) },
			"Balance.SettleTo: is -11, below Balance.Minimum, -10: it must not be"},
		{"settling above the maximum", func(a *account.Account) { a.Balance = limits(-10, 10, 0, 11) },
			"Balance.SettleTo: is 11, above Balance.Maximum, 10: it must not be"},
		{"no refill", func(a *account.Account) { a.RateLimit = &account.RateLimit{} }, "RateLimit.RefillCount: is 0: it must be at least 1"},
		{"period too short", func(a *account.Account) {
			a.RateLimit = &account.RateLimit{RefillCount: 1, RefillPeriod: 100*time.Millisecond - 1}
		}, "RateLimit.RefillPeriod: is 99.999999ms: it must be 0 (meaning 1m0s) or at least 100ms"},
		{"throughput period too short", func(a *account.Account) {
			a.Throughput = &account.Throughput{RefillPeriod: 100*time.Millisecond - 1}
		}, "Throughput.RefillPeriod: is 99.999999ms: it must be 0 (meaning 1s) or at least 100ms"},
		{"negative period", func(a *account.Account) {
			a.RateLimit = &account.RateLimit{RefillCount: 1, RefillPeriod: -time.Hour}
		}, "RateLimit.RefillPeriod: is -1h0m0s: it must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := good(account.Child)
			c.change(&a)
			err := a.Validate()
			if err == nil {
				t.Fatal("Validate accepts it")
			}
			if want := fmt.Sprintf("account %q: %s", a.ID, c.want); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("the error is %q, want it to begin with %q", err, want)
			}
			if lines := strings.Count(err.Error(), "\n") + 1; lines != 1 {
				t.Errorf("the error has %d lines, want the one fault:\n%v", lines, err)
			}
		})
	}
}

// Validate says everything at once, in the order of the fields.
func TestValidateJoinsAllFaults(t *testing.T) {
	a := account.Account{
		ID: strings.Repeat("a", 300), Relation: 9, AddressSegment: "x", MaxInFlight: -1,
		RateLimit: &account.RateLimit{RefillPeriod: 1}, Balance: limits(3, 2, 1, 0),
	}
	err := a.Validate()
	if err == nil {
		t.Fatal("Validate accepts it")
	}
	var fields []string
	for line := range strings.Lines(err.Error()) {
		rest, ok := strings.CutPrefix(line, fmt.Sprintf("account %q: ", a.ID))
		if !ok {
			t.Errorf("%q does not begin with the account", line)
		}
		field, _, _ := strings.Cut(rest, ":")
		fields = append(fields, field)
	}
	want := []string{"ID", "Relation", "Asset.Code", "Plugin", "AddressSegment", "MaxInFlight",
		"Balance.Minimum", "Balance.SettleThreshold", "Balance.SettleTo", "RateLimit.RefillCount", "RateLimit.RefillPeriod"}
	if !slices.Equal(fields, want) {
		t.Errorf("the faults are of %v, want %v", fields, want)
	}
}

// What Validate accepts of a child is a segment that an address can have.
func TestSegmentOfAGoodChildIsPartOfAnAddress(t *testing.T) {
	for _, ids := range [][2]string{{"bob", ""}, {"bob & sons", "bob"}, {"a", "b"}, {"~_-", ""}} {
		a := good(account.Child)
		a.ID, a.AddressSegment = ids[0], ids[1]
		if err := a.Validate(); err != nil {
			t.Fatal(err)
		}
		if _, err := ilp.MustParseAddress("test.connie").Child(a.Segment()); err != nil {
			t.Errorf("ID %q, AddressSegment %q: %v", a.ID, a.AddressSegment, err)
		}
	}
}

// CCP-30: routes are exchanged with peers and parents, with children on request.
func TestRouteExchange(t *testing.T) {
	for _, c := range []struct {
		relation account.Relation
		set      *bool
		want     bool
	}{
		{account.Peer, nil, true}, {account.Parent, nil, true}, {account.Child, nil, false},
		{account.Peer, new(false), false}, {account.Parent, new(false), false}, {account.Child, new(true), true},
	} {
		a := account.Account{Relation: c.relation, SendRoutes: c.set}
		if got := a.SendsRoutes(); got != c.want {
			t.Errorf("SendsRoutes of a %s = %t, want %t", c.relation, got, c.want)
		}
		a = account.Account{Relation: c.relation, ReceiveRoutes: c.set}
		if got := a.ReceivesRoutes(); got != c.want {
			t.Errorf("ReceivesRoutes of a %s = %t, want %t", c.relation, got, c.want)
		}
	}
}

func TestSegment(t *testing.T) {
	for _, c := range []struct{ id, segment, want string }{
		{"bob", "", "bob"},
		{"bob", "robert", "robert"},
	} {
		a := account.Account{ID: c.id, AddressSegment: c.segment}
		if got := a.Segment(); got != c.want {
			t.Errorf("Segment of %q with %q = %q, want %q", c.id, c.segment, got, c.want)
		}
	}
}

func TestBalanceLimitsString(t *testing.T) {
	for _, c := range []struct {
		limits *account.BalanceLimits
		want   string
	}{
		{&account.BalanceLimits{Minimum: -50, Maximum: 100}, "-50 to 100"},
		{&account.BalanceLimits{Minimum: account.NoMinimum, Maximum: account.NoMaximum}, "-Infinity to Infinity"},
		{limits(-50, 100, -20, 10), "-50 to 100, below -20 settle to 10"},
	} {
		if got := c.limits.String(); got != c.want {
			t.Errorf("String = %q, want %q", got, c.want)
		}
	}
}
