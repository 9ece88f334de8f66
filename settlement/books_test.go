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

// What is no settlement is refused, and not booked; the connection and the
// connector go on.
func TestBadReportsAreNotBooked(t *testing.T) {
	l := live(t, filepath.Join(t.TempDir(), "books"))
	defer l.end()
	if status, _ := l.report("first", `{"amount":"5","scale":9}`); status != http.StatusCreated {
		t.Fatalf("a settlement is answered %d", status)
	}
	amount := func(json string) string { return `{"amount":` + json + `,"scale":9}` }
	for name, test := range map[string]struct {
		body string
		want int
	}{
		"negative":                      {amount(`"-1"`), 400},
		"minus nothing":                 {amount(`"-0"`), 400},
		"fractional":                    {amount(`"1.5"`), 400},
		"fractional, and nothing of it": {amount(`"1.0"`), 400},
		"beyond 64 bits":                {amount(`"18446744073709551616"`), 400},
		"beyond 64 bits, in units":      {`{"amount":"18446744073709551615","scale":8}`, 400},
		"beyond any use":                {amount(`"` + strings.Repeat("9", 512) + `"`), 400},
		"more digits than are read":     {amount(`"` + strings.Repeat("9", 513) + `"`), 400},
		"an exponent":                   {amount(`"1e3"`), 400},
		"an exponent in capitals":       {amount(`"1E3"`), 400},
		"a leading zero":                {amount(`"01"`), 400},
		"zeros":                         {amount(`"00"`), 400},
		"a plus":                        {amount(`"+1"`), 400},
		"a space before":                {amount(`" 1"`), 400},
		"a space behind":                {amount(`"1 "`), 400},
		"a line's end":                  {amount(`"1\n"`), 400},
		"a zero behind":                 {amount(`"1\u0000"`), 400},
		"hexadecimal":                   {amount(`"0x10"`), 400},
		"hexadecimal digits":            {amount(`"ff"`), 400},
		"an underscore":                 {amount(`"1_000"`), 400},
		"a comma":                       {amount(`"1,000"`), 400},
		"digits of another script":      {amount(`"١"`), 400},
		"not a number":                  {amount(`"NaN"`), 400},
		"without end":                   {amount(`"Infinity"`), 400},
		"empty":                         {amount(`""`), 400},
		"a number":                      {amount(`1`), 400},
		"a number with an exponent":     {amount(`1e3`), 400},
		"true":                          {amount(`true`), 400},
		"a list":                        {amount(`["1"]`), 400},
		"an object":                     {amount(`{"amount":"1"}`), 400},
		"null":                          {amount(`null`), 400},
		"a scale in a string":           {`{"amount":"1","scale":"9"}`, 400},
		"a negative scale":              {`{"amount":"1","scale":-1}`, 400},
		"a scale of 256":                {`{"amount":"1","scale":256}`, 400},
		"finer than is kept":            {`{"amount":"1","scale":28}`, 400},
		"no object":                     {`"1"`, 400},
		"deeply nested":                 {strings.Repeat("[", 2000), 400},
		"nothing":                       {``, 400},
		"something behind":              {amount(`"1"`) + amount(`"1"`), 400},
		"too long":                      {amount(`"1"`) + strings.Repeat(" ", 4<<10), 413},
	} {
		if status, answer := l.report("k", test.body); status != test.want || answer == "" {
			t.Errorf("%s: %d %s, want %d", name, status, answer, test.want)
		}
		l.wantBalance(-5, 0)
	}
	if status, answer := l.report("k", amount(`"1"`)); status != http.StatusCreated { // the key stands for nothing yet
		t.Errorf("a good one: %d %s", status, answer)
	}
	l.wantBalance(-6, 0)
}

// A body that says that it is long, or does not end, is refused when that is
// known, and not read: no more than a few times its bound goes in.
func TestLongReportsAreNotRead(t *testing.T) {
	l := live(t, filepath.Join(t.TempDir(), "books"))
	defer l.end()
	const head = "POST /accounts/bob/settlements HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n" +
		"Content-Type: application/json\r\nIdempotency-Key: k\r\n"
	for name, length := range map[string]string{"a length": "Content-Length: 1000000000000\r\n\r\n", "chunks": "Transfer-Encoding: chunked\r\n\r\n"} {
		conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
		check(t, err)
		sent := make(chan int)
		go func() {
			_, err := io.WriteString(conn, head+length)
			n := 0
			for piece := "1000\r\n" + strings.Repeat(" ", 4<<10) + "\r\n"; err == nil && n < 64<<20; n += len(piece) {
				_, err = io.WriteString(conn, piece)
			}
			sent <- n
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		check(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s, want 413", name, resp.Status)
		}
		if n := <-sent; n >= 64<<20 {
			t.Errorf("%s: all of it was read", name)
		}
		_ = conn.Close()
	}
	l.wantBalance(0, 0)
}

// Of requests whose end is doubtful none that hides in another one is taken,
// and what follows one that was refused is a request of its own, or nothing.
func TestReportsThatHideOthers(t *testing.T) {
	l := live(t, filepath.Join(t.TempDir(), "books"))
	defer l.end()
	if status, _ := l.report("first", `{"amount":"5","scale":9}`); status != http.StatusCreated {
		t.Fatalf("a settlement is answered %d", status)
	}
	const head = "POST /accounts/bob/settlements HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n" +
		"Content-Type: application/json\r\nIdempotency-Key: hides\r\n"
	const body = `{"amount":"1","scale":9}`
	hidden := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", strings.Replace(head, "hides", "hidden-000", 1), len(body), body)
	wrong, keys := strings.NewReplacer("Bearer secret", "Bearer wrong"), 0
	for name, test := range map[string]struct {
		text   string
		booked int64
	}{
		"a length and chunks":           {head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, 0},
		"two lengths":                   {head + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + hidden, 0},
		"an unknown encoding":           {head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden, 0},
		"a folded encoding":             {head + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden, 0},
		"an encoding behind a LF":       {head + "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, 0},
		"an extended chunk":             {head + "Transfer-Encoding: chunked\r\n\r\n0;x=\"\r\n\r\n" + hidden, 0},
		"in a refused body":             {wrong.Replace(head) + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(hidden)) + hidden, 0},
		"behind a refused one":          {wrong.Replace(head) + "Content-Length: 2\r\n\r\n{}" + hidden, 1},
		"behind one of chunks, refused": {wrong.Replace(head) + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + hidden, 0},
	} {
		before := l.c.Accounts()[0].Book.Balance
		keys++
		text := strings.Replace(test.text, "hidden-000", fmt.Sprintf("hidden-%03d", keys), 1)
		conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
		check(t, err)
		_, err = io.WriteString(conn, text)
		check(t, err)
		_ = conn.(*net.TCPConn).CloseWrite() // the server may have closed it
		answers := bufio.NewReader(conn)
		for resp, err := http.ReadResponse(answers, nil); err == nil; resp, err = http.ReadResponse(answers, nil) {
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		_ = conn.Close()
		if got := before - l.c.Accounts()[0].Book.Balance; got != test.booked {
			t.Errorf("%s: %d is booked, want %d", name, got, test.booked)
		}
	}
}
