package settlement_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/store/boltstore"
)

// living is one life of a connector with its books in a file, whose account
// "bob" has an engine that reaches it over loopback.
type living struct {
	t      *testing.T
	c      *connector.Connector
	server *httptest.Server
	end    func()
}

func live(t *testing.T, path string) *living {
	t.Helper()
	st, err := boltstore.Open(path)
	check(t, err)
	rates, err := onetoone.New(onetoone.Options{})
	check(t, err)
	c, err := connector.New(connector.Config{Address: "test.alice", Store: st, Backend: rates, Middleware: middleware.Standard()})
	check(t, err)
	engine := newEngine(t, answers(http.StatusCreated))
	_, link := inproc.Pipe()
	joined, err := engine.Join(connector.Account{ID: "bob", Relation: connector.Peer, Asset: usd, Plugin: link})
	check(t, err)
	check(t, c.AddAccount(t.Context(), joined))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	l := &living{t: t, c: c, server: httptest.NewServer(engine)}
	l.end = func() {
		l.server.Close()
		stop()
		check(t, <-ended)
		check(t, st.Close())
	}
	return l
}

// asks sends the bytes of a request, which ends its connection, and gives the
// status and the body of the answer. It asks again as long as there is none,
// as engines do: the account may not be open yet (SE-51).
func (l *living) asks(request string) (status int, body string) {
	l.t.Helper()
	for {
		status, body, err := l.tries(request)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			check(l.t, err)
			return status, body
		}
	}
}

func (l *living) tries(request string) (status int, body string, err error) {
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err = io.WriteString(conn, request); err != nil {
		return 0, "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(text)), err
}

// report is the request that says that something has arrived.
func (l *living) report(key, body string) (status int, answer string) {
	l.t.Helper()
	return l.asks(fmt.Sprintf("POST /accounts/bob/settlements HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"+
		"Content-Type: application/json\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", key, len(body), body))
}

func (l *living) wantBalance(balance int64, remainder uint64) {
	l.t.Helper()
	if b := l.c.Accounts()[0].Book; b.Balance != balance || b.Remainder != remainder {
		l.t.Errorf("the book is %+v, want a balance of %d and a remainder of %d", b, balance, remainder)
	}
}

// SE-53, SE-54: the answer to a key is the same in each life of the connector,
// status and body, and nothing is booked by it.
func TestAnswersOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books")
	const half = 500_000_000_000_000_000
	for life := range 3 {
		l := live(t, path)
		for range 2 {
			for _, test := range []struct {
				key, body string
				want      int
				answer    string
			}{
				{"a", `{"amount":"105","scale":10}`, 201, `{"amount":"105","scale":10}`},
				{"a", `{"amount":"12","scale":9}`, 409, `{"amount":"105","scale":10}`},
				{"b", `{"amount":"7","scale":9}`, 201, `{"amount":"7","scale":9}`},
				{"b", `{"amount":"-7","scale":9}`, 400, `settlement: the amount "-7" must have decimal digits alone`},
			} {
				if status, answer := l.report(test.key, test.body); status != test.want || answer != test.answer {
					t.Errorf("life %d: %s under %s: %d %s, want %d %s", life, test.body, test.key, status, answer, test.want, test.answer)
				}
			}
			l.wantBalance(-17, half)
		}
		l.end()
	}
}
