package miniaccounts_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store/memstore"
)

// A packet goes to exactly one socket of its user, and to none that has not
// shown a right token.
func TestOneSocketForEachPacket(t *testing.T) {
	for policy, want := range map[miniaccounts.Policy][]int{
		miniaccounts.Newest:     {0, 0, 30},
		miniaccounts.RoundRobin: {10, 10, 10},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, miniaccounts.Options{Identity: miniaccounts.ByUsername, Store: memstore.New(), Sockets: policy})
			got := make([]int, 5)
			count := func(i int, r *btptest.Conn) {
				go func() {
					for {
						p, err := r.TryRead()
						if err != nil {
							return
						}
						if _, ok := p.Entry("ilp"); ok {
							got[i]++
							r.SendILP(btp.TypeResponse, p.RequestID, fulfill)
						}
					}
				}()
			}
			for i := range 3 {
				count(i, n.user(t, "alice", "token"))
			}
			wrong := n.raw(t)
			wrong.Send(btptest.Auth(1, "alice", "wrong"))
			count(3, wrong)
			count(4, n.raw(t))
			for range 30 {
				if o := get(t, ask(n, prepareTo("test.connie.mini.alice"))); o.fulfill == nil {
					t.Fatalf("%+v", o)
				}
			}
			synctest.Wait()
			if !reflect.DeepEqual(got, append(want, 0, 0)) {
				t.Errorf("policy %v: the sockets got %v packets", policy, got)
			}
		})
	}
}

// A reply is taken from the socket that was asked, and from no other, be it
// the same user's or another's.
func TestReplyFromAnotherSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		name := nameOf("token")
		other, second, asked := n.user(t, "", "other"), n.user(t, "", "token"), n.user(t, "", "token")
		result := ask(n, prepareTo("test.connie.mini."+name))
		_, id := asked.ReadPrepare()
		second.SendILP(btp.TypeResponse, id, &ilp.Reject{Code: "F99"})
		other.SendILP(btp.TypeResponse, id, &ilp.Reject{Code: "F99"})
		synctest.Wait()
		asked.SendILP(btp.TypeResponse, id, fulfill)
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("%+v", o)
		}
	})
}

// What a socket has not answered when it ends has an unknown outcome, at
// once; the other socket is not asked instead.
func TestSocketEndsWithPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{})
		first, second := n.user(t, "", "token"), n.user(t, "", "token")
		result := ask(n, prepareTo("test.connie.mini."+nameOf("token")))
		second.ReadPrepare()
		begin := time.Now()
		second.Close()
		if o := get(t, result); !errors.Is(o.err, plugin.ErrUnknownOutcome) || errors.Is(o.err, plugin.ErrNotSent) || time.Since(begin) > 0 {
			t.Errorf("%+v after %v", o, time.Since(begin))
		}
		synctest.Wait() // until it is no longer the newest
		result = ask(n, prepareTo("test.connie.mini."+nameOf("token")))
		_, id := first.ReadPrepare() // the next packet, and the first to this socket
		first.SendILP(btp.TypeResponse, id, fulfill)
		if o := get(t, result); o.fulfill == nil {
			t.Errorf("%+v", o)
		}
	})
}

// The oldest socket gives way to one too many.
func TestMaxSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{MaxSockets: 2})
		first := n.user(t, "", "token")
		n.user(t, "", "token")
		n.user(t, "", "token")
		if _, err := first.TryRead(); err == nil {
			t.Error("the first is still there")
		}
		if s := n.Stats(); s.Sockets != 2 || s.Users != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

// refusedSocket reports whether a further connection is refused by its status.
func (n *network) refusedSocket(t testing.TB, want int) bool {
	t.Helper()
	c, err := wsconn.Dial(t.Context(), "ws://server", wsconn.Options{NetDial: n.dial})
	if err == nil {
		c.Close()
		return false
	}
	status, ok := errors.AsType[wsconn.StatusError](err)
	if !ok || int(status) != want {
		t.Fatalf("dialling: %v", err)
	}
	return true
}

