package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A command needs no flags where it has the environment of the connector; its
// token is not shown to another one.
func TestAskingWithTheEnvironment(t *testing.T) {
	port := freePort(t)
	environ := []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + port, "CONNECTOR_ADMIN_API_TOKEN=a token of sixteen bytes"}
	launch(t, environ, "-config", configuration(t, "")).says(runs)
	q := launch(t, environ, "status")
	q.exits(exitOK)
	q.says("test.connie")
	launch(t, environ, "status", "-admin", "http://127.0.0.1:"+port).exits(exitFailure)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a token of sixteen bytes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ[2] = "CONNECTOR_ADMIN_API_TOKEN_FILE=" + file
	launch(t, environ, "status").exits(exitOK)
}

func TestAdminURL(t *testing.T) {
	for want, environ := range map[string][]string{
		"http://127.0.0.1:7780":   nil,
		"http://127.0.0.1:9000":   {"CONNECTOR_ADMIN_API_HOST=0.0.0.0", "CONNECTOR_ADMIN_API_PORT=9000"},
		"http://[::1]:7780":       {"CONNECTOR_ADMIN_API_HOST=::1"},
		"https://10.0.0.1:7780":   {"CONNECTOR_ADMIN_API_HOST=10.0.0.1", `CONNECTOR_ADMIN_API_TLS={"certFile": "c", "keyFile": "k"}`},
		"http://connie.test:7780": {"CONNECTOR_ADMIN_API_HOST=connie.test"},
	} {
		if got := (program{environ: environ}).adminURL(); got != want {
			t.Errorf("with %q: %s, want %s", environ, got, want)
		}
	}
}
