// Package testenv is what tests ask of the machine they run on: programs of
// others, such as node or redis-server, that cannot come with this
// repository.
//
// Where one is missing the test is skipped, with the command that installs it
// in its message, so that `go test ./...` is green on any machine. A suite
// that is green because it ran nothing would be worthless to CI, so there,
// where [NoSkip] is set, a skip is a failure.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// NoSkip is the environment variable that turns every skip into a failure
// when its value is 1. `.ci/run` sets it.
const NoSkip = "CONNECTOR_TEST_NO_SKIP"

// Skip ends t as skipped, or as failed where [NoSkip] says so. The message
// names what is missing and what installs it. It does not return; as with
// t.Skip, it is called from the goroutine of the test.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(NoSkip) == "1" {
		t.Fatalf(format+" (a skip is a failure while "+NoSkip+"=1)", args...)
	}
	t.Skipf(format, args...)
}

// NeedCommand returns the path of the executable of this name, or skips t.
// install is the command that installs it, such as "apt-get install nodejs".
func NeedCommand(t testing.TB, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, "%s is not installed: %v: run `%s`", name, err, install)
	}
	return path
}

// NeedFile skips t unless there is a file or directory at path. install is
// the command that makes it.
func NeedFile(t testing.TB, path, install string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		Skip(t, "%v: run `%s`", err, install)
	}
}
