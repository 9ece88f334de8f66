package testenv_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/interledger-go/connector/internal/testenv"
)

// A missing program skips the test, or fails it where nothing may be skipped,
// and the message says either way how to install it.
func TestNeed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, need := range []struct {
		name string
		call func(testing.TB)
		want outcome
	}{
		{"command that is there", func(t testing.TB) { testenv.NeedCommand(t, "go", "install it") }, returned},
		{"file that is there", func(t testing.TB) { testenv.NeedFile(t, "testenv_test.go", "make it") }, returned},
		{"command that is missing", func(t testing.TB) { testenv.NeedCommand(t, missing, "apt-get install it") }, skipped},
		{"file that is missing", func(t testing.TB) { testenv.NeedFile(t, missing, "make it") }, skipped},
		{"skip", func(t testing.TB) { testenv.Skip(t, "%s: run `%s`", missing, "make it") }, skipped},
	} {
		for _, env := range []struct {
			noSkip string
			want   outcome
		}{{"", skipped}, {"0", skipped}, {"1", failed}} {
			t.Run(fmt.Sprintf("%s/%s=%s", need.name, testenv.NoSkip, env.noSkip), func(t *testing.T) {
				t.Setenv(testenv.NoSkip, env.noSkip)
				want := need.want
				if want == skipped {
					want = env.want
				}
				got, message := run(t, need.call)
				if got != want {
					t.Fatalf("the test %s, want %s", got, want)
				}
				if want == returned {
					return
				}
				for _, text := range []string{missing, "it`"} {
					if !strings.Contains(message, text) {
						t.Errorf("message %q does not contain %q", message, text)
					}
				}
			})
		}
	}
}

func TestNeedCommandGivesThePath(t *testing.T) {
	if path := testenv.NeedCommand(t, "go", "install it"); !filepath.IsAbs(path) {
		t.Errorf("path of go is %q, want an absolute one", path)
	}
}

type outcome string

const (
	returned outcome = "returned"
	skipped  outcome = "was skipped"
	failed   outcome = "failed"
)

// run runs call as a test of its own would, and tells how it ended.
func run(t *testing.T, call func(testing.TB)) (outcome, string) {
	r := &recorder{TB: t, outcome: failed}
	done := make(chan struct{})
	go func() {
		defer close(done)
		call(r)
		r.outcome = returned
	}()
	<-done
	return r.outcome, r.message
}

// recorder is a test whose end is recorded.
type recorder struct {
	testing.TB
	outcome outcome
	message string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) { r.end(skipped, format, args) }

func (r *recorder) Fatalf(format string, args ...any) { r.end(failed, format, args) }

func (r *recorder) end(o outcome, format string, args []any) {
	r.outcome, r.message = o, fmt.Sprintf(format, args...)
	runtime.Goexit()
}
