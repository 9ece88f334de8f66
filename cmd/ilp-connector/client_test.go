package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
)

// operated starts a connector with an admin API, and gives the flags to ask it.
func operated(t *testing.T, environ []string, accounts ...string) (p *process, flags []string) {
	t.Helper()
	return operatedBy(t, configuration(t, "", accounts...), environ...)
}

// operatedBy is operated with a file.
func operatedBy(t *testing.T, path string, environ ...string) (p *process, flags []string) {
	t.Helper()
	const token = "a token of sixteen bytes"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	environ = append(environ, "CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT="+port, "CONNECTOR_ADMIN_API_TOKEN_FILE="+file)
	p = launch(t, environ, "-config", path)
	p.says(runs)
	return p, []string{"--admin", "http://127.0.0.1:" + port, "--token-file", file}
}

// answers runs a command that asks, and reads the JSON that it prints.
func answers(t *testing.T, flags []string, name string, v any) {
	t.Helper()
	text := asks(t, exitOK, append([]string{"-json"}, flags...), name)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%s prints %s: %v", name, text, err)
	}
}

// asks runs a command that asks, and gives what it prints.
func asks(t *testing.T, code int, flags []string, name string, args ...string) string {
	t.Helper()
	q := launch(t, nil, append(append([]string{name}, flags...), args...)...)
	q.exits(code)
	return q.output()
}

func TestCommandsThatAsk(t *testing.T) {
	_, flags := operated(t, nil, `"alice": `+listener("alice"), `"sink": `+record("child", "loopback", "{}"))
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"status"}, exitOK, "test.connie"},
		{[]string{"accounts"}, exitOK, "test.connie.sink"},
		{[]string{"routes"}, exitOK, "test.connie.sink"},
		{[]string{"routes", "nothing"}, exitOK, "PREFIX"},
		{[]string{"rates"}, exitOK, "sink"},
		{[]string{"balance"}, exitOK, "alice"},
		{[]string{"balance", "sink"}, exitOK, "MAXIMUM"},
		{[]string{"balance", "nobody"}, exitFailure, `no account "nobody"`},
		{[]string{"ping", "test.connie"}, exitOK, "true"},
		{[]string{"ping"}, exitUsage, "which address"},
		{[]string{"ping", "test.connie.sink", "x"}, exitUsage, "not an amount"},
		{[]string{"trace", "test.connie"}, exitOK, "HOP"},
		{[]string{"status", "extra"}, exitUsage, `"extra" is too much`},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if got := asks(t, c.code, flags, c.args[0], c.args[1:]...); !strings.Contains(got, c.says) {
				t.Errorf("want %q in\n%s", c.says, got)
			}
			if c.code != exitOK {
				return
			}
			if got := asks(t, c.code, append(flags, "--json"), c.args[0], c.args[1:]...); !json.Valid([]byte(got)) {
				t.Errorf("this is no JSON:\n%s", got)
			}
		})
	}
	if got := asks(t, exitFailure, flags[:2], "status"); !strings.Contains(got, "401") && !strings.Contains(got, "token") {
		t.Errorf("without a token: %s", got)
	}
}

func TestWatch(t *testing.T) {
	_, flags := operated(t, nil, `"sink": `+record("child", "loopback", "{}"))
	w := launch(t, nil, append([]string{"watch"}, flags...)...)
	w.says("sink")
	w.signal(syscall.SIGINT)
	w.exits(exitOK)
	w = launch(t, nil, append([]string{"watch", "--json"}, flags...)...)
	w.says(`"accounts":\{"sink"`)
	w.signal(syscall.SIGTERM)
	w.exits(exitOK)
}

