package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

// maxWindow is the number of packets that the connector takes in flight.
const maxWindow = 100_000

// Accounts of the connector. The tokens of those over BTP are their names. The
// users of many are whoever comes, each by its token.
const source, sink, silent, many = "source", "sink", "silent", "many"

// Paths of the connector's server.
const accountsPath, usersPath = "/accounts", "/users"

// maxUserRate is how many packets a user may send in a second.
const maxUserRate = 1000

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
	c, handler, err := newConnector()
	if err != nil {
		return err
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
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

// newConnector makes a connector with the standard chain, three accounts over
// BTP, and one for many users.
func newConnector() (*connector.Connector, http.Handler, error) {
	rates, err := onetoone.New(onetoone.Options{Spread: "0.002"})
	if err != nil {
		return nil, nil, err
	}
	books := memstore.New()
	l, err := ledger.NewLocal(ledger.LocalOptions{Store: books})
	if err != nil {
		return nil, nil, err
	}
	c, err := connector.New(connector.Config{
		Address: "test.load", Store: books, Ledger: l, Backend: rates, Middleware: middleware.Standard(),
	})
	if err != nil {
		return nil, nil, err
	}
	server := btp.NewServer(btp.ServerOptions{Limits: btp.Limits{MaxOutstanding: maxWindow}})
	users, err := miniaccounts.NewServer(miniaccounts.Options{
		Ledger: l,
		Limits: miniaccounts.UserLimits{RateLimit: &connector.RateLimit{RefillCount: maxUserRate, RefillPeriod: time.Second}},
	})
	if err != nil {
		return nil, nil, err
	}
	links := map[string]connector.Plugin{many: users}
	for _, id := range []string{source, sink, silent} {
		if links[id], err = server.Account(btp.Credentials{Username: id, Token: id}); err != nil {
			return nil, nil, err
		}
	}
	for id, link := range links {
		err := c.AddAccount(context.Background(), connector.Account{
			ID: id, Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 9},
			Plugin: link, MaxInFlight: maxWindow,
		})
		if err != nil {
			return nil, nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle(accountsPath, server)
	mux.Handle(usersPath, users)
	return c, mux, nil
}
