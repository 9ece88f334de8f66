package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
)

const hidden = "s3cr3t-that-nobody-sees"

// files is a ReadFile over a map.
func files(contents map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if content, ok := contents[name]; ok {
			return []byte(content), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	type pair struct {
		S config.Secret
		R config.Raw
	}
	p := pair{hidden, config.Raw(`{"token": "` + hidden + `"}`)}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "p", p, "s", p.S, "r", p.R)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "p", p, "s", p.S, "r", p.R)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	log.Write(text)
	fmt.Fprintf(&log, "%v %+v %#v %s %q %x %d %v %s %x", p, p, p, p.S, p.S, p.S, p.R, p.R, p.R, p.R)
	if shown := log.String(); strings.Contains(shown, hidden) || strings.Contains(shown, fmt.Sprintf("%x", hidden)) {
		t.Errorf("it is shown: %s", shown)
	}
	if config.Secret("").String() != "" || config.Raw(nil).String() != "" {
		t.Error("an empty one looks like one that is set")
	}
}

// Nothing that is printed has a secret: what would run, notes, the
// configuration itself, in any form.
func TestExplainHasNoSecrets(t *testing.T) {
	plan := mustLoad(t, "CONNECTOR_ADMIN_API=1", "CONNECTOR_ADMIN_API_TOKEN="+hidden, "CONNECTOR_BACKEND=http",
		`CONNECTOR_BACKEND_CONFIG={"url": "https://rates.example/?key=`+hidden+`", "header": {"X-Key": "`+hidden+`"}}`,
		"CONNECTOR_STORE=redis", `CONNECTOR_STORE_CONFIG={"url": "redis://u:`+hidden+`@127.0.0.1:6379/0"}`,
		`CONNECTOR_ACCOUNTS={
			"a": `+record(`"plugin": "btp"`, `"options": {"server": "btp+ws://a:`+hidden+`@bob.example/ilp"}`)+`,
			"b": `+record(`"plugin": "btp"`, `"options": {"listener": {"port": 7768, "secret": "`+hidden+`"}}`)+`,
			"c": `+record(`"plugin": "http"`, `"options": {"incoming": {"port": 7769, "staticToken": "`+hidden+hidden+`"}, "outgoing": {"url": "https://bob.example/ilp", "jwtSecret": "`+hidden+hidden+`"}}`)+`}`)
	c := plan.Config()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := plan.Explain() + strings.Join(plan.Notes(), "\n") + string(text) + fmt.Sprintf("%v %+v %#v", c, c, c)
	if strings.Contains(shown, hidden) {
		t.Errorf("a secret is shown:\n%s", shown)
	}
}

// Faults quote no secret, wherever it stands: in a key that is misspelt, in
// the wrong type, in a URL that cannot be parsed, in JSON that is none.
func TestFaultsHaveNoSecrets(t *testing.T) {
	for _, change := range []string{
		"CONNECTOR_ROUTING_SECRET=" + hidden,
		"CONNECTOR_ACCOUNTS=" + hidden,
		`CONNECTOR_ACCOUNTS={"bob": "` + hidden + `"}`,
		`CONNECTOR_ACCOUNTS={"bob": {"token": "` + hidden + `"`,
		accounts(`"tokn": "` + hidden + `"`),
		accounts(`"plugin": "btp"`, `"options": {"server": "btp+ws://a:`+hidden+`"}`),
		accounts(`"plugin": "btp"`, `"options": {"server": "`+hidden+`"}`),
		accounts(`"plugin": "btp"`, `"options": {"server": "btp+wss://a:b@c", "btpTokn": "`+hidden+`"}`),
		accounts(`"plugin": "btp"`, `"options": {"server": "btp+wss://a:b@c", "btpToken": "`+hidden+`"}`),
		accounts(`"plugin": "btp"`, `"options": {"server": ["`+hidden+`"]}`),
		accounts(`"plugin": "http"`, `"options": {"outgoing": {"url": "https://a:`+hidden+`@c"}}`),
		accounts(`"plugin": "http"`, `"options": {"incoming": {"port": 1, "jwtSecret": ""}, "outgoing": {"url": "https://c", "staticToken": "`+hidden+`", "jwtSecret": "`+hidden+`"}}`),
		"CONNECTOR_STORE=postgres\x00",
	} {
		_, err := load(t, change)
		if err == nil {
			t.Errorf("%s: no fault", change)
		} else if strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: a secret is shown: %v", change, err)
		}
	}
	for _, store := range []string{
		"CONNECTOR_STORE=postgres|CONNECTOR_STORE_CONFIG={\"dsn\": \"postgres://u:" + hidden + "@:x\"}",
		"CONNECTOR_STORE=mysql|CONNECTOR_STORE_CONFIG={\"dsn\": \"u:" + hidden + "@x\"}",
		"CONNECTOR_STORE=redis|CONNECTOR_STORE_CONFIG={\"url\": \"http://u:" + hidden + "@x\"}",
	} {
		_, err := load(t, strings.Split(store, "|")...)
		if err == nil || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v", store, err)
		}
	}
}