// The end of a connector does not wait for those who watch it, and they wait
// for its next beginning.
func TestRestartWhileWatched(t *testing.T) {
	environ, path := administered(t)
	configuration(t, path, `"sink": `+record("child", "loopback", "{}"), `"alice": `+listener("alice"))
	p := launch(t, environ, "-config", path)
	p.says(runs)
	flags := []string{"-admin", "http://" + p.says(`the admin API listens" address=(\S+)`)}
	accounts := launch(t, nil, append([]string{"watch"}, flags...)...)
	packets := launch(t, nil, append([]string{"watch", "-packets"}, flags...)...)
	accounts.says("sink")
	packets.says("DESTINATION")
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
	accounts.says("the connector is gone, waiting for it")
	packets.says("the connector is gone, waiting for it")
	p = launch(t, environ, "-config", path)
	p.says(runs)
	accounts.says("the connector is there again")
	packets.says("the connector is there again")
	if err := join(t, p.says(listening), "alice").pay("test.connie.sink"); err != nil {
		t.Fatal(err)
	}
	packets.says(`alice +10 +sink +10 .* fulfilled +test\.connie\.sink`)
	accounts.signal(syscall.SIGINT)
	accounts.exits(exitOK)
	packets.signal(syscall.SIGINT)
	packets.exits(exitOK)
	nobody := launch(t, nil, "watch", "-admin", "http://127.0.0.1:"+freePort(t))
	nobody.exits(exitFailure)
}

// administered gives an environment with an admin API on this machine, and the
// place of a configuration.
func administered(t *testing.T) (environ []string, path string) {
	t.Helper()
	return []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + freePort(t)}, filepath.Join(t.TempDir(), "connector.json")
}

