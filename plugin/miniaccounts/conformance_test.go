package miniaccounts_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// The suite sends nearly all packets to one address. It has the length of the
// user's, so that one can take the place of the other in the bytes of a packet.
const suiteAddress, userAddress = "test.plugintest", "test.a.plugtest"

// conformance has the server, as the link to one user, and that user's client.
// The addresses of the suite are not the user's: on its way a packet gets one
// that is, and then its own back.
var conformance = plugintest.Options{
	New: func(t testing.TB) (first, second plugin.Plugin, stop func()) {
		names := &aliases{}
		near := &userLink{names: names}
		srv := newServer(t, miniaccounts.Options{
			Identity: miniaccounts.ByUsername, Store: storeWith(t, map[string]string{"plugtest:hashed-token": nameOf("token")}), HandoverWindow: -1,
			Limits: miniaccounts.UserLimits{MaxInFlight: 100_000},
			Socket: miniaccounts.SocketLimits{MaxOutstanding: 100_000, MaxPending: 64 << 20},
			OnUser: func(_ string, connected bool) { near.handler.HandleState(connected, nil) },
		})
		near.Server = srv
		loopback := httptest.NewServer(srv)
		client := btp.Dial("btp+ws://plugtest:token@" + strings.TrimPrefix(loopback.URL, "http://"))
		return near, &userClient{client, names}, func() {
			loopback.Close()
			srv.Close()
		}
	},
}

func TestConformance(t *testing.T) { plugintest.Run(t, conformance) }

// aliases are the other addresses of the suite, by what stands for them.
type aliases struct {
	mu       sync.Mutex
	original []ilp.Address
}

// replace gives p with an address that stands for its own.
func (a *aliases) replace(p *ilp.Prepare) *ilp.Prepare {
	if p.Destination.String() == suiteAddress {
		return rename(p, suiteAddress, userAddress)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	replaced := *p
	replaced.Destination = ilp.MustParseAddress(userAddress + "." + strconv.Itoa(len(a.original)))
	a.original = append(a.original, p.Destination)
	return &replaced
}

// restore undoes replace.
func (a *aliases) restore(p *ilp.Prepare) *ilp.Prepare {
	if p.Destination.String() == userAddress {
		return rename(p, userAddress, suiteAddress)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i, err := strconv.Atoi(strings.TrimPrefix(p.Destination.String(), userAddress+"."))
	if err != nil {
		panic(err)
	}
	restored := *p
	restored.Destination = a.original[i]
	return &restored
}

// rename changes the address within the bytes of a packet, and nothing else.
func rename(p *ilp.Prepare, from, to string) *ilp.Prepare {
	b, err := p.AppendBinary(nil)
	if err != nil {
		return p // that is the link's to say
	}
	renamed := new(ilp.Prepare)
	if err := renamed.Decode(bytes.Replace(b, []byte(from), []byte(to), 1)); err != nil {
		panic(err)
	}
	return renamed
}

// userLink is the server as a link to one user: it is connected while the
// user is.
type userLink struct {
	*miniaccounts.Server
	names   *aliases
	handler plugin.Handler
}

func (l *userLink) Open(ctx context.Context, h plugin.Handler) error {
	if l.handler == nil { // the suite opens twice
		l.handler = h
	}
	return l.Server.Open(ctx, &userHandler{h, l.names, true})
}

func (l *userLink) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	l.Server.SendPrepare(ctx, l.names.replace(p), r)
}

func (l *userLink) Connected() bool {
	return l.Server.Connected() && l.Stats().Sockets > 0
}

// userHandler is the suite's handler at either end.
type userHandler struct {
	plugin.Handler
	names  *aliases
	parent bool
}

func (h *userHandler) HandlePrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	if h.parent && p.Destination.String() == ildcp.Destination {
		r.Reply(ctx, gives("test.a")())
		return
	}
	h.Handler.HandlePrepare(ctx, h.names.restore(p), r)
}

func (h *userHandler) HandleState(connected bool, err error) {
	if !h.parent { // OnUser tells
		h.Handler.HandleState(connected, err)
	}
}

// userClient is the user's end.
type userClient struct {
	*btp.Client
	names *aliases
}

func (c *userClient) Open(ctx context.Context, h plugin.Handler) error {
	return c.Client.Open(ctx, &userHandler{h, c.names, false})
}

func (c *userClient) SendPrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	c.Client.SendPrepare(ctx, c.names.replace(p), r)
}
