package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/testenv"
)

// systemd takes the unit, without a word, and finds little to say of its
// exposure.
func TestSystemdUnit(t *testing.T) {
	analyze := testenv.NeedCommand(t, "systemd-analyze", "apt-get install systemd")
	text, err := os.ReadFile("../../contrib/ilp-connector.service")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable() // stands in for the one that is installed
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/usr/local/bin/ilp-connector"
	if !strings.Contains(string(text), "ExecStart="+installed+" ") {
		t.Fatalf("the unit does not start %s", installed)
	}
	unit := filepath.Join(t.TempDir(), "ilp-connector.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), installed, program)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// In tenths; the worst are at 100.
	if out, err := exec.Command(analyze, "security", "--offline=yes", "--threshold=20", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
