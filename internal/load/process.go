package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// process is another one of this program: the connector, or a user who makes
// trouble.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	first   string // line: of the connector, its address
}

// startSelf starts this program once more, to be something else until ctx ends.
func startSelf(ctx context.Context, flags ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(exec.CommandContext(ctx, self, flags...))
}

// startSelfNicely is startSelf for one who in truth would be at another
// machine: what it does costs the others as little of this one as can be.
func startSelfNicely(ctx context.Context, flags ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(exec.CommandContext(ctx, "nice", append([]string{"-n", "19", self}, flags...)...))
}

func start(command *exec.Cmd) (*process, error) {
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command, in: in, out: bufio.NewReader(out)}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the process did not start: %w", err), p.stop())
	}
	p.first = line[:len(line)-1]
	return p, nil
}

// usage asks the connector for its usage of now.
func (p *process) usage() (u usage, err error) { return u, p.ask(&u) }

// ask has the process say what it has to say now.
func (p *process) ask(answer any) error {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, answer)
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	return errors.Join(p.in.Close(), p.command.Wait())
}
