package killtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// childEnv is set for a process of this program that is a connector.
const childEnv = "CONNECTOR_KILLTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// What a process is told, a line each. The end of its input ends it in good
// order.
const (
	sayBooks = "books" // it answers with the books, in a line of JSON
	run      = "run"
)

// serve is the process: it reads its setup, and then does what it is told.
func serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return fmt.Errorf("no setup: %w", lines.Err())
	}
	var s setup
	if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
		return err
	}
	n, err := newNode(s, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	for lines.Scan() {
		switch lines.Text() {
		case sayBooks:
			books, err := n.books()
			if err != nil {
				return err
			}
			if err := json.NewEncoder(out).Encode(books); err != nil {
				return err
			}
		case run:
			n.start()
		}
	}
	return n.stop()
}

// process is a connector in a process of its own, as the world sees it. Its
// methods belong to the goroutine of the test, but for kill.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	log logBuffer
}

// startProcess starts a process, which opens its books.
func startProcess(t testing.TB, s setup) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(t.Context(), program)}
	p.cmd.Env = append(os.Environ(), childEnv+"=1")
	p.cmd.Stderr = &p.log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	p.out.Buffer(nil, 1<<24)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	p.tell(string(line))
	return p
}

// tell tells it something, if it lives.
func (p *process) tell(line string) { _, _ = fmt.Fprintln(p.in, line) }

// books asks for the books. It fails the test if there is no answer.
func (p *process) books(t testing.TB) []book {
	t.Helper()
	p.tell(sayBooks)
	if !p.out.Scan() {
		_ = p.cmd.Wait()
		t.Fatalf("the process says nothing: %v\n%s", p.out.Err(), p.log.String())
	}
	var books []book
	if err := json.Unmarshal(p.out.Bytes(), &books); err != nil {
		t.Fatal(err)
	}
	return books
}

// kill sends SIGKILL.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// wait returns when the process is gone, and reports how it ended.
func (p *process) wait() error {
	for p.out.Scan() { // Wait closes the pipe
	}
	return p.cmd.Wait()
}

// stop ends the process in good order.
func (p *process) stop(t testing.TB) {
	t.Helper()
	_ = p.in.Close()
	if err := p.wait(); err != nil {
		t.Fatalf("the process ends with %v\n%s", err, p.log.String())
	}
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
