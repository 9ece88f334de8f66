package config_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/store/boltstore"
)

// build builds a plan, and closes it when the test ends.
func build(t *testing.T, plan *config.Plan) *config.Assembly {
	t.Helper()
	a, err := plan.Build(t.Context(), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// start runs an assembly until the test ends.
func start(t *testing.T, a *config.Assembly) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// states tells when a link comes up and goes down.
type states struct {
	plugin.Handler
	up, down chan struct{}
}

func newStates() states { return states{up: make(chan struct{}, 100), down: make(chan struct{}, 100)} }

// HandlePrepare refuses whatever is sent: these counterparties only pay.
func (s states) HandlePrepare(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
	r.Reply(ctx, &ilp.Reject{Code: ilp.F02Unreachable})
}

func (s states) HandleState(connected bool, _ error) {
	if connected {
		s.up <- struct{}{}
	} else {
		s.down <- struct{}{}
	}
}

// dial joins a listener of a as its client, and waits until it is connected.
func dial(t *testing.T, a *config.Assembly, address, token string) (*btp.Client, states) {
	t.Helper()
	addr := a.ListenAddr(address)
	if addr == nil {
		t.Fatalf("nobody listens on %s", address)
	}
	client := btp.NewClient(btp.ClientOptions{URL: "btp+ws://:" + token + "@" + addr.String(), MinBackoff: time.Hour, MaxBackoff: time.Hour})
	s := newStates()
	if err := client.Open(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	<-s.up
	return client, s
}

// paid counts packets, so that none is a duplicate of another.
var paid atomic.Uint64

// pay sends a packet that a loopback link fulfills.
func pay(t *testing.T, link plugin.Plugin, to string) error {
	t.Helper()
	_, err := plugin.Call(t.Context(), link, &ilp.Prepare{
		Amount: 10, Destination: ilp.MustParseAddress(to), Condition: ilp.PeerCondition, ExpiresAt: time.Now().Add(time.Minute),
		Data: fmt.Append(nil, paid.Add(1)),
	})
	return err
}

const anywhere = "127.0.0.1:0"

// listening is an account whose counterparty dials.
func listening(token string, more ...string) string {
	return record(append(more, `"plugin": "btp"`, `"options": {"listener": {"host": "127.0.0.1", "port": 0, "secret": "`+token+`"}}`)...)
}

func TestAssemblyForwards(t *testing.T) {
	a := build(t, mustLoad(t, `CONNECTOR_ACCOUNTS={"alice": `+listening("alice")+`, "sink": `+record(`"relation": "child"`)+`}`))
	start(t, a)
	alice, _ := dial(t, a, anywhere, "alice")
	if err := pay(t, alice, "test.connie.sink"); err != nil {
		t.Error(err)
	}
}

// What changes is what differs: the link of an account that is the same stays
// up, while others come, go and change.
func TestApply(t *testing.T) {
	env := func(members ...string) *config.Plan {
		return mustLoad(t, `CONNECTOR_ACCOUNTS={`+strings.Join(members, ", ")+`}`)
	}
	alice, sink := `"alice": `+listening("alice"), `"sink": `+record(`"relation": "child"`)
	a := build(t, env(alice, sink, `"old": `+record(`"relation": "child"`)))
	start(t, a)
	link, s := dial(t, a, anywhere, "alice")

	changes, err := a.Apply(t.Context(), env(alice, `"sink": `+record(`"relation": "child"`, `"options": {"reject": "F99"}`), `"new": `+record(`"relation": "child"`)))
	if err != nil {
		t.Fatal(err)
	}
	if got := changes.String(); got != "added new; removed old; changed sink" {
		t.Errorf("the changes are %s", got)
	}
	if err := pay(t, link, "test.connie.new"); err != nil {
		t.Errorf("to the new account: %v", err)
	}
	for to, code := range map[string]ilp.Code{"test.connie.sink": "F99", "test.connie.old": ilp.F02Unreachable} {
		var reject *ilp.Reject
		if err := pay(t, link, to); !errors.As(err, &reject) || reject.Code != code {
			t.Errorf("to %s: %v, want %s", to, err, code)
		}
	}
	select {
	case <-s.down:
		t.Error("the link of an account that was not changed went down")
	default:
	}

	next := mustLoad(t, `CONNECTOR_ACCOUNTS={`+alice+`, "new": `+record(`"relation": "child"`)+`}`, `CONNECTOR_ROUTES=[{"targetPrefix": "test.far", "peerId": "new"}]`, "CONNECTOR_MAX_HOLD_TIME=20000", "CONNECTOR_LOG_LEVEL=debug")
	changes, err = a.Apply(t.Context(), next)
	if err != nil || !changes.Routes || fmt.Sprint(changes.Restart) != "[maxHoldTime]" {
		t.Errorf("%v, %v", changes, err)
	}
	if err := pay(t, link, "test.far.away"); err != nil {
		t.Errorf("by the new route: %v", err)
	}
	if changes, err := a.Apply(t.Context(), next); err != nil || changes.String() != "restart needed for maxHoldTime" {
		t.Errorf("again: %v, %v: what runs is still another", changes, err)
	}
}

// A secret that changes in its file changes the account.
func TestApplySeesSecretsThatChange(t *testing.T) {
	contents := map[string]string{"/token": "one"}
	source := config.Source{ReadFile: files(contents), Environ: environ(
		accounts(`"plugin": "btp"`, `"options": {"listener": {"host": "127.0.0.1", "port": 0, "secret": {"file": "/token"}}}`))}
	plan, err := config.Builtins().Load(source)
	if err != nil {
		t.Fatal(err)
	}
	a := build(t, plan)
	start(t, a)
	contents["/token"] = "two"
	next, err := config.Builtins().Load(source)
	if err != nil {
		t.Fatal(err)
	}
	if changes, err := a.Apply(t.Context(), next); err != nil || changes.String() != "changed bob" {
		t.Fatalf("%v, %v", changes, err)
	}
	dial(t, a, anywhere, "two")
}

// What can fail before anything has changed does: the rest of the plan is not
// applied either.
func TestApplyThatCannotListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	a := build(t, mustLoad(t))
	start(t, a)
	_, err = a.Apply(t.Context(), mustLoad(t, `CONNECTOR_ACCOUNTS={"other": `+record()+`,
		"new": `+record(`"plugin": "btp"`, `"options": {"listener": {"host": "127.0.0.1", "port": `+port+`, "secret": "x"}}`)+`}`))
	if err == nil || !strings.Contains(err.Error(), "cannot listen on 127.0.0.1:"+port) {
		t.Errorf("the error is %v", err)
	}
	if got := accountIDs(a); got != "bob" {
		t.Errorf("the accounts are %s", got)
	}
}

// An account whose new form cannot be added is there again as it was.
func TestChangeThatFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	a := build(t, mustLoad(t, accounts(`"relation": "child"`)))
	start(t, a)
	next := mustLoad(t, accounts(`"plugin": "btp"`, `"options": {"listener": {"host": "127.0.0.1", "port": `+port+`, "secret": "x"}}`))
	_, err = a.Apply(t.Context(), next)
	if err == nil || !strings.Contains(err.Error(), "is as before") {
		t.Errorf("the error is %v", err)
	}
	if got := accountIDs(a); got != "bob" {
		t.Errorf("the accounts are %s", got)
	}
	if got := a.Plan().Config().Accounts; len(got) != 1 {
		t.Errorf("the accounts of the plan are %v", got)
	}

	// When the port is free, the same plan changes the account.
	taken.Close()
	if changes, err := a.Apply(t.Context(), next); err != nil || changes.String() != "changed bob" {
		t.Errorf("again: %v, %v", changes, err)
	}
}

func accountIDs(a *config.Assembly) string {
	var ids []string
	for _, status := range a.Connector.Accounts() {
		ids = append(ids, status.ID)
	}
	return strings.Join(ids, ", ")
}

// Two processes never share one store on disk.
func TestStoreInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	plan := mustLoad(t, "CONNECTOR_STORE_PATH="+path, `CONNECTOR_STORE_CONFIG={"lockTimeout": 1}`)
	build(t, plan)
	_, err := plan.Build(t.Context(), config.Options{})
	if !errors.Is(err, boltstore.ErrInUse) {
		t.Errorf("the error is %v", err)
	}
}