func TestSecretsFromFilesAndVariables(t *testing.T) {
	source := config.Source{
		Environ: environ("BOB_TOKEN="+hidden, "CONNECTOR_ADMIN_API_TOKEN_FILE=/run/admin",
			accounts(`"plugin": "btp"`, `"options": {"server": "btp+wss://bob.example", "btpAccount": "a", "btpToken": {"env": "BOB_TOKEN"}}`)),
		ReadFile: files(map[string]string{"/run/admin": "from the file\r\n"}),
	}
	plan, err := config.Builtins().Load(source)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(plan.Config().AdminAPIToken); got != "from the file" {
		t.Errorf("the token is %q", got)
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	source := config.Source{ReadFile: files(nil), Environ: environ("CONNECTOR_ADMIN_API_TOKEN_FILE=/none",
		`CONNECTOR_ACCOUNTS={
			"a": `+record(`"plugin": "btp"`, `"options": {"server": {"file": "/none"}}`)+`,
			"b": `+record(`"plugin": "btp"`, `"options": {"server": {"env": "NONE"}}`)+`,
			"c": `+record(`"plugin": "btp"`, `"options": {"server": {"env": "A", "file": "B"}}`)+`,
			"d": `+record(`"plugin": "btp"`, `"options": {"server": {"fil": "B"}}`)+`}`)}
	_, err := config.Builtins().Load(source)
	wantFaults(t, err,
		": cannot be read",
		"accounts.a.options.server: cannot be read",
		"accounts.b.options.server: NONE, which is not set",
		"accounts.c.options.server: with a single text",
		"accounts.d.options.server: with a single text")
}

func TestVariableAndItsFile(t *testing.T) {
	_, err := config.Builtins().Load(config.Source{ReadFile: files(nil), Environ: environ("CONNECTOR_ENV_FILE=/x", "CONNECTOR_ENV=test")})
	wantFaults(t, err, ": CONNECTOR_ENV_FILE too")
}

func TestFiles(t *testing.T) {
	read := func(content string, env ...string) (*config.Plan, error) {
		return config.Builtins().Load(config.Source{File: "c.json", Environ: env, ReadFile: files(map[string]string{"c.json": content})})
	}
	plan, err := read(`{"ilpAddress": "test.a", "spread": 0.01, "backend": "one-to-one", "accounts": {}}`, "CONNECTOR_SPREAD=0.5")
	if err != nil {
		t.Fatal(err)
	}
	if c := plan.Config(); c.ILPAddress != "test.a" || c.Spread != "0.5" {
		t.Errorf("read %q and %q: a variable replaces a key", c.ILPAddress, c.Spread)
	}
	_, err = read(`{"ilpAdress": "test.a", "accounts": {}, "backend": "one-to-one"}`, "CONNECTOR_SPREAD=2")
	wantFaults(t, err, "ilpAdress: did you mean ilpAddress?", "spread: less than 1", "ilpAddress: is missing")
	for _, f := range faultsOf(t, err) {
		if strings.HasPrefix(f, "ilpAdress") && !strings.Contains(f, "(c.json)") || strings.HasPrefix(f, "spread") && !strings.Contains(f, "(CONNECTOR_SPREAD)") {
			t.Errorf("%q does not say where it comes from", f)
		}
	}
	_, err = read("{\n  \"accounts\": {},\n  oops\n}")
	if lines := faultsOf(t, err); !strings.Contains(lines[0], "line 3, column 3") {
		t.Errorf("%q does not say where", lines)
	}
	_, err = read(`[]`)
	if lines := faultsOf(t, err); !strings.Contains(lines[0], "must be an object") {
		t.Errorf("%q", lines)
	}
	_, err = read(strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100))
	if lines := faultsOf(t, err); !strings.Contains(lines[0], "deep") {
		t.Errorf("%q", lines)
	}
	_, err = config.Builtins().Load(config.Source{File: "none.json", ReadFile: files(nil)})
	var wrong *config.Error
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("%v", err)
	}
}
