package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// operated starts a connector with an admin API, and gives the flags to ask it.
func operated(t *testing.T, environ []string, accounts ...string) (p *process, flags []string) {
	t.Helper()
	const token = "a token of sixteen bytes"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	environ = append(environ, "CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT="+port, "CONNECTOR_ADMIN_API_TOKEN_FILE="+file)
	p = launch(t, environ, "-config", configuration(t, "", accounts...))
	p.says(runs)
	return p, []string{"--admin", "http://127.0.0.1:" + port, "--token-file", file}
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
		{[]string{"status", "extra"}, exitUsage, "usage"},
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

// The end of a connector does not wait for those who watch it.
func TestTerminationWhileWatched(t *testing.T) {
	p, flags := operated(t, nil, `"sink": `+record("child", "loopback", "{}"))
	w := launch(t, nil, append([]string{"watch"}, flags...)...)
	w.says("sink")
	p.signal(syscall.SIGTERM)
	p.exits(exitOK)
	w.exits(exitOK)
}

// An account that is added by the API stays when the configuration is read
// again; its record is held to the same rules, and reads no files.
func TestAddingByTheAPI(t *testing.T) {
	port := freePort(t)
	p := launch(t, []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + port}, "-config", configuration(t, ""))
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
