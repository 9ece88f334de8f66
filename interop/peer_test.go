package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/testenv"
)

// peer is a node process that runs js/peer.js, or another program that takes
// calls, and lives no longer than its test. Its methods may be called concurrently.
type peer struct {
	name   string
	kill   context.CancelFunc
	ended  chan struct{} // closed when the process is gone; err is set then
	err    error
	stderr logBuffer
	events chan event

	mu    sync.Mutex // guards what follows, and the order of lines on stdin
	stdin io.WriteCloser
	last  uint64 // id of the last call
	calls map[uint64]chan<- message
}

// pluginOptions are those of ilp-plugin-btp.
type pluginOptions struct {
	Server   string    `json:"server,omitempty"` // of a client: btp+ws://name:token@host:port
	Listener *listener `json:"listener,omitempty"`
	// ReconnectIntervals are the waits between attempts to dial, in
	// milliseconds; the last one for all further attempts.
	ReconnectIntervals []int `json:"reconnectIntervals,omitempty"`
	// ResponseTimeout bounds the wait for a reply, in milliseconds.
	ResponseTimeout int `json:"responseTimeout,omitempty"`
}

type listener struct {
	Port   int    `json:"port"` // 0: any
	Secret string `json:"secret"`
}

// message is a line that a peer writes.
type message struct {
	ID     uint64          `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
	event
}

// event is news from a peer that is no answer: "connect", "disconnect", or
// "refused" with the reason that the server gave.
type event struct {
	Name   string `json:"event"`
	Reason string `json:"reason"`
}

// startPeer starts a peer.
func startPeer(t *testing.T, name string, options pluginOptions) *peer {
	t.Helper()
	if options.ReconnectIntervals == nil {
		options.ReconnectIntervals = []int{0, 20}
	}
	if options.ResponseTimeout == 0 {
		options.ResponseTimeout = int(callTimeout / time.Millisecond)
	}
	return startProcess(t, name, "peer.js", options)
}

// process is a peer that runs another program.
type process = peer

// startProcess starts a script, which does nothing until it is told. It skips
// the test where node or the packages are missing.
func startProcess(t *testing.T, name, script string, options any) *process {
	t.Helper()
	node := testenv.NeedCommand(t, "node", "apt-get install nodejs npm")
	testenv.NeedFile(t, "js/node_modules/.package-lock.json", "npm ci --prefix interop/js")
	argument, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, node, script, string(argument))
	cmd.Dir = "js"
	cmd.WaitDelay = time.Second
	p := &peer{
		name:   name,
		kill:   kill,
		ended:  make(chan struct{}),
		events: make(chan event, 1000),
		calls:  make(map[uint64]chan<- message),
	}
	cmd.Stderr = &p.stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = errors.Join(p.read(stdout), cmd.Wait())
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() && p.stderr.String() != "" {
			t.Logf("stderr of %s:\n%s", name, p.stderr.String())
		}
	})
	return p
}

// stop kills the process, as a crash would, and waits until it is gone.
func (p *peer) stop() {
	p.kill()
	<-p.ended
}

// read takes the lines of the process until it ends.
func (p *peer) read(stdout io.Reader) error {
	lines := json.NewDecoder(stdout)
	for {
		var m message
		if err := lines.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			p.kill()
			return fmt.Errorf("reading what it says: %w", err)
		}
		if m.Name != "" {
			p.events <- m.event
			continue
		}
		p.mu.Lock()
		answer := p.calls[m.ID]
		delete(p.calls, m.ID)
		p.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	}
}

// callTimeout bounds every call and every wait for an event. Most take
// milliseconds; a machine under load may need far longer.
const callTimeout = 20 * time.Second

// call calls a method of js/peer.js and reads what it returns into result,
// unless that is nil.
func (p *peer) call(ctx context.Context, method string, with, result any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := p.write(method, with)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, method, err)
	}
	select {
	case m := <-answer:
		if m.Error != "" {
			return fmt.Errorf("%s: %s: %w", p.name, method, &callError{m.Error})
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-p.ended:
		return fmt.Errorf("%s: %s: the process ended: %w", p.name, method, p.err)
	case <-ctx.Done():
		return fmt.Errorf("%s: %s: no answer: %w", p.name, method, ctx.Err())
	}
}

// callError is what the JavaScript method threw.
type callError struct{ message string }

func (e *callError) Error() string { return e.message }

func (p *peer) write(method string, with any) (<-chan message, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	line, err := json.Marshal(map[string]any{"id": p.last, "call": method, "with": with})
	if err != nil {
		return nil, err
	}
	answer := make(chan message, 1)
	p.calls[p.last] = answer
	_, err = p.stdin.Write(append(line, '\n'))
	return answer, err
}

// await waits for the next event of this name, passing over others.
func (p *peer) await(ctx context.Context, name string) (event, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		select {
		case e := <-p.events:
			if e.Name == name {
				return e, nil
			}
		case <-p.ended:
			return event{}, fmt.Errorf("%s: waiting for %q: the process ended: %w", p.name, name, p.err)
		case <-ctx.Done():
			return event{}, fmt.Errorf("%s: waiting for %q: %w", p.name, name, ctx.Err())
		}
	}
}

// news gives the events that nobody has awaited. All that happened before
// the last call returned are among them.
func (p *peer) news() []event {
	var all []event
	for {
		select {
		case e := <-p.events:
			all = append(all, e)
		default:
			return all
		}
	}
}

// logBuffer keeps what a process writes to stderr.
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
