package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// httpOptions are those of ilp-plugin-http.
type httpOptions struct {
	Incoming httpIncoming `json:"incoming"`
	Outgoing httpOutgoing `json:"outgoing"`
}

type httpIncoming struct {
	Port        int    `json:"port"` // 0: any
	StaticToken string `json:"staticToken,omitempty"`
	JWTSecret   string `json:"jwtSecret,omitempty"`
}

type httpOutgoing struct {
	URL         string `json:"url"`
	StaticToken string `json:"staticToken,omitempty"`
	JWTSecret   string `json:"jwtSecret,omitempty"`
	Name        string `json:"name,omitempty"`
}

// httpServer is an ilphttp.Server whose accounts are those of the paths
// /accounts/{account}/ilp.
type httpServer struct {
	*ilphttp.Server
	url string
}

func startHTTPServer(t *testing.T) *httpServer {
	t.Helper()
	s := &httpServer{Server: ilphttp.NewServer(ilphttp.ServerOptions{})}
	mux := http.NewServeMux()
	mux.Handle("/accounts/{account}/ilp", s.Server)
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

func (s *httpServer) urlOf(id string) string { return s.url + "/accounts/" + id + "/ilp" }

// Secrets of the accounts; each side has its own.
func incomingSecret(id string) string { return "what " + id + " shows us, 32 bytes long" }
func outgoingSecret(id string) string { return "what we show " + id + ", 32 bytes long" }

// httpPeer starts a peer that speaks HTTP, and gives the account for it.
func httpPeer(t *testing.T, s *httpServer, id string, jwt bool) (*peer, connector.Account) {
	t.Helper()
	p, options := startHTTPPeer(t, s, id, jwt)
	return p, httpAccount(t, s, id, options)
}

func httpAccount(t *testing.T, s *httpServer, id string, o ilphttp.AccountOptions) connector.Account {
	t.Helper()
	link, err := s.Account(o)
	if err != nil {
		t.Fatal(err)
	}
	a := child(id)
	a.Plugin = link
	return a
}

// startHTTPPeer starts a peer that speaks HTTP, with static tokens or JWTs.
func startHTTPPeer(t *testing.T, s *httpServer, id string, jwt bool) (*peer, ilphttp.AccountOptions) {
	t.Helper()
	o := &httpOptions{Outgoing: httpOutgoing{URL: s.urlOf(id), Name: id}}
	account := ilphttp.AccountOptions{Incoming: ilphttp.Credentials{Name: id}}
	if jwt {
		o.Incoming.JWTSecret, o.Outgoing.JWTSecret = outgoingSecret(id), incomingSecret(id)
		account.Incoming.JWT = &ilphttp.JWT{Secrets: [][]byte{[]byte(incomingSecret(id))}}
		account.Outgoing.JWT = &ilphttp.SignedJWT{Secret: []byte(outgoingSecret(id)), Subject: "connie"}
	} else {
		o.Incoming.StaticToken, o.Outgoing.StaticToken = outgoingSecret(id), incomingSecret(id)
		account.Incoming.Tokens = []string{incomingSecret(id)}
		account.Outgoing.Token = outgoingSecret(id)
	}
	p := startPeer(t, id, pluginOptions{HTTP: o})
	port, err := p.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	account.Outgoing.URL = fmt.Sprintf("http://127.0.0.1:%d/", port)
	return p, account
}

// Two nodes behind ilp-plugin-http pay one another across the connector: their
// clients come to our server, and our client to their servers. One shows
// static tokens, the other JWTs.
func TestStreamPaymentsOverHTTP(t *testing.T) {
	s := startHTTPServer(t)
	alice, aliceAccount := httpPeer(t, s, "alice", false)
	bob, bobAccount := httpPeer(t, s, "bob", true)
	startNetwork(t, networkOptions{Accounts: []connector.Account{aliceAccount, bobAccount}})

	want := configuration{Address: "test.connie.alice", AssetCode: "USD", AssetScale: 9}
	if got, err := alice.configure(t.Context()); err != nil || got != want {
		t.Fatalf("ILDCP gave alice %+v, %v; want %+v", got, err, want)
	}
	receive(t, alice, bob)
	pay(t, alice, bob, 1_000_000, 1_000_000)
	pay(t, bob, alice, 300_000, 300_000)
	checkReceived(t, bob, 1_000_000)
	checkReceived(t, alice, 300_000)
}

// One side of the payment is on HTTP, the other on BTP.
func TestStreamPaymentFromBTPToHTTP(t *testing.T) {
	s := startHTTPServer(t)
	bob, bobAccount := httpPeer(t, s, "bob", false)
	n := startNetwork(t, networkOptions{Accounts: []connector.Account{child("alice"), bobAccount}})
	alice := n.dial("alice")
	receive(t, alice, bob)
	pay(t, alice, bob, 1_000_000, 1_000_000)
	pay(t, bob, alice, 1, 1)
	checkReceived(t, bob, 1_000_000)
}

// Bare packets go to ilp-plugin-http and come back with what it answers, byte
// for byte, at the largest size that it takes.
func TestPacketsOverHTTP(t *testing.T) {
	s := startHTTPServer(t)
	bob, bobAccount := httpPeer(t, s, "bob", false)
	wallet, app := childInside("wallet")
	startNetwork(t, networkOptions{Accounts: []connector.Account{bobAccount, wallet}})
	const theirLimit = 32767 // bytes of a body
	sent := ilp.Prepare{
		Amount: oddAmount, ExpiresAt: time.Now().Add(20 * time.Second).UTC().Truncate(time.Millisecond),
		Condition: condition, Destination: ilp.MustParseAddress("test.connie.bob.some~where"),
	}
	sent.Data = bytes.Repeat([]byte{0xff}, theirLimit-sent.Size()-4) // two lengths grow by two bytes each
	want := &ilp.Fulfill{Fulfillment: fulfillment, Data: bytes.Repeat([]byte{0, 1}, ilp.MaxDataLength/2)}
	if err := bob.answer(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := app.Send(t.Context(), &sent)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("the answer is %v, %v; want that of the peer", got, err)
	}
	taken, err := bob.taken(t.Context())
	if err != nil || len(taken) != 1 || !bytes.Equal(taken[0].Data, sent.Data) || taken[0].Amount != oddAmount {
		t.Fatalf("the peer took %d packets, %v; want the one that was sent", len(taken), err)
	}
	reject := &ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.js"), Message: "no", Data: []byte{1}}
	if err := bob.answer(t.Context(), reject); err != nil {
		t.Fatal(err)
	}
	sent.Data = distinct(sent.Data)
	if _, err := app.Send(t.Context(), &sent); !isReject(err, reject.Code) {
		t.Fatalf("the answer is %v, want the reject of the peer", err)
	}
	// An exception there is status 500 here.
	if err := bob.fail(t.Context(), "on purpose"); err != nil {
		t.Fatal(err)
	}
	sent.Data = distinct(sent.Data)
	if _, err := app.Send(t.Context(), &sent); !isReject(err, ilp.T00InternalError) {
		t.Fatalf("the answer is %v, want T00 (HTTP-12)", err)
	}
}

// A token that is not valid is refused in either direction, and neither side
// takes the packet.
func TestWrongTokensOverHTTP(t *testing.T) {
	s := startHTTPServer(t)
	bob, options := startHTTPPeer(t, s, "bob", true)
	options.Incoming = ilphttp.Credentials{Name: "bob", Tokens: []string{"another"}}
	options.Outgoing.JWT = &ilphttp.SignedJWT{Secret: []byte("another"), Subject: "connie"}
	wallet, app := childInside("wallet")
	startNetwork(t, networkOptions{Accounts: []connector.Account{httpAccount(t, s, "bob", options), wallet}})

	prepare := ilp.Prepare{
		Amount: 1, ExpiresAt: time.Now().Add(20 * time.Second), Condition: condition,
		Destination: ilp.MustParseAddress("test.connie.wallet"),
	}
	if _, err := bob.send(t.Context(), &prepare); err == nil || s.Refused() != 1 {
		t.Errorf("their wrong token: %v, and %d requests were refused; want an error, and one", err, s.Refused())
	}
	if err := bob.answer(t.Context(), &ilp.Fulfill{Fulfillment: fulfillment}); err != nil {
		t.Fatal(err)
	}
	prepare.Destination = ilp.MustParseAddress("test.connie.bob.x")
	if _, err := app.Send(t.Context(), &prepare); !isReject(err, ilp.F02Unreachable) {
		t.Errorf("our wrong token: %v, want F02", err)
	}
	if taken, err := bob.taken(t.Context()); err != nil || len(taken) > 0 {
		t.Errorf("the peer took %d packets, %v; want none", len(taken), err)
	}
}

func isReject(err error, code ilp.Code) bool {
	reject, ok := errors.AsType[*ilp.Reject](err)
	return ok && reject.Code == code
}