// Sockets that never speak keep no user out.
func TestFloodOfSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{MaxUnauthenticated: 10})
		var silent []*btptest.Conn
		for range 25 {
			silent = append(silent, n.raw(t))
			synctest.Wait() // the order is that in which the server knows them
		}
		n.user(t, "", "token")
		synctest.Wait()
		for i, r := range silent {
			r.SetReadDeadline(time.Now())
			_, err := r.ReadMessage()
			if ended := !errors.Is(err, os.ErrDeadlineExceeded); ended != (i < 16) {
				t.Errorf("socket %d: ended %v: %v", i, ended, err)
			}
		}
	})
}

// Anybody can make up a token, so those who have one have a bound as well.
func TestMaxConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{MaxConnections: 3})
		u := n.user(t, "", "1")
		n.user(t, "", "2")
		n.user(t, "", "3")
		if !n.refusedSocket(t, http.StatusServiceUnavailable) {
			t.Fatal("one too many is let in")
		}
		u.Close()
		synctest.Wait()
		n.user(t, "", "4")
	})
}

func TestMaxUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{MaxUsers: 2})
		u := n.user(t, "", "1")
		n.user(t, "", "2")
		n.refused(t, "", "3", btp.T00UnreachableError, "no further users are taken")
		u.Close()
		synctest.Wait()
		n.user(t, "", "3")
	})
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		n := start(t, miniaccounts.Options{MaxUsers: 2, Identity: miniaccounts.ByUsername, Store: s})
		for _, name := range []string{"a", "b"} {
			n.user(t, name, "token").Close()
			synctest.Wait()
		}
		n.refused(t, "c", "token", btp.T00UnreachableError, "no further users are taken")
		wantStored(t, s, map[string]string{"a:hashed-token": nameOf("token"), "b:hashed-token": nameOf("token")})
	})
}

// The reference's whitelist cases, but that a pattern matches the whole.
func TestOrigins(t *testing.T) {
	srv := newServer(t, miniaccounts.Options{
		AllowedOrigins:        []string{"https://wallet.example"},
		AllowedOriginPatterns: []*regexp.Regexp{regexp.MustCompile(`http://localhost:\d+`), regexp.MustCompile(`https://a\.example|https://b\.example`)},
	})
	for origin, want := range map[string]bool{
		"":                                true, // no browser
		"https://wallet.example":          true,
		"http://localhost:8080":           true,
		"https://a.example":               true,
		"https://b.example":               true,
		"https://wallet.example.thief.io": false,
		"https://wallet.example:8080":     false,
		"http://wallet.example":           false,
		"null":                            false,
		"http://localhost:80.thief.io":    false,
		"https://x/http://localhost:80":   false,
		"https://a.example.thief.io":      false,
		"x-https://b.example":             false,
		"http://localhost:80\nx":          false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		// Without an upgrade the next answer is 426.
		if allowed := w.Code == http.StatusUpgradeRequired; allowed != want || !allowed && w.Code != http.StatusForbidden {
			t.Errorf("origin %q: status %d, want allowed %v", origin, w.Code, want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Origin"] = []string{"https://wallet.example", "https://thief.io"}
	w := httptest.NewRecorder()
	if srv.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("two origins: status %d", w.Code)
	}
	if n := srv.Stats().RefusedOrigins; n != 10 {
		t.Errorf("%d refused", n)
	}
}

// OnUser hears of the first socket and of the last.
func TestOnUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type state struct {
			user      string
			connected bool
		}
		var mu sync.Mutex
		var states []state
		n := start(t, miniaccounts.Options{OnUser: func(user string, connected bool) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, state{user, connected})
		}})
		name := nameOf("token")
		for range 2 {
			a, b := n.user(t, "", "token"), n.user(t, "", "token")
			a.Close()
			synctest.Wait()
			b.Close()
			synctest.Wait()
		}
		if want := []state{{name, true}, {name, false}, {name, true}, {name, false}}; !reflect.DeepEqual(states, want) {
			t.Errorf("states %v", states)
		}
		if n.InMemory() != 0 {
			t.Errorf("%d users are still in memory", n.InMemory())
		}
	})
}

// A user who does not answer pings is gone, within the time that is set.
func TestSilentUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, miniaccounts.Options{Socket: miniaccounts.SocketLimits{PingInterval: 5 * time.Second, PongTimeout: time.Second}})
		n.user(t, "", "token") // and nobody reads
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if n.Stats().Sockets != 0 {
			t.Error("it is still there")
		}
	})
}
