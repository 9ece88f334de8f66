package ilphttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

const page = "<html>an account of the inside of some proxy</html>"

// HTTP-12: a status that brings no reply becomes a Reject, which says nothing
// of the page that came with it.
func TestStatus(t *testing.T) {
	for status, want := range map[int]ilp.Code{
		301: "F02", 302: "F02", 307: "F02", 308: "F02",
		400: "F00", 401: "F02", 403: "F02", 404: "F02", 405: "F02", 408: "T01", 413: "F00", 415: "F02", 425: "T01", 429: "T05",
		500: "T00", 502: "T00", 503: "T00", 504: "T00", 599: "T00",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var requests, elsewhere atomic.Int64
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
			defer other.Close()
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				w.Header().Set("Location", other.URL)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, page)
			}))
			defer web.Close()
			c := client(t, ilphttp.ClientOptions{URL: web.URL, Token: token})
			a := <-send(c, newPrepare())
			if a.code() != want || errors.Is(a.err, plugin.ErrNotSent) {
				t.Errorf("the answer is %v, %v; want %s", a.reply, a.err, want)
			}
			if strings.Contains(fmt.Sprint(a.reply, a.err), "proxy") {
				t.Errorf("the answer is %v, %v: it tells of the page", a.reply, a.err)
			}
			if requests.Load() != 1 || elsewhere.Load() != 0 {
				t.Errorf("%d requests were made, and %d where the response pointed; want one, and none", requests.Load(), elsewhere.Load())
			}
			if s := c.Stats(); s.Refused != 1 || s.Outstanding != 0 {
				t.Errorf("the counts are %+v, want one refused packet", s)
			}
		})
	}
}

// A status of success with something else than one reply leaves the outcome
// unknown: the packet was taken, and may be fulfilled.
func TestNoReply(t *testing.T) {
	reply := encode(t, fulfill)
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a page":           func(w http.ResponseWriter) { _, _ = io.WriteString(w, page) },
		"nothing":          func(http.ResponseWriter) {},
		"202":              func(w http.ResponseWriter) { w.WriteHeader(202) },
		"204":              func(w http.ResponseWriter) { w.WriteHeader(204) },
		"201 with a reply": func(w http.ResponseWriter) { w.WriteHeader(201); _, _ = w.Write(reply) },
		"a prepare":        func(w http.ResponseWriter) { _, _ = w.Write(encode(t, newPrepare())) },
		"half a reply":     func(w http.ResponseWriter) { _, _ = w.Write(reply[:len(reply)-1]) },
		"a broken body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(len(reply)))
			_, _ = w.Write(reply[:10])
		},
		"too much": func(w http.ResponseWriter) { _, _ = w.Write(append(reply, make([]byte, ilphttp.DefaultMaxBody)...)) },
		"no end": func(w http.ResponseWriter) {
			for range 1000 {
				_, _ = w.Write(make([]byte, 1000))
			}
		},
		"a broken connection": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(w)
			}))
			defer web.Close()
			c := client(t, ilphttp.ClientOptions{URL: web.URL, Token: token})
			a := <-send(c, newPrepare())
			if a.reply != nil || !errors.Is(a.err, plugin.ErrUnknownOutcome) || errors.Is(a.err, plugin.ErrNotSent) {
				t.Errorf("the answer is %v, %v; want an error that wraps ErrUnknownOutcome", a.reply, a.err)
			}
			if strings.Contains(fmt.Sprint(a.err), "inside") {
				t.Errorf("the error is %v: it tells of the page", a.err)
			}
			if s := c.Stats(); s.Unknown != 1 {
				t.Errorf("the counts are %+v, want one unknown outcome", s)
			}
		})
	}
}

// A packet certainly did not leave when there is no connection.
func TestNotSent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, o := range map[string]ilphttp.ClientOptions{
		"refused":        {URL: "http://" + closed.Addr().String()},
		"no TLS":         {URL: strings.Replace(plain.URL, "http:", "https:", 1)},
		"no certificate": {URL: newTLSServer(t).URL},
	} {
		t.Run(name, func(t *testing.T) {
			a := <-send(client(t, o), newPrepare())
			if !errors.Is(a.err, plugin.ErrNotSent) {
				t.Errorf("the answer is %v, %v; want an error that wraps ErrNotSent", a.reply, a.err)
			}
		})
	}
}

func newTLSServer(t testing.TB) *httptest.Server {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = discardLog
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// A connection that the server has closed while it was idle loses no packet:
// the request goes over another one, once.
func TestIdleConnectionClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newCounter()
		account(t, srv, tokens(token), h)
		l := pipenet.Listen()
		web := ilphttp.NewHTTPServer(srv)
		web.IdleTimeout = time.Second
		go web.Serve(l)
		defer web.Close()
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: l.Dial, IdleTimeout: time.Hour})
		defer c.Close()
		for i := range 5 {
			if a := <-send(c, newPrepare()); !a.fulfilled() {
				t.Fatalf("packet %d: %v, %v; want the fulfill", i, a.reply, a.err)
			}
			time.Sleep(2 * time.Second)
		}
		if n := h.prepares.Load(); n != 5 {
			t.Errorf("%d packets arrived, want 5", n)
		}
	})
}

