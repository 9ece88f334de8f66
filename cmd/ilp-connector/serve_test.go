package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// client is a counterparty that dials.
type client struct {
	*btp.Client
	up, down chan struct{}
}

func (c *client) HandlePrepare(ctx context.Context, _ *ilp.Prepare, r plugin.Responder) {
	r.Reply(ctx, &ilp.Reject{Code: ilp.F02Unreachable})
}
func (c *client) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	r.Fail(ctx, err)
}
func (c *client) HandleMoney(context.Context, plugin.Money) error { return errors.ErrUnsupported }
func (c *client) HandleState(connected bool, _ error) {
	if connected {
		c.up <- struct{}{}
	} else {
		c.down <- struct{}{}
	}
}

// join dials the listener of a process.
func join(t *testing.T, address, token string) *client {
	t.Helper()
	c := &client{up: make(chan struct{}, 100), down: make(chan struct{}, 100)}
	c.Client = btp.NewClient(btp.ClientOptions{URL: "btp+ws://:" + token + "@" + address})
	if err := c.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	<-c.up
	return c
}

// pay sends a packet that a loopback link fulfills, and gives the error.
func (c *client) pay(to string) error { return <-c.send(to) }

// sent makes packets differ from one another.
var sent atomic.Uint64

// send sends such a packet, and gives what comes of it. Packets of one client
// are read in the order of the calls.
func (c *client) send(to string) <-chan error {
	outcome := make(chan error, 1)
	prepare := &ilp.Prepare{
		Amount: 10, Destination: ilp.MustParseAddress(to), Condition: ilp.PeerCondition, ExpiresAt: time.Now().Add(patience),
		Data: fmt.Append(nil, sent.Add(1)),
	}
	c.SendPrepare(context.Background(), prepare, plugin.NewResponder(plugin.ReplyFunc(func(_ context.Context, reply ilp.Reply, err error) {
		if reject, ok := reply.(*ilp.Reject); ok {
			clone := reject.Clone()
			err = &clone
		}
		outcome <- err
	}), 0))
	return outcome
}

const (
	runs      = `msg="connector runs"`
	listening = `msg=listening address=(\S+)`
)

// A packet that is in flight when SIGTERM comes is answered before the
// process ends.
func TestTerminationDrains(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			path := configuration(t, "", `"alice": `+listener("alice"), `"slow": `+record("child", "loopback", `{"delay": 1000}`))
			p := launch(t, []string{"CONNECTOR_DRAIN_TIMEOUT=100s"}, "-config", path)
			p.says(runs)
			alice := join(t, p.says(listening), "alice")
			paid := alice.send("test.connie.slow")
			if err := alice.pay("test.connie.nobody"); err == nil { // so the one before it has been read
				t.Error("a packet to nobody was fulfilled")
			}
			p.signal(signal)
			if err := <-paid; err != nil {
				t.Errorf("the packet in flight: %v", err)
			}
			p.exits(exitOK)
		})
	}
}

// A second signal does not wait for what the first one waits for.
func TestSecondSignal(t *testing.T) {
	path := configuration(t, "", `"alice": `+listener("alice"), `"slow": `+record("child", "loopback", `{"delay": 600000}`))
	p := launch(t, []string{"CONNECTOR_DRAIN_TIMEOUT=1000s", "CONNECTOR_MAX_HOLD_TIME=1000s"}, "-config", path)
	p.says(runs)
	alice := join(t, p.says(listening), "alice")
	alice.send("test.connie.slow")
	if err := alice.pay("test.connie.nobody"); err == nil { // so the one before it has been read
		t.Error("a packet to nobody was fulfilled")
	}
	p.signal(syscall.SIGTERM)
	p.says("stopping")
	p.signal(syscall.SIGTERM)
	p.exits(exitFailure)
	p.says("a second signal")
}

