package ilphttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// counter is a handler that counts what it is given, and fulfils.
type counter struct {
	plugin.HandlerFunc
	prepares, malformed atomic.Int64
}

func newCounter() *counter { return &counter{HandlerFunc: fulfiller} }

func (c *counter) HandlePrepare(ctx context.Context, p *ilp.Prepare, r plugin.Responder) {
	c.prepares.Add(1)
	c.HandlerFunc.HandlePrepare(ctx, p, r)
}

func (c *counter) HandleMalformed(ctx context.Context, err error, r plugin.Responder) {
	c.malformed.Add(1)
	c.HandlerFunc.HandleMalformed(ctx, err, r)
}

// Nothing reaches the handler of what is refused by a status.
func TestRefusals(t *testing.T) {
	large := make([]byte, ilphttp.DefaultMaxBody+1)
	for _, test := range []struct {
		name   string
		change func(r *http.Request)
		want   int
	}{
		{"GET", func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"PUT", func(r *http.Request) { r.Method = http.MethodPut }, 405},
		{"no credentials", func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		{"no content type", func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		{"two content types", func(r *http.Request) { r.Header.Add("Content-Type", "application/octet-stream") }, 415},
		{"JSON", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415},
		{"the content type of the reference", func(r *http.Request) { r.Header.Set("Content-Type", "application/ilp+octet-stream") }, 200},
		{"a content type with a parameter", func(r *http.Request) { r.Header.Set("Content-Type", "Application/Octet-Stream; x=y") }, 200},
		{"a body that is too large", func(r *http.Request) { setBody(r, large, int64(len(large))) }, 413},
		{"a chunked body that is too large", func(r *http.Request) { setBody(r, large, -1) }, 413},
		{"a body that is cut short", func(r *http.Request) { setBody(r, large[:10], 20) }, 400},
		{"a callback without an id", func(r *http.Request) { r.Header.Set("Callback-Url", "https://alice/") }, 400},
		{"a callback that was not agreed on", func(r *http.Request) {
			r.Header.Set("Request-Id", "1")
			r.Header.Set("Callback-Url", "http://169.254.169.254/")
		}, 403},
		{"an id that is too long", func(r *http.Request) { r.Header.Set("Request-Id", strings.Repeat("x", 65)) }, 400},
		{"an id that cannot be seen", func(r *http.Request) { r.Header.Set("Request-Id", "a b") }, 400},
		{"two ids", func(r *http.Request) { r.Header["Request-Id"] = []string{"a", "b"} }, 400},
		{"an id without a callback", func(r *http.Request) { r.Header.Set("Request-Id", "1") }, 200},
		{"a wish that is not heeded", func(r *http.Request) { r.Header.Set("Prefer", "respond-async") }, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newCounter()
			account(t, srv, tokens(token), h)
			r := request(t, newPrepare())
			test.change(r)
			if got := serve(srv, r).StatusCode; got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
			want := int64(0)
			if test.want == 200 {
				want = 1
			}
			if h.prepares.Load() != want || h.malformed.Load() != 0 {
				t.Errorf("the handler was given %d packets, and %d that were none; want %d, and none", h.prepares.Load(), h.malformed.Load(), want)
			}
		})
	}
}

func setBody(r *http.Request, body []byte, length int64) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), length
}

// The largest packets there are go through.
func TestLargestPacket(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	reject := &ilp.Reject{
		Code: ilp.F99ApplicationError, Data: make([]byte, ilp.MaxDataLength), Message: strings.Repeat("m", ilp.MaxMessageLength),
		TriggeredBy: ilp.MustParseAddress("g." + strings.Repeat("a", ilp.MaxAddressLength-2)),
	}
	account(t, srv, tokens(token), plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return reject }))
	web := httptest.NewServer(srv)
	defer web.Close()
	prepare := newPrepare()
	prepare.Destination, prepare.Data = reject.TriggeredBy, reject.Data
	a := <-send(client(t, ilphttp.ClientOptions{URL: web.URL, Token: token}), prepare)
	if got, ok := a.reply.(*ilp.Reject); !ok || got.Size() != ilp.MaxRejectSize {
		t.Errorf("the answer is %v, %v; want a reject of %d bytes", a.reply, a.err, ilp.MaxRejectSize)
	}
}

