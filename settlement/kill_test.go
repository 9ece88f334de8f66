package settlement_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/internal/testengine"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/settlement"
	"github.com/interledger-go/connector/store/boltstore"
)

var killRounds = flag.Int("kill.rounds", 3, "how often TestKill kills each of its processes")

const (
	killRole  = "SETTLEMENT_TEST_ROLE"  // "engine", or the name of a connector
	killPath  = "SETTLEMENT_TEST_PATH"  // of the file that it keeps
	killURLs  = "SETTLEMENT_TEST_URLS"  // of the engine, alice and bob
	killQuiet = "SETTLEMENT_TEST_QUIET" // set in the last life: nothing new is begun
)

// Two connectors settle with each other through an engine, each of the three a
// process with a file on disk, and each is killed at any moment, again and
// again; the engine also dies by itself, when it has taken an order and not
// answered. In the end every settlement that a connector has promised has
// moved, once, and what one has paid the other has got.
func TestKill(t *testing.T) {
	if role := os.Getenv(killRole); role != "" {
		if err := beChild(role); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if runtime.GOOS == "windows" {
		t.Skip("sockets cannot be handed to a child process here")
	}
	k := newKilling(t)
	enough, stop := context.WithCancel(t.Context())
	var rounds, lives sync.WaitGroup
	for _, c := range k.children {
		rounds.Add(1)
		lives.Go(func() { c.killAgainAndAgain(enough, *killRounds, rounds.Done) })
	}
	rounds.Wait()
	stop()
	lives.Wait()
	if t.Failed() {
		return
	}
	k.audit()
}

// killing is the three processes.
type killing struct {
	t        *testing.T
	children []*child // the engine, alice, bob
}

func newKilling(t *testing.T) *killing {
	k := &killing{t: t}
	dir := t.TempDir()
	var urls []string
	for _, role := range []string{"engine", "alice", "bob"} {
		// The test holds the socket, so that it stays when the process dies:
		// who connects meanwhile waits for the next one.
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		file, err := listener.(*net.TCPListener).File()
		check(t, err)
		t.Cleanup(func() { _, _ = file.Close(), listener.Close() })
		urls = append(urls, listener.Addr().String())
		k.children = append(k.children, &child{t: t, role: role, path: filepath.Join(dir, role), socket: file})
	}
	for _, c := range k.children {
		c.urls = strings.Join(urls, " ")
	}
	return k
}

// child is one of the processes in all of its lives.
type child struct {
	t                *testing.T
	role, path, urls string
	socket           *os.File
	promised         map[string]int64 // what a connector has said that it settles, by key
}

// life is a child that lives. Its lines are read by whoever started it.
type life struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

func (c *child) start(quiet bool) *life {
	program, err := os.Executable()
	check(c.t, err)
	cmd := exec.CommandContext(c.t.Context(), program, "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), killRole+"="+c.role, killPath+"="+c.path, killURLs+"="+c.urls)
	if quiet {
		cmd.Env = append(cmd.Env, killQuiet+"=1")
	}
	cmd.ExtraFiles = []*os.File{c.socket}
	stdin, err := cmd.StdinPipe()
	check(c.t, err)
	stdout, err := cmd.StdoutPipe()
	check(c.t, err)
	check(c.t, cmd.Start())
	return &life{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
}

// next gives the next line, and notes what it promises; false at the end.
func (c *child) next(l *life) (string, bool) {
	if !l.lines.Scan() {
		return "", false
	}
	line := l.lines.Text()
	var key string
	var amount int64
	if n, _ := fmt.Sscanf(line, "promised %s %d", &key, &amount); n == 2 {
		if c.promised == nil {
			c.promised = make(map[string]int64)
		}
		c.promised[key] = amount
	}
	if strings.HasPrefix(line, "failed:") {
		c.t.Errorf("%s has %s", c.role, line)
	}
	return line, true
}

// killAgainAndAgain lets the child live, and kills it when it has done a few
// things, or a little later. After so many rounds it says that it is done, and
// keeps the child alive, for the others cannot go on without it, until they
// are done as well.
func (c *child) killAgainAndAgain(enough context.Context, rounds int, done func()) {
	for round := 0; enough.Err() == nil; round++ {
		if round == rounds {
			done()
		}
		l := c.start(false)
		unhook := context.AfterFunc(enough, func() { _ = l.cmd.Process.Kill() })
		left := 1 + rand.IntN(12)
		for ok := true; ok; left-- {
			if left == 0 && round < rounds {
				_ = l.cmd.Process.Kill() // what it does until then still counts
			}
			_, ok = c.next(l)
		}
		_ = l.cmd.Wait()
		unhook()
	}
}

// audit lets the three finish what they have begun, and compares their books.
func (k *killing) audit() {
	t := k.t
	balances := make([]int64, len(k.children))
	lives := make([]*life, len(k.children))
	for i, c := range k.children {
		lives[i] = c.start(true)
	}
	await := func(i int, rests func() bool) {
		c, l := k.children[i], lives[i]
		for {
			line, ok := c.next(l)
			if !ok {
				t.Fatalf("%s has ended by itself", c.role)
			}
			if line == "idle" && rests() {
				return
			}
		}
	}
	await(1, func() bool { return true })
	await(2, func() bool { return true })
	// The engine is idle for good once both have nothing to settle. What it has
	// said may be from before that, so its ledger is asked, too.
	await(0, func() bool {
		book, err := testengine.ReadBook(k.children[0].path, usd.Scale)
		check(t, err)
		return book.Idle()
	})
	for i, c := range k.children {
		_ = lives[i].stdin.Close()
		for ok := true; ok; {
			var line string
			line, ok = c.next(lives[i])
			_, _ = fmt.Sscanf(line, "balance %d", &balances[i])
		}
		if err := lives[i].cmd.Wait(); err != nil {
			t.Errorf("%s: %v", c.role, err)
		}
	}
	book, err := testengine.ReadBook(k.children[0].path, usd.Scale)
	check(t, err)
	k.compare(book, balances[1], balances[2])
}

func (k *killing) compare(book *testengine.Book, balanceAlice, balanceBob int64) {
	t := k.t
	places := []testengine.Place{{}, alice, bob}
	for i := 1; i <= 2; i++ {
		for key, amount := range k.children[i].promised {
			if got := book.OrderAmount(places[i], key, usd.Scale); got == nil || got.Cmp(big.NewInt(amount)) != 0 {
				t.Errorf("%s has promised %d under %s; the engine knows %v", k.children[i].role, amount, key, got)
			}
		}
	}
	fromAlice, fromBob := book.Paid(alice, usd.Scale), book.Paid(bob, usd.Scale)
	if net := new(big.Int).Sub(fromAlice, fromBob).Int64(); balanceAlice != net || balanceBob != -net {
		t.Errorf("%v has moved from alice and %v from bob; the balances are %d and %d", fromAlice, fromBob, balanceAlice, balanceBob)
	}
	t.Logf("%d and %d settlements, %v from alice, %v from bob", book.Orders(alice), book.Orders(bob), fromAlice, fromBob)
	if book.Orders(alice)+book.Orders(bob) == 0 {
		t.Error("nothing was settled")
	}
}

// beChild is one life of a child.
func beChild(role string) error {
	listener, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { // until the test has had enough of it
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	urls := strings.Fields(os.Getenv(killURLs))
	if role == "engine" {
		return beEngine(ctx, listener, urls)
	}
	return beConnector(ctx, role, listener, urls[0])
}

// say writes a line, whole.
func say(format string, args ...any) {
	_, _ = os.Stdout.WriteString(fmt.Sprintf(format, args...) + "\n")
}

func beEngine(ctx context.Context, listener net.Listener, urls []string) error {
	quiet := os.Getenv(killQuiet) != ""
	choose := func(faults ...testengine.Fault) func() testengine.Fault {
		return func() testengine.Fault {
			say("asked")
			if quiet || rand.IntN(5) > 0 {
				return testengine.None
			}
			return faults[rand.IntN(len(faults))]
		}
	}
	engine, err := testengine.Open(testengine.Options{
		Path: os.Getenv(killPath), Scale: usd.Scale,
		Pairs:      map[testengine.Place]testengine.Place{alice: bob, bob: alice},
		Connectors: map[string]string{"alice": "http://engine:secret@" + urls[1], "bob": "http://engine:secret@" + urls[2]},
		OnOrder:    choose(testengine.Dies, testengine.Garbles, testengine.Less),
		OnReport:   choose(testengine.Dies, testengine.Twice, testengine.Silent),
		Die:        func() { os.Exit(1) },
	})
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, engine) }()
	if quiet {
		go poll(ctx, func() bool { return engine.Book().Idle() })
	}
	engine.Run(ctx)
	return engine.Close()
}

// poll says "idle" whenever it is.
func poll(ctx context.Context, idle func() bool) {
	for ctx.Err() == nil {
		if idle() {
			say("idle")
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func beConnector(ctx context.Context, role string, listener net.Listener, engineAddress string) error {
	st, err := boltstore.Open(os.Getenv(killPath))
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		return err
	}
	c, err := connector.New(connector.Config{Address: "test." + role, Store: st, Backend: rates, Middleware: middleware.Standard()})
	if err != nil {
		return err
	}
	engine, err := settlement.NewEngine(settlement.Options{URL: "http://" + engineAddress + "/" + role, AcceptTokens: []string{"secret"}})
	if err != nil {
		return err
	}
	peer := map[string]string{"alice": "bob", "bob": "alice"}[role]
	_, end := inproc.Pipe()
	joined, err := engine.Join(connector.Account{ID: peer, Relation: connector.Peer, Asset: usd, Plugin: end})
	if err != nil {
		return err
	}
	if err := c.AddAccount(ctx, joined); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running) }()
	go func() { _ = http.Serve(listener, engine) }()
	book := func() (balance int64, outstanding int) {
		state := c.Accounts()[0].Book
		return state.Balance, len(state.Settlements)
	}
	if os.Getenv(killQuiet) != "" {
		poll(ctx, func() bool { _, n := book(); return n == 0 })
		balance, _ := book()
		say("balance %d", balance)
		stop()
		return <-ended
	}
	return settleOn(ctx, c, peer, book)
}

// settleOn settles again and again, until it is killed.
func settleOn(ctx context.Context, c *connector.Connector, peer string, book func() (int64, int)) error {
	for ctx.Err() == nil {
		if _, outstanding := book(); outstanding < 3 {
			amount := 1 + rand.Uint64N(1000)
			key, err := c.Settle(ctx, peer, amount)
			if err != nil {
				return err
			}
			say("promised %s %d", key, amount)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}