// A server that reads the request and closes the connection, each time, gets
// it once: whether it has taken the packet is not known.
func TestNeverSentTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int64
	var serving sync.WaitGroup
	serving.Go(func() {
		for first := true; ; first = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			reader := bufio.NewReader(conn)
			for {
				r, err := http.ReadRequest(reader)
				if err != nil {
					break
				}
				_, _ = io.Copy(io.Discard, r.Body)
				requests.Add(1)
				if !first || requests.Load() > 1 {
					break
				}
				reply, _ := fulfill.AppendBinary(nil)
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply)
			}
			conn.Close()
		}
	})
	defer serving.Wait()
	defer l.Close()
	c := client(t, ilphttp.ClientOptions{URL: "http://" + l.Addr().String()})
	if a := <-send(c, newPrepare()); !a.fulfilled() { // so that the next goes over a used connection
		t.Fatalf("the answer is %v, %v", a.reply, a.err)
	}
	a := <-send(c, newPrepare())
	if !errors.Is(a.err, plugin.ErrUnknownOutcome) || errors.Is(a.err, plugin.ErrNotSent) || requests.Load() != 2 {
		t.Errorf("the answer is %v, %v, and %d requests were made; want an unknown outcome, and two", a.reply, a.err, requests.Load())
	}
}

// A request is given up by its packet's expiry, in milliseconds, and the late
// window; nothing else bounds it, and nothing is given up sooner.
func TestGivenUpByExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{Limits: ilphttp.Limits{LateWindow: time.Hour}}), newSilent()
		account(t, srv, tokens(token), h)
		l, stop := servePipes(srv)
		defer stop()
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: l.Dial, Limits: ilphttp.Limits{LateWindow: 2 * time.Second}})
		defer c.Close()
		for _, life := range []time.Duration{-time.Second, 1, 50 * time.Millisecond, 1999 * time.Millisecond, 4 * time.Minute} {
			prepare := newPrepare()
			start := time.Now()
			prepare.ExpiresAt = start.Add(life)
			a := <-send(c, prepare)
			if took, want := time.Since(start), max(life, 0)+2*time.Second; took != want || !errors.Is(a.err, plugin.ErrUnknownOutcome) {
				t.Errorf("with a life of %v: %v, %v after %v; want an unknown outcome after %v", life, a.reply, a.err, took, want)
			}
		}
		// A late fulfillment comes through: the connector counts it.
		for range len(h.got) {
			<-h.got
		}
		prepare := newPrepare()
		prepare.ExpiresAt = time.Now().Add(time.Second)
		answered := send(c, prepare)
		r := <-h.got
		time.Sleep(2500 * time.Millisecond)
		r.Reply(t.Context(), fulfill)
		if a := <-answered; !a.fulfilled() {
			t.Errorf("a late fulfill: %v, %v; want it", a.reply, a.err)
		}
	})
}

// While no connection can be made, a packet waits for no longer than it lives,
// and is not sent.
func TestDialThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", NetDial: hang, Limits: ilphttp.Limits{LateWindow: time.Second}})
		prepare := newPrepare()
		start := time.Now()
		prepare.ExpiresAt = start.Add(1500 * time.Millisecond)
		a := <-send(c, prepare)
		if took := time.Since(start); took != 2500*time.Millisecond || !errors.Is(a.err, plugin.ErrNotSent) {
			t.Errorf("%v after %v, want ErrNotSent after 2.5s", a.err, took)
		}
		c.Close()
	})
}

func TestTooMuchOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newSilent()
		account(t, srv, tokens(token), h)
		l, stop := servePipes(srv)
		defer stop()
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: l.Dial, Limits: ilphttp.Limits{MaxInFlight: 1}})
		defer c.Close()
		first := send(c, newPrepare())
		r := <-h.got
		if a := <-send(c, newPrepare()); !errors.Is(a.err, plugin.ErrBusy) {
			t.Errorf("a second packet: %v, %v; want ErrBusy", a.reply, a.err)
		}
		r.Reply(t.Context(), fulfill)
		if a := <-first; !a.fulfilled() {
			t.Errorf("the first packet: %v, %v; want the fulfill", a.reply, a.err)
		}
	})
}

