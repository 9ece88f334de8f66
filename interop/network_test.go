package interop_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/store/memstore"
)

// networkOptions say what network a test needs.
type networkOptions struct {
	// Address of the connector; empty means test.connie.
	Address string
	// InheritFrom is the account that its address comes from, in place of
	// Address.
	InheritFrom string
	// Listen is where the BTP server listens; empty means any port of the
	// loopback interface.
	Listen string
	// Spread of the rate source, which is at parity otherwise.
	Spread string
	// Accounts of the connector. One without a Plugin gets an account of the
	// BTP server, with its ID for a user name and a token from tokenOf.
	Accounts []connector.Account
}

func (o *networkOptions) address() string {
	switch {
	case o.InheritFrom != "":
		return ""
	case o.Address != "":
		return o.Address
	}
	return "test.connie"
}

// network is a connector that runs until the test ends or stop
// is called, and a BTP server for its accounts.
type network struct {
	t         *testing.T
	connector *connector.Connector
	addr      string // of the BTP server, host and port
	recorder  *recorder
	links     map[string]*watchedPlugin

	server  *btp.Server
	http    *http.Server
	cancel  context.CancelFunc
	running sync.WaitGroup // the connector
	serving sync.WaitGroup // the HTTP server
	once    sync.Once
}

func tokenOf(id string) string { return id + "-s-token" }

// child is an account in the unit that the tests use for most.
func child(id string) connector.Account { return childWithScale(id, 9) }

func childWithScale(id string, scale uint8) connector.Account {
	return connector.Account{ID: id, Relation: connector.Child, Asset: connector.Asset{Code: "USD", Scale: scale}}
}

// startNetwork returns when the connector runs and its BTP server listens.
func startNetwork(t *testing.T, options networkOptions) *network {
	t.Helper()
	rates, err := onetoone.New(onetoone.Options{Spread: options.Spread})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{
		t:        t,
		recorder: &recorder{Backend: rates},
		links:    make(map[string]*watchedPlugin),
		server:   btp.NewServer(btp.ServerOptions{}),
	}
	n.http = &http.Server{Handler: n.server}
	n.connector, err = connector.New(connector.Config{
		Address:     options.address(),
		InheritFrom: options.InheritFrom,
		Store:       memstore.New(),
		Backend:     n.recorder,
		Middleware:  middleware.Standard(),
		// What is under way when a test ends may have lost its receiver.
		DrainTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range options.Accounts {
		n.add(a)
	}
	n.run()
	t.Cleanup(n.stop)
	n.listen(options.Listen)
	return n
}

func (n *network) add(a connector.Account) {
	n.t.Helper()
	if a.Plugin == nil {
		link, err := n.server.Account(btp.Credentials{Username: a.ID, Token: tokenOf(a.ID)})
		if err != nil {
			n.t.Fatal(err)
		}
		a.Plugin = link
	}
	link := &watchedPlugin{Plugin: a.Plugin, opened: make(chan struct{}), states: make(chan bool, 1000)}
	n.links[a.ID] = link
	a.Plugin = link
	if err := n.connector.AddAccount(n.t.Context(), a); err != nil {
		n.t.Fatal(err)
	}
}

// run runs the connector and waits until its accounts take connections.
func (n *network) run() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.running.Go(func() {
		if err := n.connector.Run(ctx); err != nil {
			n.t.Errorf("Run: %v", err)
		}
	})
	for _, link := range n.links {
		<-link.opened
	}
}

func (n *network) listen(addr string) {
	n.t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.addr = l.Addr().String()
	n.serving.Go(func() {
		if err := n.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.t.Errorf("Serve: %v", err)
		}
	})
}

// stop stops the connector and its server, as a host does before it exits:
// first nobody new is let in, then the connector drains.
func (n *network) stop() {
	n.once.Do(func() {
		n.http.Close()
		n.serving.Wait()
		n.cancel()
		n.running.Wait()
		n.server.Close()
	})
}

// url is the BTP URL of an account of the server.
func (n *network) url(id, token string) string { return endpoint{n.addr, id, token}.url() }

// endpoint is where somebody dials, and by which credentials.
type endpoint struct{ addr, username, token string }

// url is what ilp-plugin-btp dials.
func (e endpoint) url() string { return "btp+ws://" + e.username + ":" + e.token + "@" + e.addr }

// client is how we dial.
func (e endpoint) client() btp.ClientOptions {
	return btp.ClientOptions{
		URL:        "btp+ws://" + e.addr,
		Username:   e.username,
		Token:      e.token,
		MinBackoff: 10 * time.Millisecond,
		MaxBackoff: 50 * time.Millisecond,
	}
}

// dial starts a peer for an account of the server, and returns when it is
// connected.
func (n *network) dial(id string) *peer {
	n.t.Helper()
	p := startPeer(n.t, id, pluginOptions{Server: n.url(id, tokenOf(id))})
	if err := p.connect(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	return p
}

// await waits until the connector has been told that the link of an account
// is up, or down.
func (n *network) await(id string, connected bool) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), callTimeout)
	defer cancel()
	for {
		select {
		case state := <-n.links[id].states:
			if state == connected {
				return
			}
		case <-ctx.Done():
			n.t.Fatalf("account %s: no news that connected is %t", id, connected)
		}
	}
}

// watchedPlugin is a plugin that tells the test what it tells the connector.
type watchedPlugin struct {
	plugin.Plugin
	opened chan struct{} // closed when it is open
	states chan bool     // what HandleState was told
}

func (p *watchedPlugin) Unwrap() plugin.Plugin { return p.Plugin }

func (p *watchedPlugin) Open(ctx context.Context, h plugin.Handler) error {
	defer close(p.opened)
	return p.Plugin.Open(ctx, &watchedHandler{h, p.states})
}

type watchedHandler struct {
	plugin.Handler
	states chan<- bool
}

func (h *watchedHandler) HandleState(connected bool, err error) {
	h.Handler.HandleState(connected, err)
	h.states <- connected
}

// recorder is a rate source that remembers what was exchanged.
type recorder struct {
	connector.Backend

	mu        sync.Mutex
	exchanges []backend.Exchange
}

var _ backend.Observer = (*recorder)(nil)

func (r *recorder) Observe(x backend.Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, x)
}

// from gives what came from an account so far.
func (r *recorder) from(id string) []backend.Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.exchanges), func(x backend.Exchange) bool { return x.Source.Account != id })
}