// Bytes that are no Prepare are answered with F01, in band, by the handler.
func TestMalformed(t *testing.T) {
	srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newCounter()
	account(t, srv, tokens(token), h)
	bodies := [][]byte{{}, {12}, []byte("<html>"), encode(t, fulfill), encode(t, ilp.Rejectf(ilp.F00BadRequest, ""))}
	for _, body := range bodies {
		r := request(t, newPrepare())
		setBody(r, body, int64(len(body)))
		if reject, ok := replyOf(t, serve(srv, r)).(*ilp.Reject); !ok || reject.Code != ilp.F01InvalidPacket {
			t.Errorf("%x was not answered with F01", body)
		}
	}
	if h.prepares.Load() != 0 || h.malformed.Load() != int64(len(bodies)) {
		t.Errorf("the handler was given %d packets, and %d that were none; want none, and %d", h.prepares.Load(), h.malformed.Load(), len(bodies))
	}
}

func TestNotOpen(t *testing.T) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	p, err := srv.Account(tokens(token))
	if err != nil {
		t.Fatal(err)
	}
	if got := serve(srv, request(t, newPrepare())).StatusCode; got != 503 {
		t.Errorf("before Open the status is %d, want 503", got)
	}
	p.Close()
	if got := serve(srv, request(t, newPrepare())).StatusCode; got != 401 {
		t.Errorf("after Close the status is %d, want 401", got)
	}
}

// Past the bound of an account its packets are answered T03, in band, and
// other accounts notice nothing.
func TestInFlightBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{Limits: ilphttp.Limits{MaxInFlight: 2}}), newSilent()
		busy := account(t, srv, tokens(token), h)
		account(t, srv, tokens("other"), fulfiller)
		for range 2 {
			go serve(srv, request(t, newPrepare()))
		}
		first, second := <-h.got, <-h.got
		if reject, ok := replyOf(t, serve(srv, request(t, newPrepare()))).(*ilp.Reject); !ok || reject.Code != ilp.T03ConnectorBusy {
			t.Error("a third packet was not answered with T03")
		}
		if got := status(t, srv, authorization("other")); got != 200 {
			t.Errorf("another account got status %d, want 200", got)
		}
		first.Reply(t.Context(), fulfill)
		synctest.Wait()
		go serve(srv, request(t, newPrepare()))
		third := <-h.got
		for _, r := range []plugin.Responder{second, third} {
			r.Reply(t.Context(), fulfill)
		}
		synctest.Wait()
		if s := busy.Stats(); s.Unanswered != 0 {
			t.Errorf("%d packets are counted as unanswered, want none", s.Unanswered)
		}
	})
}

// A request is held for the life of its packet and the late window, by the
// millisecond, and for no more than MaxHold whatever the packet says.
func TestHeldUntilExpiry(t *testing.T) {
	for name, test := range map[string]struct{ life, want time.Duration }{
		"expiry":    {1234 * time.Millisecond, 1234*time.Millisecond + 3*time.Second},
		"expired":   {-time.Hour, 3 * time.Second},
		"next year": {365 * 24 * time.Hour, time.Minute + 3*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, h := ilphttp.NewServer(ilphttp.ServerOptions{Limits: ilphttp.Limits{LateWindow: 3 * time.Second, MaxHold: time.Minute}}), newSilent()
				p := account(t, srv, tokens(token), h)
				prepare := newPrepare()
				start := time.Now()
				prepare.ExpiresAt = start.Add(test.life)
				if got := serve(srv, request(t, prepare)).StatusCode; got != 504 || time.Since(start) != test.want {
					t.Errorf("status %d after %v, want 504 after %v", got, time.Since(start), test.want)
				}
				(<-h.got).Reply(t.Context(), fulfill) // too late: it changes nothing
				if s := p.Stats(); s.Abandoned != 1 || s.Unanswered != 0 {
					t.Errorf("the counts are %+v, want one abandoned packet", s)
				}
			})
		})
	}
}

