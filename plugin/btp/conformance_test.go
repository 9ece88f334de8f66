package btp_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/plugintest"
)

// conformance has an account of a server, which listens, and a client.
var conformance = plugintest.Options{
	New: func(t testing.TB) (first, second plugin.Plugin, stop func()) {
		server := btp.NewServer(btp.ServerOptions{})
		account, err := server.Account(btp.Credentials{Username: "alice", Token: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		loopback := httptest.NewServer(server)
		client := btp.NewClient(btp.ClientOptions{
			URL:        "btp+ws://alice:secret@" + strings.TrimPrefix(loopback.URL, "http://"),
			MinBackoff: 5 * time.Millisecond, // a client is refused until its account is open
			MaxBackoff: 20 * time.Millisecond,
		})
		return account, client, func() {
			loopback.Close()
			server.Close()
		}
	},
}

func TestConformance(t *testing.T) {
	plugintest.Run(t, conformance)
}

func BenchmarkLoopback(b *testing.B) { plugintest.Bench(b, conformance) }
