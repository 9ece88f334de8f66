// Quickstart embeds a connector in a program, lets two BTP clients join it
// over real sockets, and has them pay each other.
//
//	go run ./examples/quickstart           # pays, prints the books, ends
//	go run ./examples/quickstart -listen   # keeps serving; join with any BTP client
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
	"github.com/interledger-go/connector/store/memstore"
)

func main() {
	listen := flag.Bool("listen", false, "keep serving, and print a line of live counters")
	address := flag.String("address", "127.0.0.1:0", "where the BTP server listens")
	spread := flag.String("spread", "0", "what the connector keeps of every amount, such as 0.01")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *address, *spread, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run runs the connector until the payments are made or, with listen, until
// ctx is done.
func run(ctx context.Context, address, spread string, listen bool) error {
	rates, err := onetoone.New(onetoone.Options{Spread: spread})
	if err != nil {
		return err
	}
	c, err := connector.New(connector.Config{
		Address:    "test.quickstart",
		Store:      memstore.New(),
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
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go web.Serve(socket)
	defer web.Close()

	running, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- c.Run(running) }()
	if listen {
		err = watch(ctx, c, socket.Addr().String())
	} else {
		err = pay(ctx, c, socket.Addr().String())
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