// SIGHUP adds, removes and changes accounts; the link of another stays up. A
// file that is wrong changes nothing.
func TestReload(t *testing.T) {
	alice, sink := `"alice": `+listener("alice"), `"sink": `+record("child", "loopback", "{}")
	path := configuration(t, "", alice, sink, `"old": `+record("child", "loopback", "{}"))
	p := launch(t, nil, "-config", path)
	p.says(runs)
	link := join(t, p.says(listening), "alice")

	configuration(t, path, alice, `"sink": `+record("child", "loopback", `{"reject": "F99"}`), `"new": `+record("child", "loopback", "{}"))
	p.signal(syscall.SIGHUP)
	p.says(`read again" changes="added new; removed old; changed sink"`)
	p.signal(syscall.SIGHUP)
	p.says(`changes=nothing`)
	for note, want := range map[string]int{"accounts.new has no balance": 1, "accounts.alice has no balance": 1} {
		if got := strings.Count(p.output(), note); got != want {
			t.Errorf("it says %d times that %s, want %d:\n%s", got, note, want, p.output())
		}
	}
	want := func(to string, code ilp.Code) {
		t.Helper()
		err := link.pay(to)
		var reject *ilp.Reject
		if errors.As(err, &reject); code == "" && err != nil || code != "" && (reject == nil || reject.Code != code) {
			t.Errorf("to %s: %v, want %q", to, err, code)
		}
	}
	want("test.connie.new", "")
	want("test.connie.sink", "F99")
	want("test.connie.old", ilp.F02Unreachable)

	if err := os.WriteFile(path, []byte(`{"ilpAddress": "test.connie", "acounts": {}, "spread": 7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.says(`did you mean accounts\?`)
	p.says(`less than 1`)
	want("test.connie.new", "")
	if len(link.down) > 0 {
		t.Error("the link of an account that was not changed went down")
	}
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
}

// SIGHUP applies what it can while the connector runs, says by name what it
// cannot, and shows no token.
func TestReloadOfOtherKeys(t *testing.T) {
	const former, next, read = "s3cr3t-that-comes-first", "s3cr3t-that-comes-next", "s3cr3t-that-may-look"
	path, token := filepath.Join(t.TempDir(), "connector.json"), filepath.Join(t.TempDir(), "token")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure := func(more string) {
		t.Helper()
		write(path, `{"ilpAddress": "test.connie", "backend": "one-to-one", "adminApi": true, "adminApiPort": 0, "accounts": {"up": `+record("peer", "loopback", "{}")+`}, `+more+`}`)
	}
	asksWith := func(p *process, code int, text string, args ...string) string {
		t.Helper()
		write(token, text+"\n")
		address := p.says(`the admin API listens" address=(\S+)`)
		return asks(t, code, []string{"-admin", "http://" + address, "-token-file", token}, args[0], args[1:]...)
	}
	configure(`"adminApiToken": "` + former + `"`)
	p := launch(t, nil, "-config", path)
	p.says(runs)

	// A token is changed without a gap: both hold for a while.
	configure(`"adminApiTokens": ["` + former + `", "` + next + `"], "adminApiReadTokens": [{"env": "HOME"}], "defaultRoute": "up", "spread": 0.5, "maxHoldTime": 20000, "store": "memdown"`)
	p.signal(syscall.SIGHUP)
	p.says(`changes="set defaultRoute, spread, adminApiToken, adminApiTokens, adminApiReadTokens; restart needed for maxHoldTime, store"`)
	p.says(`some changes need a restart" keys="\[maxHoldTime store\]"`)
	for _, text := range []string{former, next} {
		if got := asksWith(p, exitOK, text, "routes", "default"); !strings.Contains(got, "up") {
			t.Errorf("the routes are\n%s", got)
		}
	}
	configure(`"adminApiTokens": ["` + next + `"], "adminApiReadTokens": ["` + read + `"]`)
	p.signal(syscall.SIGHUP)
	p.says(`changes="set defaultRoute, spread, adminApiTokens, adminApiReadTokens"`)
	asksWith(p, exitFailure, former, "status")
	asksWith(p, exitOK, read, "status")
	if got := asksWith(p, exitFailure, read, "ping", "test.connie"); !strings.Contains(got, "this token may look") {
		t.Errorf("a token that may look is told %s", got)
	}
	asksWith(p, exitOK, next, "ping", "test.connie")

	// What is wrong changes nothing, whatever else there is.
	configure(`"adminApiTokens": ["short"], "defaultRoute": "up", "spread": 0.7`)
	p.signal(syscall.SIGHUP)
	p.says(`not applied" fault="adminApiTokens\[0\]`)
	if got := asksWith(p, exitOK, next, "routes", "default"); strings.Contains(got, "up") {
		t.Errorf("a part of a wrong file was applied:\n%s", got)
	}
	if strings.Contains(p.output(), "s3cr3t") {
		t.Errorf("a token is shown:\n%s", p.output())
	}
}

func TestTwoProcessesOnOneStore(t *testing.T) {
	environ := []string{"CONNECTOR_STORE_PATH=" + filepath.Join(t.TempDir(), "books.db"), "CONNECTOR_ACCOUNTS={}",
		"CONNECTOR_ILP_ADDRESS=test.quickstart", "CONNECTOR_BACKEND=one-to-one"}
	first := launch(t, environ)
	first.says(runs)
	second := launch(t, environ)
	second.exits(exitFailure)
	second.says("is in use by")
	first.signal(syscall.SIGTERM)
	first.exits(exitOK)
	third := launch(t, environ)
	third.says(runs)
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	path := configuration(t, "", `"bob": `+record("peer", "btp", `{"listener": {"host": "127.0.0.1", "port": `+port+`, "secret": "x"}}`))
	p := launch(t, nil, "-config", path)
	p.exits(exitFailure)
	p.says("cannot listen on 127.0.0.1:" + port)
}

// A configuration that is wrong is exit code 2, with a line for each fault,
// and no secret.
func TestWrongConfiguration(t *testing.T) {
	const secret = "s3cr3t-that-nobody-sees"
	environ := []string{"CONNECTOR_SPRED=1", "CONNECTOR_ADMIN_API=maybe", "CONNECTOR_ROUTING_SECRET=" + secret,
		`CONNECTOR_ACCOUNTS={"bob": {"relation": "peer", "plugin": "btp", "assetCode": "USD", "assetScale": 9, "options": {"server": "` + secret + `"}, "maxPaketAmount": "` + secret + `"}}`}
	for _, args := range [][]string{nil, {"config", "check"}, {"config", "explain"}} {
		p := launch(t, environ, args...)
		p.exits(exitUsage)
		for _, want := range []string{"CONNECTOR_SPREAD?", "adminApi", "routingSecret", "accounts.bob.options.server", "maxPacketAmount?"} {
			if !strings.Contains(p.output(), want) {
				t.Errorf("%v: it does not say %q:\n%s", args, want, p.output())
			}
		}
		if strings.Contains(p.output(), secret) {
			t.Errorf("%v: a secret is shown:\n%s", args, p.output())
		}
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	const secret = "s3cr3t-that-nobody-sees"
	path := configuration(t, "", `"alice": `+listener(secret), `"bob": `+record("peer", "btp", `{"server": "btp+ws://bob:`+secret+`@127.0.0.1:1"}`))
	p := launch(t, []string{"DEBUG=*", "CONNECTOR_ROUTING_SECRET=c8rEzjyVRS7gGB3xLuy/GBDDKzZDPVJor/w6IA6pMfo="}, "-config", path)
	p.says(runs)
	join(t, p.says(listening), secret)
	p.signal(syscall.SIGHUP)
	p.says(`changes=nothing`)
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
	explain := launch(t, nil, "config", "explain", "-config", path)
	explain.exits(exitOK)
	for _, out := range []string{p.output(), explain.output()} {
		if strings.Contains(out, secret) || strings.Contains(out, "c8rEzjyVRS") {
			t.Errorf("a secret is shown:\n%s", out)
		}
	}
}

func TestCommands(t *testing.T) {
	path := configuration(t, "", `"alice": `+listener("alice"))
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, exitOK, "ilp-connector "},
		{[]string{"config", "check", "-config", path}, exitOK, "is right"},
		{[]string{"config", "explain", "-config", path}, exitOK, "test.connie"},
		{[]string{"-h"}, exitOK, "-config"},
		{[]string{"--help"}, exitOK, "ilp-connector watch"},
		{[]string{"help"}, exitOK, "-log-level"},
		{[]string{"status", "-admin", "http://127.0.0.1:1"}, exitFailure, "does a connector run there"},
		{[]string{"confg"}, exitUsage, "there is no command"},
		{[]string{"config", "chek"}, exitUsage, `there is no command "config chek"`},
		{[]string{"-nonsense"}, exitUsage, "-nonsense"},
		{[]string{"-config", path, "extra"}, exitUsage, "too much"},
		{[]string{"-config", path, "-log-level", "loud"}, exitUsage, "-log-level"},
		{[]string{"-config", path, "-log-format", "xml"}, exitUsage, "-log-format"},
		{[]string{"-config", "/nowhere/connector.json"}, exitUsage, "cannot be read"},
	} {
		p := launch(t, nil, c.args...)
		p.exits(c.code)
		p.says(c.says)
	}
}