// Packets are shown live, those that are asked for, and as JSON a line each.
func TestWatchPackets(t *testing.T) {
	environ, path := administered(t)
	configuration(t, path, `"sink": `+record("child", "loopback", "{}"), `"no": `+record("child", "loopback", `{"reject": "F99"}`), `"alice": `+listener("alice"))
	p := launch(t, environ, "-config", path)
	p.says(runs)
	flags := []string{"-admin", "http://" + p.says(`the admin API listens" address=(\S+)`)}
	link := join(t, p.says(listening), "alice")
	watch := func(args ...string) *process {
		t.Helper()
		w := launch(t, nil, append(append([]string{"watch"}, args...), flags...)...)
		w.says("DESTINATION") // it has begun to watch
		return w
	}
	all := watch("-packets")
	rejected := watch("-outcome", "rejected")
	below := watch("-prefix", "test.connie.sink")
	code := watch("-code", "F99")
	account := watch("no", "--packets")
	two := watch("-packets", "no", "nobody")
	for _, to := range []string{"no.x", "sink.x", "no.last"} {
		link.pay("test.connie." + to)
	}
	const no, yes = `alice +10  no +10 +\S+  rejected F99 +test\.connie\.no\.`, `alice +10  sink +10 +\S+  fulfilled +test\.connie\.sink\.x`
	all.says("(?s)" + no + "x.*" + yes + ".*" + no + "last")
	below.says(yes)
	for _, w := range []*process{rejected, code, account, two} {
		w.says(no + "last")
		if strings.Contains(w.output(), "sink") {
			t.Errorf("it shows a packet that was not asked for:\n%s", w.output())
		}
	}
	if strings.Contains(below.output(), "connie.no") {
		t.Errorf("it shows a packet that was not asked for:\n%s", below.output())
	}
	for _, w := range []*process{all, rejected, below, code, account, two} {
		w.signal(syscall.SIGTERM)
		w.exits(exitOK)
	}
	asJSON := launch(t, nil, append([]string{"watch", "-packets", "-json"}, flags...)...)
	for ended := false; !ended; { // until it has begun to watch
		link.pay("test.connie.sink")
		select {
		case <-asJSON.more:
			ended = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	var packet admin.Packet
	line, _, _ := strings.Cut(asJSON.output(), "\n")
	if err := json.Unmarshal([]byte(line), &packet); err != nil || packet.Account != "alice" || packet.NextHopAmount != "10" {
		t.Errorf("%v: %s", err, line)
	}
	if got := asks(t, exitUsage, flags, "watch", "-outcome", "lost"); !strings.Contains(got, "must be one of") {
		t.Errorf("it says %s", got)
	}
	if got := asks(t, exitFailure, flags, "watch", "-prefix", "a b"); !strings.Contains(got, "whole segments") {
		t.Errorf("it says %s", got)
	}
}

// One packet is sent; the exit code says what has become of it.
func TestSend(t *testing.T) {
	p, flags := operated(t, []string{"CONNECTOR_MIN_MESSAGE_WINDOW=100"}, `"sink": `+record("child", "loopback", "{}"), `"no": `+record("child", "loopback", `{"reject": "F99"}`),
		`"slow": `+record("child", "loopback", `{"delay": 600000}`))
	const zero = "0000000000000000000000000000000000000000000000000000000000000000" // what a loopback fulfills with
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "fulfillment")
	if err := os.WriteFile(secret, []byte(zero+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string // a pattern
	}{
		{[]string{"test.connie.sink", "5", "-fulfillment", zero}, exitOK, `(?s)outcome +fulfilled\nleft by +sink\npaid +5\nfulfillment +0{64}\n.*round trip`},
		{[]string{"-fulfillment", "@" + secret, "test.connie.sink", "5", "-data", "0001ff"}, exitOK, `paid +5`},
		{[]string{"test.connie.sink", "5", "-condition", ilp.PeerCondition.String(), "-data", "@" + data, "-expiry", "10s"}, exitOK, `paid +5`},
		{[]string{"test.connie.sink", "5"}, exitRejected, `(?s)outcome +rejected\nleft by +sink\npaid +nothing\ncode +F05 Wrong Condition\ntriggered by +test\.connie\n.*nothing was paid`},
		{[]string{"test.connie.no", "5", "-fulfillment", zero}, exitRejected, `code +F99 Application Error`},
		{[]string{"test.connie", "5"}, exitRejected, `(?s)left by +\(none\).*code +F02 Unreachable`},
		{[]string{"test.connie.slow", "5", "-expiry", "300ms"}, exitRejected, `(?s)paid +nothing\ncode +(R00|T01)`},
		{[]string{"test.connie.sink"}, exitUsage, "a destination and an amount"},
		{[]string{"test.connie.sink", "x"}, exitUsage, "not an amount"},
		{[]string{"test.connie.sink", "5", "-data", "xyz"}, exitFailure, "-data: "},
		{[]string{"test.connie.sink", "5", "-data", "@/nowhere"}, exitFailure, "/nowhere"},
		{[]string{"test.connie.sink", "5", "-data", "-", "-fulfillment", "-"}, exitUsage, "standard input"},
		{[]string{"test.connie.sink", "5", "-fulfillment", "short"}, exitFailure, "must be 32 bytes"},
		{[]string{"nowhere", "5"}, exitFailure, "destination: "},
		{[]string{"test.connie.sink", "5", "more"}, exitUsage, "usage"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if got := asks(t, c.code, flags, "send", c.args...); !regexp.MustCompile(c.says).MatchString(got) {
				t.Errorf("want %q in\n%s", c.says, got)
			}
		})
	}
	var sent admin.SendResult
	if got := asks(t, exitOK, append(flags, "-json"), "send", "test.connie.sink", "7", "-fulfillment", zero); json.Unmarshal([]byte(got), &sent) != nil || sent.Paid != "7" || sent.Outcome != admin.SendFulfilled {
		t.Errorf("it prints %s", got)
	}
	if got := asks(t, exitOK, flags, "balance", "sink"); !strings.Contains(got, "-22") {
		t.Errorf("the balance is\n%s, want what was paid", got)
	}
	if got := asks(t, exitFailure, []string{"-admin", "http://127.0.0.1:" + freePort(t)}, "send", "test.connie.sink", "5"); strings.Contains(got, "may be fulfilled") {
		t.Errorf("what was never sent: %s", got)
	}

	// Whoever does not wait is told that nobody knows.
	q := launch(t, nil, append([]string{"send", "test.connie.slow", "5", "-expiry", "4m"}, flags...)...)
	for !strings.Contains(asks(t, exitOK, append(flags, "-json"), "accounts"), `"outstanding": 1`) { // until it is on its way
	}
	q.signal(syscall.SIGINT)
	q.exits(exitUnknown)
	q.says("may be fulfilled for 4m0s")
	p.signal(syscall.SIGTERM)
	p.says("a packet of our own was answered when nobody waited for it")
}

// Nothing that others have written moves the cursor.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{"naïve “x” 7": "naïve “x” 7", "a\x1b[2Jb": `a\x1b[2Jb`, "a\nb": `a\nb`, "\xff": `\xff`, "": ""} {
		if got := printable(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// An account that is added by the API stays when the configuration is read
// again; its record is held to the same rules, and reads no files.
func TestAddingByTheAPI(t *testing.T) {
	port, path := freePort(t), configuration(t, "")
	p := launch(t, []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + port}, "-config", path)
	p.says(runs)
	add := func(id, record string) string {
		t.Helper()
		response, err := http.Post("http://127.0.0.1:"+port+"/addAccount", "application/json", strings.NewReader(`{"id": "`+id+`", "options": `+record+`}`))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := add("bob", record("child", "loopback", "{}")); !strings.Contains(got, `"plugin":"bob"`) {
		t.Errorf("the answer is %s", got)
	}
	if got := add("eve", record("peer", "btp", `{"server": {"file": "/etc/hostname"}}`)); !strings.Contains(got, "only possible in a configuration that is read") {
		t.Errorf("the answer is %s", got)
	}
	p.signal(syscall.SIGHUP)
	p.says(`changes=nothing`)
	if got := asks(t, exitOK, []string{"-admin", "http://127.0.0.1:" + port}, "accounts"); !strings.Contains(got, "test.connie.bob") {
		t.Errorf("the accounts are\n%s", got)
	}

	// It is replaced where it listens, and becomes a part of the file that has
	// it then.
	put := func(record string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://127.0.0.1:"+port+"/accounts/carl", strings.NewReader(record))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, want := range []string{`"replaced":false`, `"replaced":true`} {
		if got := put(listener("carl")); !strings.Contains(got, want) {
			t.Errorf("the answer is %s, want %s", got, want)
		}
	}
	configuration(t, path, `"carl": `+listener("carl"), `"dora": `+record("child", "loopback", "{}"))
	p.signal(syscall.SIGHUP)
	p.says(`changes="added dora"`)
}

// An account that cannot be added leaves nothing behind: its link does not go on
// listening, and SIGHUP does not take it for the one that is there.
func TestAddingInVain(t *testing.T) {
	port, path := freePort(t), configuration(t, "", `"bob": `+record("child", "loopback", "{}"))
	p := launch(t, []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + port}, "-config", path)
	p.says(runs)
	add := func(id, record string, want int) {
		t.Helper()
		response, err := http.Post("http://127.0.0.1:"+port+"/addAccount", "application/json", strings.NewReader(`{"id": "`+id+`", "options": `+record+`}`))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != want {
			t.Errorf("adding %s is answered %s %s, %v; want %d", id, response.Status, text, err, want)
		}
	}
	add("bob", listener("token of carl"), http.StatusConflict) // he is there
	child := strings.Replace(strings.Replace(listener("token of carl"), "peer", "child", 1), "{", `{"ilpAddressSegment": "bob", `, 1)
	add("carl", child, http.StatusConflict) // bob has that segment
	add("carl", listener("token of carl"), http.StatusOK)
	configuration(t, path, `"bob": `+listener("token of bob"))
	p.signal(syscall.SIGHUP)
	p.says(`changes="changed bob"`)
	add("bob", listener("token of dora"), http.StatusConflict)
	configuration(t, path, `"bob": `+listener("token of dora"))
	p.signal(syscall.SIGHUP)
	p.says(`(?s)changes="changed bob".*changes="changed bob"`)
	add("emma", listener("token of bob"), http.StatusOK) // which he has given back
}

// The figures have what the chain of the admin API measures.
func TestMetricsHaveDurations(t *testing.T) {
	port := freePort(t)
	p := launch(t, []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + port},
		"-config", configuration(t, "", `"alice": `+listener("alice"), `"sink": `+record("child", "loopback", "{}")))
	p.says(runs)
	if err := join(t, p.says(listening), "alice").pay("test.connie.sink"); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, port)
	for _, want := range []string{
		`ilp_connector_packet_duration_seconds_count{account="alice",direction="incoming",outcome="fulfilled"} 1`,
		`ilp_connector_packet_duration_seconds_count{account="sink",direction="outgoing",outcome="fulfilled"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %s in\n%s", want, text)
		}
	}
}
