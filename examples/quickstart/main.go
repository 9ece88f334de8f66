// Quickstart embeds a connector in a program, lets two BTP clients join it
// over real sockets, and has them pay each other. It keeps its books on the
// disk: each run goes on from where the one before ended.
//
//	go run ./examples/quickstart           # pays, prints the books, ends
//	go run ./examples/quickstart -listen   # keeps serving; join with any BTP client
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/btp"
)

func main() {
	o := options{out: os.Stdout}
	flag.BoolVar(&o.listen, "listen", false, "keep serving, and print a line of live counters")
	flag.StringVar(&o.address, "address", "127.0.0.1:0", "where the BTP server listens")
	flag.StringVar(&o.spread, "spread", "0", "what the connector keeps of every amount, such as 0.01")
	flag.StringVar(&o.dir, "dir", defaultDir(), "where the books are kept; a new directory starts at zero")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	address, spread, dir string
	listen               bool
	out                  io.Writer
}

// run runs the connector until the payments are made or, with listen, until
// ctx is done.
func run(ctx context.Context, o options) (err error) {
	rates, err := onetoone.New(onetoone.Options{Spread: o.spread})
	if err != nil {
		return err
	}
	books, err := openBooks(o.dir, o.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	c, err := connector.New(connector.Config{
		Address:    "test.quickstart",
		Store:      books,
		Backend:    rates,
		Middleware: middleware.Standard(),
		Logger:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}

	// One BTP server takes the links of all accounts.
	server := btp.NewServer(btp.ServerOptions{})
	for id, token := range tokens {
		link, err := server.Account(btp.Credentials{Username: id, Token: token})
		if err != nil {
			return err
		}
		err = c.AddAccount(ctx, connector.Account{
			ID: id, Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: 9}, Plugin: link,
		})
		if err != nil {
			return err
		}
	}
	socket, err := net.Listen("tcp", o.address)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go web.Serve(socket)
	defer web.Close()

	before := balances(c)
	running, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- c.Run(running) }()
	if o.listen {
		err = watch(ctx, c, socket.Addr().String(), o.out)
	} else {
		err = pay(ctx, socket.Addr().String())
	}
	if err == nil {
		err = printBooks(c, before, o.out)
	}
	stop()
	return errors.Join(err, <-stopped)
}

// tokens are what the two accounts show that they are who they are.
var tokens = map[string]string{"alice": "alice-token", "bob": "bob-token"}

// url is where the client of an account connects to.
func url(id, address string) string {
	return fmt.Sprintf("btp+ws://%s:%s@%s", id, tokens[id], address)
}
