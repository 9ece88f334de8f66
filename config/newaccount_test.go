package config_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// An account is replaced by one that listens in the same place for the same
// token, and is there again if that fails.
func TestReplaceAccount(t *testing.T) {
	a := build(t, mustLoad(t, `CONNECTOR_ACCOUNTS={"alice": `+listening("alice")+`, "sink": `+record(`"relation": "child"`)+`}`))
	start(t, a)
	replace := func(id, record string, replaced bool) {
		t.Helper()
		if got, err := a.ReplaceAccount(t.Context(), id, []byte(record)); err != nil || got != replaced {
			t.Fatalf("%s: %v, %v; want %v", id, got, err, replaced)
		}
	}
	most := func(id string) uint64 {
		account, _ := a.Connector.Account(id)
		return account.MaxPacketAmount
	}
	replace("new", listening("new"), false)
	for _, id := range []string{"alice", "new"} { // of the plan, and not
		for n := uint64(50); n < 52; n++ {
			replace(id, listening(id, fmt.Sprintf(`"maxPacketAmount": "%d"`, n)), true)
			if most(id) != n {
				t.Errorf("%s takes %d, want %d", id, most(id), n)
			}
			link, _ := dial(t, a, anywhere, id)
			if err := pay(t, link, "test.connie.sink"); err != nil {
				t.Errorf("%s: %v", id, err)
			}
			link.Close()
		}
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for id, wrong := range map[string]string{
		"alice": record(`"plugin": "btp"`, `"options": {"listener": {"host": "127.0.0.1", "port": `+port+`, "secret": "x"}}`),
		"new":   record(`"plugin": "lopback"`),
	} {
		if _, err := a.ReplaceAccount(t.Context(), id, []byte(wrong)); err == nil {
			t.Errorf("%s is replaced by what cannot be", id)
		}
		if most(id) != 51 {
			t.Errorf("%s is not as before: it takes %d", id, most(id))
		}
		dial(t, a, anywhere, id)
	}
}

// What was added while the connector runs becomes a part of the configuration
// that has it, and is compared with that; what a configuration has as before
// stays as it was replaced.
func TestApplyAdoptsWhatWasAdded(t *testing.T) {
	sink := `"sink": ` + record(`"relation": "child"`)
	a := build(t, mustLoad(t, `CONNECTOR_ACCOUNTS={`+sink+`}`))
	start(t, a)
	for id, record := range map[string]string{"alice": listening("alice"), "bob": listening("bob"), "sink": record(`"relation": "child"`, `"maxPacketAmount": "50"`)} {
		if _, err := a.ReplaceAccount(t.Context(), id, []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	_, alice := dial(t, a, anywhere, "alice")
	_, bob := dial(t, a, anywhere, "bob")
	apply := func(want string, members ...string) {
		t.Helper()
		changes, err := a.Apply(t.Context(), mustLoad(t, `CONNECTOR_ACCOUNTS={`+strings.Join(members, ", ")+`}`))
		if err != nil || changes.String() != want {
			t.Errorf("%v, %v; want %s", changes, err, want)
		}
	}
	apply("nothing", sink)
	apply("nothing", sink, `"alice": `+listening("alice"), `"bob": `+listening("bob"))
	if sink, _ := a.Connector.Account("sink"); sink.MaxPacketAmount != 50 {
		t.Error("what was replaced is not as it was")
	}
	if len(alice.down)+len(bob.down) > 0 {
		t.Error("the link of an account that was only adopted went down")
	}
	apply("removed bob; changed alice", sink, `"alice": `+listening("alice", `"maxPacketAmount": "7"`))
	<-alice.down
	<-bob.down
	apply("changed sink", `"sink": `+record(`"relation": "child"`, `"maxPacketAmount": "60"`), `"alice": `+listening("alice", `"maxPacketAmount": "7"`))

	// One that is gone again is none that could be adopted.
	if _, err := a.ReplaceAccount(t.Context(), "bob", []byte(listening("bob"))); err != nil {
		t.Fatal(err)
	}
	if err := a.Connector.RemoveAccount(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	apply("added bob; removed alice", `"sink": `+record(`"relation": "child"`, `"maxPacketAmount": "60"`), `"bob": `+listening("bob"))
	dial(t, a, anywhere, "bob")
}
