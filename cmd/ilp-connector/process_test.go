package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain is the program itself where a test has started it as such.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Unsetenv(asProgram)
		main()
	}
	os.Exit(m.Run())
}

const asProgram = "ILP_CONNECTOR_TEST_AS_PROGRAM"

// patience is how long an event is waited for that is certain to come: the
// machine may be slow.
const patience = 2 * time.Minute

// process is a running ilp-connector.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	code  int

	mu    sync.Mutex
	lines []string // what it has said
	more  chan struct{}
}

// launch starts the program with an environment of its own.
func launch(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &process{t: t, cmd: exec.CommandContext(ctx, exe, args...), ended: make(chan struct{}), more: make(chan struct{}, 1)}
	p.cmd.Env = append([]string{asProgram + "=1", "HOME=" + t.TempDir()}, environ...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	go func() {
		defer close(p.ended)
		defer cancel()
		for s := bufio.NewScanner(read); s.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, s.Text())
			p.mu.Unlock()
			select {
			case p.more <- struct{}{}:
			default:
			}
		}
		read.Close()
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		cancel() // kills it, if it still runs
		<-p.ended
	})
	return p
}

// output is what it has said so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// says waits until it has said something that the pattern matches, and gives
// the last group of the last match.
func (p *process) says(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for {
		if all := re.FindAllStringSubmatch(p.output(), -1); all != nil {
			last := all[len(all)-1]
			return last[len(last)-1]
		}
		select {
		case <-p.more:
		case <-p.ended:
			if !re.MatchString(p.output()) {
				p.t.Fatalf("it has ended with %d, and never said %q:\n%s", p.code, pattern, p.output())
			}
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exits waits for its end, and checks the exit code.
func (p *process) exits(code int) {
	p.t.Helper()
	<-p.ended
	if p.code != code {
		p.t.Errorf("it exits with %d, want %d:\n%s", p.code, code, p.output())
	}
}

// record is an account.
func record(relation, plugin, options string) string {
	return fmt.Sprintf(`{"relation": %q, "plugin": %q, "assetCode": "USD", "assetScale": 9, "options": %s}`, relation, plugin, options)
}

// listener is an account that a client joins with the token.
func listener(token string) string {
	return record("peer", "btp", fmt.Sprintf(`{"listener": {"host": "127.0.0.1", "port": 0, "secret": %q}}`, token))
}

// configuration writes a file, and gives its path.
func configuration(t *testing.T, path string, accounts ...string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "connector.json")
	}
	content := `{"ilpAddress": "test.connie", "backend": "one-to-one", "spread": 0, "accounts": {` + strings.Join(accounts, ",\n") + `}}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