func TestClientRefusesBadOptions(t *testing.T) {
	for want, o := range map[string]ilphttp.ClientOptions{
		"no URL":       {},
		"scheme":       {URL: "bob.example/ilp"},
		"no host":      {URL: "https:///ilp"},
		"parsed":       {URL: "https://bob/%zz"},
		"has a user":   {URL: "https://alice:hunter2@bob/"},
		"asynchronous": {URL: "https://bob/", Async: true},
		"delimiter":    {URL: "https://bob/", Delimiter: "%"},
		"not ASCII":    {URL: "https://bücher.example/"},
		"a space":      {URL: "https://bob/ilp?a HTTP/1.1"},
		"be sent":      {URL: "https://bob/", Token: "a\r\nHost: eve"},
		"Peer-Name":    {URL: "https://bob/", PeerName: "a\nb"},
		"one of them":  {URL: "https://bob/", JWT: &ilphttp.SignedJWT{}},
	} {
		c := ilphttp.NewClient(o)
		err := c.Open(t.Context(), fulfiller)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error is %v, want one with %q and no secret", err, want)
		}
		if a := <-send(c, newPrepare()); !errors.Is(a.err, plugin.ErrNotSent) {
			t.Errorf("a packet: %v, want ErrNotSent", a.err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A packet that cannot be encoded is not sent.
func TestUnencodable(t *testing.T) {
	c := client(t, ilphttp.ClientOptions{URL: "http://127.0.0.1:1/"})
	if a := <-send(c, &ilp.Prepare{}); !errors.Is(a.err, plugin.ErrNotSent) || !errors.Is(a.err, ilp.ErrInvalidPacket) {
		t.Errorf("the answer is %v, want ErrNotSent and what is wrong with the packet", a.err)
	}
}

// Many packets that come at once share a few HTTP/2 connections; a server
// without HTTP/2 is given as many as there are packets.
func TestConnections(t *testing.T) {
	const packets = 200
	for _, http2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("HTTP2=%t", http2), func(t *testing.T) {
			srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newSilent()
			h.got = make(chan plugin.Responder, packets)
			account(t, srv, tokens(token), h)
			web := httptest.NewUnstartedServer(srv)
			var connections atomic.Int64
			web.Config = ilphttp.NewHTTPServer(srv)
			web.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					connections.Add(1)
				}
			}
			if web.EnableHTTP2 = http2; !http2 {
				web.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
			}
			web.StartTLS()
			defer web.Close()
			c := client(t, ilphttp.ClientOptions{URL: web.URL, Token: token, TLS: trust(web)})
			defer c.Close()
			warm := send(c, newPrepare())
			(<-h.got).Reply(t.Context(), fulfill)
			<-warm
			var sent []<-chan answer
			for range packets {
				sent = append(sent, send(c, newPrepare()))
			}
			var got []plugin.Responder
			for range packets { // all of them are there, and none is answered
				got = append(got, <-h.got)
			}
			for _, r := range got {
				r.Reply(t.Context(), fulfill)
			}
			for _, a := range sent {
				if a := <-a; !a.fulfilled() {
					t.Fatalf("the answer is %v, %v", a.reply, a.err)
				}
			}
			if n := connections.Load(); http2 != (n <= 12) {
				t.Errorf("%d connections were made for %d packets", n, packets)
			}
		})
	}
}

// What a server sends beyond its response is no answer to the next packet.
func TestUnaskedBytes(t *testing.T) {
	reject := encode(t, ilp.Rejectf(ilp.F99ApplicationError, "nobody asked"))
	reply := encode(t, fulfill)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections atomic.Int64
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			r, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprintf(conn, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply, len(reject), reject)
			}
			defer conn.Close()
		}
	})
	defer serving.Wait()
	defer l.Close()
	c := client(t, ilphttp.ClientOptions{URL: "http://" + l.Addr().String()})
	for range 3 {
		if a := <-send(c, newPrepare()); !a.fulfilled() {
			t.Errorf("the answer is %v, %v; want the fulfill", a.reply, a.err)
		}
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("%d connections were used for 3 packets: one with bytes left on it was used again", n)
	}
}

// A connection that does not take the whole request has not sent the packet.
func TestHalfWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", NetDial: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			near, far := net.Pipe()
			go func() {
				_, _ = io.ReadFull(far, make([]byte, 50))
				far.Close()
			}()
			return near, nil
		}})
		a := <-send(c, newPrepare())
		if !errors.Is(a.err, plugin.ErrNotSent) || dials.Load() != 1 {
			t.Errorf("the answer is %v, %v after %d dials; want ErrNotSent after one", a.reply, a.err, dials.Load())
		}
		c.Close()
	})
}

// Idle connections are closed in time, and packets share those that there are.
func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newSilent()
		account(t, srv, tokens(token), h)
		l := pipenet.Listen()
		web := ilphttp.NewHTTPServer(srv)
		var open atomic.Int64
		web.ConnState = func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Add(-1)
			}
		}
		go web.Serve(l)
		defer web.Close()
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/", Token: token, NetDial: l.Dial, IdleTimeout: 3 * time.Second})
		defer c.Close()
		for _, n := range []int{10, 10, 5} {
			var sent []<-chan answer
			for range n {
				sent = append(sent, send(c, newPrepare()))
			}
			var got []plugin.Responder
			for range n {
				got = append(got, <-h.got)
			}
			for i := range got {
				got[i].Reply(t.Context(), fulfill)
			}
			for i := range sent {
				<-sent[i]
			}
			if got := open.Load(); got != 10 {
				t.Errorf("%d connections are open after %d packets at once, want 10", got, n)
			}
			synctest.Wait()
		}
		time.Sleep(5 * time.Second)
		if got := open.Load(); got != 0 {
			t.Errorf("%d connections are open that nobody has used for 5s, want none", got)
		}
	})
}
