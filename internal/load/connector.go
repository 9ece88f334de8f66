package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/store/memstore"
)

// maxWindow is the number of packets that the connector takes in flight.
const maxWindow = 100_000

// Accounts of the connector, and their tokens.
const source, sink = "source", "sink"

// usage is what the operating system says of a process.
type usage struct {
	CPU    time.Duration // user and system time since it started
	Memory int64         // the largest resident set, in bytes
}

// runConnector is the child: it serves BTP on loopback, writes its address as
// a line, and answers every line it reads with its usage, until the end of
// its input.
func runConnector(in io.Reader, out io.Writer, profile string) error {
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	c, server, err := newConnector()
	if err != nil {
		return err
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go web.Serve(socket)
	defer web.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- c.Run(ctx) }()

	fmt.Fprintln(out, socket.Addr())
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		if err := json.NewEncoder(out).Encode(usage{
			CPU:    time.Duration(u.Utime.Nano() + u.Stime.Nano()),
			Memory: u.Maxrss * 1024, // the kernel counts in KiB
		}); err != nil {
			return err
		}
	}
	cancel()
	return <-stopped
}

// newConnector makes a connector with the standard chain and two accounts.
func newConnector() (*connector.Connector, *btp.Server, error) {
	rates, err := onetoone.New(onetoone.Options{Spread: "0.002"})
	if err != nil {
		return nil, nil, err
	}
	c, err := connector.New(connector.Config{
		Address: "test.load", Store: memstore.New(), Backend: rates, Middleware: middleware.Standard(),
	})
	if err != nil {
		return nil, nil, err
	}
	server := btp.NewServer(btp.ServerOptions{Limits: btp.Limits{MaxOutstanding: maxWindow}})
	for _, id := range []string{source, sink} {
		link, err := server.Account(btp.Credentials{Username: id, Token: id})
		if err != nil {
			return nil, nil, err
		}
		err = c.AddAccount(context.Background(), connector.Account{
			ID: id, Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 9},
			Plugin: link, MaxInFlight: maxWindow,
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return c, server, nil
}

// process is the connector as the load sees it.
type process struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	address string
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
		return nil, errors.Join(fmt.Errorf("the connector did not start: %w", err), p.stop())
	}
	p.address = line[:len(line)-1]
	return p, nil
}

// usage asks the process for its usage of now.
func (p *process) usage() (usage, error) {
	var u usage
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return u, err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal(line, &u)
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	return errors.Join(p.in.Close(), p.command.Wait())
}