// Every command is in the table of docs/operating.md.
func TestOperatingHasAllCommands(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(text), "| signal |")
	for _, c := range commands {
		name := strings.Join(c.name, " ")
		if !regexp.MustCompile("`(ilp-connector )?" + name + "[` ]").MatchString(table) {
			t.Errorf("the command %q is not in the table", name)
		}
	}
}

func TestLogFormat(t *testing.T) {
	p := launch(t, []string{"CONNECTOR_LOG_FORMAT=json"}, "-config", configuration(t, ""), "-log-level", "warn")
	p.says(`"level":"WARN","msg":"configuration"`)
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
	if strings.Contains(p.output(), "INFO") {
		t.Errorf("the level is not heeded:\n%s", p.output())
	}
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	_, port, _ := net.SplitHostPort(socket.Addr().String())
	return port
}

// scrape gives the figures that Prometheus is shown.
func scrape(t *testing.T, port string) string {
	t.Helper()
	response, err := http.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the metrics are %s, %v: %s", response.Status, err, text)
	}
	return string(text)
}

// The line of the quickstart, on another port.
func TestQuickstart(t *testing.T) {
	port := freePort(t)
	p := launch(t, []string{"CONNECTOR_STORE_PATH=" + filepath.Join(t.TempDir(), ".connector-data"), "CONNECTOR_ACCOUNTS={}",
		"CONNECTOR_ADMIN_API=true", "CONNECTOR_ILP_ADDRESS=test.quickstart", "CONNECTOR_ADMIN_API_PORT=" + port,
		// the rates that the reference fetches are those of another machine
		"CONNECTOR_BACKEND=one-to-one"})
	p.says(runs)
	p.says(`the admin API listens" address=127.0.0.1:` + port)
	if got := asks(t, exitOK, []string{"--admin", "http://127.0.0.1:" + port}, "status"); !strings.Contains(got, "test.quickstart") {
		t.Errorf("the status is %s", got)
	}
	if text := scrape(t, port); !strings.Contains(text, "ilp_connector") {
		t.Errorf("the metrics are %s", text)
	}
	healthy := launch(t, nil, "health", "-admin", "http://127.0.0.1:"+port)
	healthy.exits(exitOK)
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
	gone := launch(t, nil, "health", "-admin", "http://127.0.0.1:"+port)
	gone.exits(exitFailure)
}