// What the handler fails with is no packet, unless it is a Reject.
func TestHandlerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newSilent()
		account(t, srv, tokens(token), h)
		answered := make(chan *http.Response)
		for _, test := range []struct {
			err  error
			want int
		}{{nil, 500}, {plugin.ErrNotSent, 500}, {errors.New("secret"), 500}, {ilp.Rejectf(ilp.T04InsufficientLiquidity, ""), 200}} {
			go func() { answered <- serve(srv, request(t, newPrepare())) }()
			(<-h.got).Fail(t.Context(), test.err)
			resp := <-answered
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.want || strings.Contains(string(text), "secret") {
				t.Errorf("%v gave status %d, %q; want %d, and nothing of the error", test.err, resp.StatusCode, text, test.want)
			}
		}
	})
}

// A client that goes away ends its request and not its packet.
func TestClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newSilent()
		p := account(t, srv, tokens(token), h)
		l, stop := servePipes(srv)
		defer stop()
		conn, err := l.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		body := encode(t, newPrepare())
		fmt.Fprintf(conn, "POST /ilp HTTP/1.1\r\nHost: bob\r\nAuthorization: Bearer %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
		r := <-h.got
		conn.Close()
		synctest.Wait()
		if s := p.Stats(); s.Abandoned != 1 || s.Unanswered != 0 {
			t.Errorf("the counts are %+v, want one abandoned packet, and none that is held", s)
		}
		r.Reply(t.Context(), fulfill)
		// What the answer would have gone to serves others now.
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: l.Dial})
		defer c.Close()
		answered := send(c, newPrepare())
		next := <-h.got
		r.Reply(t.Context(), ilp.Rejectf(ilp.F00BadRequest, "the answer to another packet"))
		next.Reply(t.Context(), fulfill)
		if a := <-answered; !a.fulfilled() {
			t.Errorf("the answer is %v, %v; want the fulfill", a.reply, a.err)
		}
	})
}

// A body that does not come is given up, and so are headers.
func TestSlowClient(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want time.Duration
		line string
	}{
		"headers":                   {"POST /ilp HTTP/1.1\r\nHost: bob\r\nX-Slow:", 10 * time.Second, ""},
		"body":                      {"POST /ilp HTTP/1.1\r\nHost: bob\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/octet-stream\r\nContent-Length: 20\r\n\r\nabc", 5 * time.Second, "HTTP/1.1 408 "},
		"body without credentials":  {"POST /ilp HTTP/1.1\r\nHost: bob\r\nContent-Type: application/octet-stream\r\nContent-Length: 20\r\n\r\nabc", time.Second, "HTTP/1.1 401 "},
		"body that is never wanted": {"POST /ilp HTTP/1.1\r\nHost: bob\r\nAuthorization: Bearer " + token + "\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\nabc", time.Second, "HTTP/1.1 415 "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, h := ilphttp.NewServer(ilphttp.ServerOptions{Limits: ilphttp.Limits{BodyTimeout: 5 * time.Second}}), newCounter()
				account(t, srv, tokens(token), h)
				l, stop := servePipes(srv)
				defer stop()
				conn, err := l.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				start := time.Now()
				if _, err := io.WriteString(conn, test.text); err != nil {
					t.Fatal(err)
				}
				got, _ := io.ReadAll(conn)
				if took := time.Since(start); took > test.want+time.Second || took < test.want || !strings.HasPrefix(string(got), test.line) {
					t.Errorf("after %v came %q, want %q after %v, and the end of the connection", took, got, test.line, test.want)
				}
				if h.prepares.Load()+h.malformed.Load() != 0 {
					t.Error("something reached the handler")
				}
			})
		})
	}
}

