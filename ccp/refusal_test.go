package ccp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// CCP-32, js-connector 23: what is refused, each for its own reason; and what
// was known of the prefix is forgotten, since it does not hold any more.
func TestReceiverRefuses(t *testing.T) {
	long := make([]string, ccp.MaxPathHops)
	for i := range long {
		long[i] = fmt.Sprintf("test.h%d", i)
	}
	for _, c := range []struct {
		name  string
		route *ccp.Route
		want  ccp.Refusal // -1: it is learnt
	}{
		{"a route", by("test.a"), -1},
		{"a longer one", by("test.a.b.c", "test.d", "test.e"), -1},
		{"the default route", by("test"), ccp.GlobalPrefixItself},
		{"another network", by("g.a"), ccp.OutsideGlobalPrefix},
		{"a network of similar name", by("test1.a"), ccp.OutsideGlobalPrefix},
		{"peer", by("peer.a"), ccp.OutsideGlobalPrefix},
		{"our address", by("test.connie"), ccp.OwnAddress},
		{"below our address", by("test.connie.x"), ccp.OwnAddress},
		{"an address of similar name", by("test.conniewood"), -1},
		{"above a child of ours", by("test.conni"), -1},
		{"a loop", by("test.a", "test.connie", "test.b"), ccp.Loop},
		{"a path through an address below ours", by("test.a", "test.connie.x"), -1},
		{"a connector twice", by("test.a", "test.b", "test.b"), ccp.PathRepeats},
		{"the speaker twice", by("test.a", "test.b", "test.usd"), ccp.PathRepeats},
		{"too many hops", by("test.a", long...), ccp.PathTooLong},
		{"as many as may be", by("test.a", long[1:]...), -1},
		{"too many bytes", by("test.a", "test."+strings.Repeat("x", 1000), "test."+strings.Repeat("y", 1000),
			"test."+strings.Repeat("z", 1000), "test."+strings.Repeat("1", 1000), "test."+strings.Repeat("2", 1000)), ccp.PathTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t)
			changes := r.Apply(start, news(0, 1, c.route, by("test.other")))
			var want ccp.Refusals
			expect := []string{"+test.other"}
			if c.want >= 0 {
				want[c.want] = 1
			} else {
				expect = append(expect, "+"+c.route.Prefix)
				slices.Sort(expect)
			}
			equal(t, said(changes), expect)
			equal(t, r.Status().Refused, want)
			if c.want < 0 && r.Status().Epoch != 1 {
				t.Error("the epoch has not moved")
			}
		})
	}
}

func TestReceiverForgetsWhatTurnsBad(t *testing.T) {
	r := newReceiver(t)
	r.Apply(start, news(0, 1, by("test.a"), by("test.b")))
	equal(t, said(r.Apply(start, news(1, 2, by("test.a", "test.connie")))), []string{"-test.a"})
	p := ilp.Prepare{ExpiresAt: start, Condition: ilp.PeerCondition, Destination: addr(ccp.UpdateDestination),
		Data: raw("test.usd", [][]string{{"test.b", "test.usd", "nonsense"}, {"test.c", "test.usd"}})}
	changes, reply := r.HandleUpdate(start, &p) // of another table, so test.b goes with the old one
	equal(t, said(changes), []string{"+test.c", "-test.b"})
	if ccp.OutcomeOf(reply, nil) != ccp.Fulfilled || r.Status().Refused[ccp.Malformed] != 1 {
		t.Errorf("%v, %+v", reply, r.Status())
	}
}

// A child may announce its own address and what is below it.
func TestReceiverWithin(t *testing.T) {
	r := newReceiver(t, func(o *ccp.ReceiverOptions) { o.Within = addr("test.connie.usd") })
	changes := r.Apply(start, news(0, 1, by("test.connie.usd"), by("test.connie.usd.x"), by("test.connie.usd2"), by("test.connie")))
	equal(t, said(changes), []string{"+test.connie.usd", "+test.connie.usd.x"})
	if r.Status().Refused[ccp.OwnAddress] != 2 {
		t.Errorf("%v", r.Status().Refused)
	}
}

// CCP-25, js-connector 23: the speaker cannot leave itself out of a path.
func TestReceiverPutsSpeakerFirst(t *testing.T) {
	r := newReceiver(t)
	r.Apply(start, news(0, 1, route("test.a"), route("test.b", "test.b"), by("test.c")))
	for prefix, want := range map[string][]ilp.Address{"test.a": path("test.usd"), "test.b": path("test.usd", "test.b"), "test.c": path("test.usd")} {
		if got, ok := r.Get(prefix); !ok || !slices.Equal(got.Path, want) {
			t.Errorf("the path to %s is %v, want %v", prefix, got, want)
		}
	}
	if r.Status().ForeignPaths != 2 {
		t.Errorf("%d foreign paths, want 2", r.Status().ForeignPaths)
	}
}

// The bound on routes refuses new prefixes, keeps those that are known, and is
// made up for when there is room.
func TestReceiverMaxRoutes(t *testing.T) {
	r := newReceiver(t, func(o *ccp.ReceiverOptions) { o.MaxRoutes = 16 })
	var routes []*ccp.Route
	for i := range 20 {
		routes = append(routes, by(fmt.Sprintf("test.p%02d", i)))
	}
	r.Apply(start, news(0, 20, routes...))
	if r.Len() != 16 || r.Status().Refused[ccp.TooManyRoutes] != 4 {
		t.Fatalf("%d routes, %v", r.Len(), r.Status().Refused)
	}
	equal(t, said(r.Apply(start, news(20, 21, by("test.p00", "test.x")))), []string{"+test.p00"})
	equal(t, said(r.Apply(start, news(21, 22, by("test.new")))), nil)
	if _, m := r.Poll(start.Add(10 * time.Second)); m != nil {
		t.Error("it asks for what it has no room for")
	}
	at := start.Add(20 * time.Second)
	equal(t, len(r.Apply(at, withdrawal(22, 25, "test.p01", "test.p02", "test.p03"))), 3)
	asks(t, r, at, ccp.Control{})
	equal(t, r.Len(), 13)
}

// Long paths count against the bound too.
func TestReceiverMaxMemory(t *testing.T) {
	r := newReceiver(t, func(o *ccp.ReceiverOptions) { o.MaxRoutes = 100 })
	for i := range uint32(100) {
		r.Apply(start, news(i, i+1, by(fmt.Sprintf("test.p%d", i), "test."+strings.Repeat("x", 1000), "test."+strings.Repeat("y", 1000))))
	}
	if r.Len() > 50 || r.Len() < 40 {
		t.Errorf("%d routes of 2 KiB where 100 KiB are allowed", r.Len())
	}
}

func TestRefusalNames(t *testing.T) {
	seen := make(map[string]bool)
	for i := range len(ccp.Refusals{}) {
		name := ccp.Refusal(i).String()
		if name == "" || seen[name] {
			t.Errorf("refusal %d is named %q", i, name)
		}
		seen[name] = true
	}
}
