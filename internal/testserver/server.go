package testserver

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/testenv"
)

// startTimeout is how long a server may take to be ready, on a machine that is
// busy with other tests.
const startTimeout = 60 * time.Second

// Server is a server that listens on the loopback interface. Its methods fail
// the test that started it if they cannot do what they say, and are called
// from the goroutine of that test.
type Server struct {
	t    testing.TB
	name string
	host string // of the loopback interface
	port int
	dir  string // all that it writes is in there

	// command returns the command line, whose first element is the program.
	command func(s *Server) []string
	// ready is part of the line that the server logs when it accepts
	// connections.
	ready string
	// quit is the signal that ends it in good order.
	quit syscall.Signal

	process *process // nil while it does not run
}

// Addr returns the host and port at which the server listens. It does not
// change.
func (s *Server) Addr() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// launch makes a directory, lets prepare fill it, and starts the server. The
// server is stopped and the directory removed when t ends.
func launch(t testing.TB, s *Server, prepare func(s *Server) error) *Server {
	t.Helper()
	if err := supported(); err != nil {
		testenv.Skip(t, "%s: %v: run the tests on Linux", s.name, err)
	}
	s.t, s.host = t, "127.0.0.1"
	dir, err := os.MkdirTemp("", "connector-"+s.name+"-")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	})
	if err := giveAway(dir); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if prepare != nil {
		if err := prepare(s); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	t.Cleanup(s.Kill)
	// Somebody else may take a free port before the server does.
	const attempts = 5
	for range attempts {
		s.port = freePort(t)
		if err = s.start(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// Start starts the server again, at the address that it had, with what is in
// its directory, and returns when it accepts connections.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) start() error {
	if s.process != nil {
		return fmt.Errorf("%s runs already", s.name)
	}
	args := s.command(s)
	p, err := startProcess(s.dir, args, s.ready)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-p.ready:
		s.process = p
		return nil
	case <-p.done:
		return fmt.Errorf("%s ends before it is ready: %w\n%s", s.name, p.err, p.log())
	case <-timeout.C:
		p.kill()
		<-p.done
		return fmt.Errorf("%s is not ready after %v\n%s", s.name, startTimeout, p.log())
	}
}

// Kill ends all processes of the server with SIGKILL, as a crash would, and
// returns when they are gone. It is no error if the server does not run.
func (s *Server) Kill() {
	s.t.Helper()
	if s.process == nil {
		return
	}
	s.process.kill()
	<-s.process.done
	s.process = nil
}

// Stop lets the server end in good order, without waiting for its clients, and
// returns when it is gone.
func (s *Server) Stop() {
	s.t.Helper()
	p := s.running()
	if err := p.signal(s.quit); err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	<-p.done
	s.process = nil
}

// Pause makes the server hang: connections are taken by the kernel, and
// nothing is answered.
func (s *Server) Pause() {
	s.t.Helper()
	if err := s.running().pause(); err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
}

// Resume ends a Pause. The server answers what has come meanwhile.
func (s *Server) Resume() {
	s.t.Helper()
	if err := s.running().resume(); err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
}

func (s *Server) running() *process {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatalf("%s does not run", s.name)
	}
	return s.process
}

// Log returns the latest lines that the server has logged.
func (s *Server) Log() string {
	if s.process == nil {
		return ""
	}
	return s.process.log()
}

// path returns the path of a file in the directory of the server.
func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// freePort returns a port that nobody listens on. It is below those that the
// kernel gives to clients, so that the server finds it free again when it is
// started a second time.
func freePort(t testing.TB) int {
	t.Helper()
	const lowest, highest, attempts = 15_000, 32_000, 100
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatalf("no free port of %d that were tried", attempts)
	return 0
}

// find returns the path of a program of a server, which distributions like to
// keep out of the search path, or skips t.
func find(t testing.TB, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/sbin", "/usr/local/sbin"} {
			found, _ := filepath.Glob(filepath.Join(pattern, name))
			slices.Reverse(found) // The newest version.
			if len(found) > 0 {
				return testenv.NeedCommand(t, found[0], install)
			}
		}
	}
	return testenv.NeedCommand(t, names[0], install)
}

// process is a running program and its children.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when the line that says so has been logged
	done  chan struct{} // closed when all of its processes are gone
	err   error         // how it ended; after done

	mu    sync.Mutex
	lines []string
}

// startProcess runs a command line, whose program is its first element, with
// dir as the place for temporary files: servers of a kind may take those of
// one another for their own. The goroutine that reads its log ends when the
// last process that could write there has gone, and closes done.
func startProcess(dir string, args []string, ready string) (*process, error) {
	p := &process{
		cmd:   command(dir, args[0], args[1:]...),
		ready: make(chan struct{}),
		done:  make(chan struct{}),
	}
	log, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = theirs, theirs
	started := make(chan error)
	go func() {
		wait, err := startOnOwnThread(p.cmd)
		_ = theirs.Close()
		started <- err
		if err == nil {
			p.read(log, ready)
			p.err = wait()
			close(p.done)
		}
		_ = log.Close()
	}()
	return p, <-started
}

func (p *process) read(log *os.File, ready string) {
	const kept = 50
	isReady := false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		p.mu.Lock()
		if len(p.lines) == kept {
			p.lines = slices.Delete(p.lines, 0, 1)
		}
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
		if !isReady && strings.Contains(lines.Text(), ready) {
			isReady = true
			close(p.ready)
		}
	}
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

func command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	restrict(cmd)
	return cmd
}

// run runs a program to its end, as the user that servers run as.
func run(dir, program string, args ...string) error {
	cmd := command(dir, program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}
