package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/interledger-go/connector/internal/testcert"
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

// An admin API with TLS is known by the certificate that the connector has, by
// the environment or by a flag, and by none beside it.
func TestAskingWithTLS(t *testing.T) {
	authority := testcert.NewAuthority(t)
	certFile, keyFile := testcert.WritePair(t, t.TempDir(), authority.Issue(t, testcert.Named("connie")))
	otherCert, otherKey := testcert.WritePair(t, t.TempDir(), testcert.SelfSigned(t, testcert.Named("connie")))
	authorities := filepath.Join(t.TempDir(), "authorities.pem")
	testcert.WriteCertificate(t, authorities, authority.Certificate)
	for name, more := range map[string]string{"server alone": "", "clients, too": fmt.Sprintf(`, "authorities": %q`, authorities)} {
		t.Run(name, func(t *testing.T) {
			files := func(cert, key string) string {
				return fmt.Sprintf(`CONNECTOR_ADMIN_API_TLS={"certFile": %q, "keyFile": %q%s}`, cert, key, more)
			}
			port := freePort(t)
			environ := []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + port, files(certFile, keyFile)}
			launch(t, environ, "-config", configuration(t, "")).says(runs)
			elsewhere := []string{"-admin", "https://127.0.0.1:" + port}
			trusting := append(elsewhere[:2:2], "-authorities", authorities, "-cert", certFile, "-key", keyFile)
			for _, command := range []string{"status", "health"} {
				asked := func(code int, environ []string, flags ...string) *process {
					t.Helper()
					q := launch(t, environ, append([]string{command}, flags...)...)
					q.exits(code)
					return q
				}
				asked(exitOK, environ)
				asked(exitOK, nil, trusting...)
				asked(exitFailure, nil, elsewhere...)
				asked(exitFailure, []string{environ[0], environ[1], files(otherCert, otherKey)}).says("another certificate")
				asked(exitUsage, []string{environ[0], environ[1], files("/none", "/none")}).says("CONNECTOR_ADMIN_API_TLS: ")
				asked(exitUsage, nil, append(elsewhere[:2:2], "-cert", certFile)...)
			}
			q := launch(t, nil, append([]string{"status"}, elsewhere...)...)
			q.exits(exitFailure)
			q.says("-authorities says whom to trust")
		})
	}
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