// The time for a body does not bound the time in which its packet is answered.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{Limits: ilphttp.Limits{BodyTimeout: time.Second}}), newSilent()
		account(t, srv, tokens(token), h)
		l, stop := servePipes(srv)
		defer stop()
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: l.Dial})
		defer c.Close()
		prepare := newPrepare()
		prepare.ExpiresAt = time.Now().Add(2 * time.Minute)
		answered := send(c, prepare)
		r := <-h.got
		time.Sleep(time.Minute)
		r.Reply(t.Context(), fulfill)
		if a := <-answered; !a.fulfilled() {
			t.Errorf("the answer is %v, %v; want the fulfill", a.reply, a.err)
		}
	})
}

// Requests whose end two readers may see at different places are refused, and
// what follows them is not taken for a request. Most of it is the work of
// net/http; money depends on it.
func TestRequestSmuggling(t *testing.T) {
	body := encode(t, newPrepare())
	head := "POST /ilp HTTP/1.1\r\nHost: bob\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/octet-stream\r\n"
	hidden := head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	for name, text := range map[string]string{
		"length and chunks":   head + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunks alone":        head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":         head + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n%s", len(hidden), hidden),
		"a list of lengths":   head + "Content-Length: 5, 6\r\n\r\n" + hidden,
		"a signed length":     head + "Content-Length: +5\r\n\r\n" + hidden,
		"two encodings":       head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"an unknown encoding": head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"a folded line":       head + "X-Folded: a\r\n b\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + hidden,
		"space before colon":  head + "Content-Length : 5\r\n\r\n" + hidden,
		"a chunk too long":    head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + hidden,
		"two hosts":           head + "Host: eve\r\n\r\n" + hidden,
	} {
		t.Run(name, func(t *testing.T) {
			srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newCounter()
			account(t, srv, tokens(token), h)
			web := httptest.NewServer(srv)
			defer web.Close()
			conn, err := net.Dial("tcp", web.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			_ = conn.(*net.TCPConn).CloseWrite() // the peer may have closed it
			answers := bufio.NewReader(conn)
			for {
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, resp.Body)
			}
			if n := h.prepares.Load(); n != 0 {
				t.Errorf("%d hidden packets were taken", n)
			}
		})
	}
}

// Connections that send nothing take no more than their share of the process's
// descriptors: the one that has been silent for longest is closed.
func TestServerBoundsSilentConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipenet.Listen()
		web := ilphttp.NewHTTPServer(http.NotFoundHandler())
		go web.Serve(l)
		defer web.Close()
		var conns []net.Conn
		for range 1003 {
			c, err := l.Dial(t.Context(), "tcp", "bob:80")
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			synctest.Wait()
		}
		for i, c := range conns {
			c.SetReadDeadline(time.Now())
			_, err := c.Read(make([]byte, 1))
			if ended := !errors.Is(err, os.ErrDeadlineExceeded); ended != (i < 3) {
				t.Fatalf("connection %d: ended %v: %v", i, ended, err)
			}
		}
	})
}

// Shutdown of the http.Server waits for packets, and Close of the account does
// not.
func TestServerEndsWithPacketsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newSilent()
		p := account(t, srv, tokens(token), h)
		l := pipenet.Listen()
		web := ilphttp.NewHTTPServer(srv)
		go web.Serve(l)
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: l.Dial})
		defer c.Close()
		first, second := send(c, newPrepare()), send(c, newPrepare())
		one, two := <-h.got, <-h.got
		ended := make(chan error, 1)
		go func() { ended <- web.Shutdown(context.Background()) }()
		synctest.Wait()
		one.Reply(t.Context(), fulfill)
		synctest.Wait()
		if (len(first) == 0) == (len(second) == 0) {
			t.Error("the answer did not arrive while the server shuts down")
		}
		p.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		two.Reply(t.Context(), fulfill)
		fulfilled, failed := 0, 0
		for _, a := range []answer{<-first, <-second} {
			if a.fulfilled() {
				fulfilled++
			} else if !errors.Is(a.err, plugin.ErrNotSent) {
				failed++
			}
		}
		if fulfilled != 1 || failed != 1 {
			t.Errorf("%d packets were fulfilled and %d have another outcome, want one each", fulfilled, failed)
		}
	})
}