// The data directory of leveldown holds the file.
func TestStoreInDirectory(t *testing.T) {
	dir := t.TempDir()
	build(t, mustLoad(t, "CONNECTOR_STORE=leveldown", "CONNECTOR_STORE_PATH="+dir))
	if files, err := filepath.Glob(filepath.Join(dir, "connector.db*")); err != nil || len(files) == 0 {
		t.Errorf("there is no file in the directory: %v, %v", files, err)
	}
}

func TestNewAccount(t *testing.T) {
	a := build(t, mustLoad(t))
	start(t, a)
	_, err := a.NewAccount(t.Context(), "new", []byte(`{"relation": "peer", "plugin": "btp", "assetCode": "USD", "options": {"server": {"file": "/etc/passwd"}}}`))
	wantFaults(t, err, "accounts.new.assetScale: is missing", "accounts.new.options.server: only possible in a configuration that is read")
	_, err = a.NewAccount(t.Context(), "new", []byte(`{`))
	wantFaults(t, err, "accounts.new: is not JSON")
	made, err := a.NewAccount(t.Context(), "new", []byte(record(`"deduplicate": {"packetLifetime": 5}`)))
	if err != nil {
		t.Fatal(err)
	}
	if name := a.PluginName(made); name != "loopback" {
		t.Errorf("the plugin is %q", name)
	}
	if err := a.Connector.AddAccount(t.Context(), made); err != nil {
		t.Error(err)
	}
	if name := a.PluginName(connector.Account{ID: "bob"}); name != "loopback" {
		t.Errorf("the plugin of bob is %q", name)
	}
}

// The rate limit of the reference is that of an account that sets none.
func TestDefaultRateLimit(t *testing.T) {
	explained := mustLoad(t).Explain()
	if !strings.Contains(explained, "10000 packets per 1m0s, 10000 at once") {
		t.Errorf("got\n%s", explained)
	}
}
