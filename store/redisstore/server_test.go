package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/internal/testserver"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/redisstore"
	"github.com/interledger-go/connector/store/storetest"
)

// redisServer is a server that the tests run against.
type redisServer struct {
	*testserver.Server
	// opened counts the stores, each of which has keys of its own.
	opened atomic.Int64
}

func start(t testing.TB, args ...string) *redisServer {
	return &redisServer{Server: testserver.Redis(t, args...)}
}

// connect returns a client of the server, or of a proxy in front of it.
func connect(t testing.TB, addr string, change ...func(*rueidis.ClientOption)) rueidis.Client {
	t.Helper()
	opts := rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true}
	for _, c := range change {
		c(&opts)
	}
	client, err := rueidis.NewClient(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// open opens a store, with keys of its own unless opts name them.
func (r *redisServer) open(t testing.TB, client rueidis.Client, opts redisstore.Options) *redisstore.Store {
	t.Helper()
	if opts.Prefix == "" {
		opts.Prefix = fmt.Sprintf("store:%d", r.opened.Add(1))
	}
	s, err := redisstore.Open(context.Background(), client, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (r *redisServer) options(client rueidis.Client) storetest.Options {
	return storetest.Options{
		New: func(t testing.TB) store.Store { return r.open(t, client, redisstore.Options{}) },
		Reopen: func(t testing.TB, closed store.Store) store.Store {
			return r.open(t, client, redisstore.Options{Prefix: closed.(*redisstore.Store).Prefix()})
		},
		Crash: r.crash,
	}
}

// crash kills the server during a write, and starts it again.
func (r *redisServer) crash(t testing.TB, round int, load func(store.Store)) store.Store {
	const rounds = 6
	if round == rounds {
		return nil
	}
	proxy := testserver.NewProxy(t, r.Addr())
	s := r.open(t, connect(t, proxy.Addr()), redisstore.Options{})
	r.CrashDuring(proxy, "writer", round, func() { load(s) })
	return r.open(t, connect(t, r.Addr()), redisstore.Options{Prefix: s.Prefix()})
}

func TestConformance(t *testing.T) {
	r := start(t)
	storetest.Run(t, r.options(connect(t, r.Addr())))
}

// In a cluster the keys of a store are on one node, whatever they are.
func TestConformanceOfCluster(t *testing.T) {
	r := start(t, "--cluster-enabled", "yes")
	single := connect(t, r.Addr(), func(o *rueidis.ClientOption) { o.ForceSingleClient = true })
	if err := single.Do(t.Context(), single.B().ClusterAddslotsrange().StartSlotEndSlot().StartSlotEndSlot(0, 16383).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	awaitCluster(t, single)
	cluster := connect(t, r.Addr())
	if cluster.Mode() != rueidis.ClientModeCluster {
		t.Fatalf("the client is of mode %v", cluster.Mode())
	}
	opts := r.options(cluster)
	opts.Crash = nil // The server is the same.
	storetest.Run(t, opts)
}

// awaitCluster waits until the only node thinks that it serves all slots.
func awaitCluster(t *testing.T, client rueidis.Client) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		info, err := client.Do(t.Context(), client.B().ClusterInfo().Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(info, "cluster_state:ok") {
			return
		}
		<-look.C
	}
}

// do runs a command.
func do(t testing.TB, client rueidis.Client, command ...string) rueidis.RedisResult {
	t.Helper()
	result := client.Do(context.Background(), client.B().Arbitrary(command...).Build())
	if err := result.Error(); err != nil && !errors.Is(err, rueidis.Nil) {
		t.Fatalf("%v: %v", command, err)
	}
	return result
}

func BenchmarkStore(b *testing.B) {
	r := start(b)
	client := connect(b, r.Addr())
	storetest.Bench(b, r.options(client))
}
