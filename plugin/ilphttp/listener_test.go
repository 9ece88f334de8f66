package ilphttp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/internal/testcert"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// direct is a Server behind a Listener, for a bubble or for loopback.
type direct struct {
	srv *ilphttp.Server
	l   *ilphttp.Listener
	web *http.Server
	// viaHTTP counts the requests that net/http was left with.
	viaHTTP atomic.Int64
	serving sync.WaitGroup
}

// serveDirect serves h at /ilp. Everything else is not found.
func serveDirect(t testing.TB, inner net.Listener, h plugin.Handler, change func(web *http.Server)) *direct {
	d := &direct{srv: ilphttp.NewServer(ilphttp.ServerOptions{})}
	account(t, d.srv, tokens(token), h)
	mux := http.NewServeMux()
	mux.Handle("/ilp", d.srv)
	d.web = ilphttp.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.viaHTTP.Add(1)
		mux.ServeHTTP(w, r)
	}))
	d.web.ErrorLog = discardLog
	if change != nil {
		change(d.web)
	}
	d.l = ilphttp.NewListener(inner, d.web, func(path string) (*ilphttp.Server, string) {
		if path == "/ilp" {
			return d.srv, ""
		}
		return nil, ""
	})
	d.serving.Go(func() { _ = d.web.Serve(d.l) })
	return d
}

// stop ends it, and waits.
func (d *direct) stop(t testing.TB) {
	t.Helper()
	d.web.Close()
	if err := d.l.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	d.serving.Wait()
}

// dialPipe gives the near end of a pipe to l.
func dialPipe(t testing.TB, l *pipenet.Listener) net.Conn {
	t.Helper()
	conn, err := l.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// plain is a request that is answered directly, with lines instead of others
// or besides: "name: value".
func plain(body []byte, changes ...string) string {
	lines := []string{"Host: bob", "Authorization: Bearer " + token, "Content-Type: application/octet-stream", fmt.Sprintf("Content-Length: %d", len(body))}
	for _, change := range changes {
		name, _, _ := strings.Cut(change, ":")
		replaced := false
		for i, line := range lines {
			if strings.HasPrefix(strings.ToLower(line), strings.ToLower(name)+":") && !replaced {
				lines[i], replaced = change, true
			}
		}
		if !replaced {
			lines = append(lines, change)
		}
	}
	return "POST /ilp HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + string(body)
}

// Requests are answered as net/http answers them, and directly if they are as
// the clients of this protocol send them.
func TestListenerAnswersAsNetHTTPDoes(t *testing.T) {
	packet := encode(t, newPrepare())
	large := make([]byte, ilphttp.DefaultMaxBody+1)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(packet), packet)
	for _, test := range []struct {
		name, request string
		direct        bool
		status        int
	}{
		{"a packet", plain(packet), true, 200},
		{"headers that say nothing", plain(packet, "User-Agent: node-fetch", "Accept: */*", "Accept-Encoding: gzip", "ILP-Peer-Name: alice", "Connection: Keep-Alive"), true, 200},
		{"the type of the reference", plain(packet, "CONTENT-TYPE: application/ilp+octet-stream"), true, 200},
		{"a type with a parameter", plain(packet, "Content-Type: Application/Octet-Stream; x=y"), true, 200},
		{"a token without a scheme", plain(packet, "Authorization: "+token), true, 200},
		{"no packet", plain([]byte("hello")), true, 200},
		{"no body", plain(nil), true, 200},
		{"the largest body", plain(large[1:]), true, 200},
		{"a body that is too large", plain(large), false, 413},
		{"no credentials", plain(packet, "Authorization: Bearer nobody"), false, 401},
		{"another type", plain(packet, "Content-Type: text/html"), false, 415},
		{"another path", strings.Replace(plain(packet), "/ilp", "/other", 1), false, 404},
		{"a query", strings.Replace(plain(packet), "/ilp", "/ilp?x", 1), false, 200},
		{"an encoded path", strings.Replace(plain(packet), "/ilp", "/%69lp", 1), false, 200},
		{"another method", strings.Replace(plain(packet), "POST", "PUT", 1), false, 405},
		{"HTTP/1.0", strings.Replace(plain(packet), "HTTP/1.1", "HTTP/1.0", 1), false, 200},
		{"an absolute target", strings.Replace(plain(packet), "/ilp", "http://bob/ilp", 1), false, 200},
		{"the end of the connection", plain(packet, "Connection: close"), false, 200},
		{"an unknown header", plain(packet, "X-Trace: 1"), false, 200},
		{"an asynchronous request", plain(packet, "Request-Id: 1"), false, 200},
		{"chunks", strings.Replace(plain(packet, "Content-Length: 0"), "Content-Length: 0\r\n\r\n"+string(packet), "Transfer-Encoding: chunked\r\n\r\n"+chunked, 1), false, 411},
		{"chunks and a length", plain([]byte(chunked), "Transfer-Encoding: chunked"), false, 411},
		{"two lengths", strings.Replace(plain(packet), "Host: bob\r\n", fmt.Sprintf("Host: bob\r\nContent-Length: %d\r\n", len(packet)+1), 1), false, 400},
		{"two hosts", strings.Replace(plain(packet), "Host: bob\r\n", "Host: bob\r\nHost: eve\r\n", 1), false, 400},
		{"no host", strings.Replace(plain(packet), "Host: bob\r\n", "", 1), false, 400},
		{"a length with a sign", plain(packet, fmt.Sprintf("Content-Length: +%d", len(packet))), false, 400},
		{"a folded line", plain(packet, "Accept: a\r\n Transfer-Encoding: chunked"), false, 200},
		{"a space before the colon", plain(packet, "Accept : a"), false, 400},
		{"a zero in a header", plain(packet, "Accept: a\x00"), false, 400},
		{"no name", plain(packet, ": a"), false, 400},
		{"a long header", plain(packet, "Accept: "+strings.Repeat("a", 5000)), false, 200},
		{"something else", "GET / HTTP/1.1\r\nHost: bob\r\n\r\n", false, 404},
		{"no HTTP", "hello\r\n\r\n", false, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := pipenet.Listen()
				d := serveDirect(t, l, newCounter(), nil)
				defer d.stop(t)
				conn := dialPipe(t, l)
				defer conn.Close()
				go io.WriteString(conn, test.request)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != test.status {
					t.Errorf("status %d, %q, %v; want %d", resp.StatusCode, body, err, test.status)
				}
				if resp.StatusCode == 200 {
					if resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("Date") == "" {
						t.Errorf("the headers are %v", resp.Header)
					}
					if _, err := ilp.DecodeReply(body, new(ilp.Fulfill), new(ilp.Reject)); err != nil {
						t.Errorf("the body is no reply: %v", err)
					}
				}
				if direct := d.viaHTTP.Load() == 0; direct != test.direct && test.status != 400 {
					t.Errorf("answered directly: %t, want %t", direct, test.direct)
				}
			})
		})
	}
}

// However requests are cut into pieces, and whether or not they come before
// the answer to the last one, each has its answer, in order.
func TestListenerReadsPieces(t *testing.T) {
	const packets = 5
	var all []byte
	for i := range packets {
		prepare := newPrepare()
		prepare.Amount = uint64(i)
		prepare.Data = make([]byte, i*1000)
		all = append(all, plain(encode(t, prepare))...)
	}
	echo := plugin.HandlerFunc(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		return ilp.Rejectf(ilp.F99ApplicationError, "amount %d", p.Amount)
	})
	for _, piece := range []int{1, 2, 3, 7, 100, 4095, 4096, 4097, len(all)} {
		t.Run(fmt.Sprint(piece), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := pipenet.Listen()
				d := serveDirect(t, l, echo, nil)
				defer d.stop(t)
				conn := dialPipe(t, l)
				defer conn.Close()
				go func() {
					for rest := all; len(rest) > 0; {
						n := min(piece, len(rest))
						if _, err := conn.Write(rest[:n]); err != nil {
							return
						}
						rest = rest[n:]
					}
				}()
				reader := bufio.NewReader(conn)
				for i := range packets {
					resp, err := http.ReadResponse(reader, nil)
					if err != nil {
						t.Fatal(err)
					}
					reject, _ := replyOf(t, resp).(*ilp.Reject)
					if want := fmt.Sprintf("amount %d", i); reject == nil || reject.Message != want {
						t.Errorf("answer %d is %v, want %q", i, reject, want)
					}
				}
				if n := d.viaHTTP.Load(); n != 0 {
					t.Errorf("%d requests were not answered directly", n)
				}
			})
		})
	}
}

// What comes after a packet may be anything: net/http gets it from its first
// byte, and the connection stays there.
func TestListenerHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipenet.Listen()
		d := serveDirect(t, l, fulfiller, nil)
		defer d.stop(t)
		conn := dialPipe(t, l)
		defer conn.Close()
		packet := plain(encode(t, newPrepare()))
		go io.WriteString(conn, packet+"GET /elsewhere HTTP/1.1\r\nHost: bob\r\n\r\n"+packet)
		reader := bufio.NewReader(conn)
		for i, want := range []int{200, 404, 200} {
			resp, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != want {
				t.Errorf("response %d has status %d, want %d", i, resp.StatusCode, want)
			}
		}
		if n := d.viaHTTP.Load(); n != 2 {
			t.Errorf("net/http had %d requests, want 2", n)
		}
	})
}

// A connection has the times of the http.Server: to begin a request, to send
// its head, and, of the Server, for its body.
func TestListenerTimes(t *testing.T) {
	packet := plain(encode(t, newPrepare()))
	head := strings.Index(packet, "\r\n\r\n") + 4
	for _, test := range []struct {
		name  string
		send  string
		every time.Duration // between bytes
		least time.Duration
		most  time.Duration
	}{
		{"nothing", "", 0, time.Minute, 2 * time.Minute},
		{"after a packet", packet, 0, time.Minute, 2 * time.Minute},
		{"half a head", packet[:head/2], 0, 10 * time.Second, 10 * time.Second},
		{"a head that drips", packet, time.Second, 10 * time.Second, 11 * time.Second},
		{"half a body", packet[:head+1], 0, ilphttp.DefaultBodyTimeout, ilphttp.DefaultBodyTimeout},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := pipenet.Listen()
				d := serveDirect(t, l, fulfiller, nil)
				defer d.stop(t)
				conn := dialPipe(t, l)
				defer conn.Close()
				start := time.Now()
				var sending sync.WaitGroup
				defer sending.Wait()
				sending.Go(func() {
					if test.every == 0 {
						_, _ = io.WriteString(conn, test.send)
						return
					}
					for i := range len(test.send) {
						if _, err := io.WriteString(conn, test.send[i:i+1]); err != nil {
							return
						}
						time.Sleep(test.every)
					}
				})
				text, err := io.ReadAll(conn)
				if took := time.Since(start); took < test.least || took > test.most {
					t.Errorf("the connection was closed after %v (%v), want %v to %v", took, err, test.least, test.most)
				}
				if want := "HTTP/1.1 408 "; test.name == "half a body" && !bytes.HasPrefix(text, []byte(want)) {
					t.Errorf("the response is %q, want %q", text, want)
				}
				if n := d.viaHTTP.Load(); n != 0 {
					t.Errorf("net/http had %d requests", n)
				}
			})
		})
	}
}

// Shutdown ends connections that are idle at once, waits for a request that is
// being answered, and makes it the last of its connection.
func TestListenerShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h := pipenet.Listen(), newSilent()
		d := serveDirect(t, l, h, nil)
		idle, busy := dialPipe(t, l), dialPipe(t, l)
		go io.WriteString(busy, plain(encode(t, newPrepare())))
		r := <-h.got
		ended := make(chan error)
		go func() { ended <- errors.Join(d.web.Shutdown(t.Context()), d.l.Shutdown(t.Context())) }()
		if _, err := io.ReadAll(idle); err != nil {
			t.Errorf("the idle connection: %v", err)
		}
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("Shutdown has not waited for the request: %v", err)
		default:
		}
		r.Reply(t.Context(), fulfill)
		resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
		if err != nil || resp.StatusCode != 200 || !resp.Close {
			t.Errorf("the response is %+v, %v; want the last one of its connection", resp, err)
		}
		go io.Copy(io.Discard, busy)
		if err := <-ended; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		d.serving.Wait()
		if _, err := l.Dial(t.Context(), "", ""); !errors.Is(err, pipenet.ErrRefused) {
			t.Errorf("a new connection: %v, want none", err)
		}
	})
}

// When the time for it is over, Shutdown closes what is left.
func TestListenerShutdownInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h := pipenet.Listen(), newSilent()
		d := serveDirect(t, l, h, nil)
		conn := dialPipe(t, l)
		go io.WriteString(conn, plain(encode(t, newPrepare())))
		r := <-h.got
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.web.Close()
		start, ended := time.Now(), make(chan error)
		go func() { ended <- d.l.Shutdown(ctx) }()
		time.Sleep(time.Second)
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("the connection: %v", err)
		}
		r.Reply(t.Context(), fulfill) // the packet has its effect all the same
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Shutdown: %v after %v", err, time.Since(start))
		}
		d.serving.Wait()
	})
}

// faultyListener fails once, as one does that has no more open files.
type faultyListener struct {
	net.Listener
	failed atomic.Bool
}

type passing struct{ error }

func (passing) Timeout() bool   { return false }
func (passing) Temporary() bool { return true }

func (l *faultyListener) Accept() (net.Conn, error) {
	if l.failed.CompareAndSwap(false, true) {
		return nil, passing{errors.New("too many open files")}
	}
	return l.Listener.Accept()
}

// An error that passes is the http.Server's to wait for.
func TestListenerGoesOnAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipenet.Listen()
		d := serveDirect(t, &faultyListener{Listener: l}, fulfiller, nil)
		defer d.stop(t)
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/ilp", Token: token, NetDial: l.Dial})
		defer c.Close()
		if a := <-send(c, newPrepare()); !a.fulfilled() {
			t.Errorf("the answer is %v, %v", a.reply, a.err)
		}
	})
}

// Over TLS, HTTP/1.1 is answered directly and HTTP/2 is net/http's; the client
// certificate is known either way.
func TestListenerOverTLS(t *testing.T) {
	for name, test := range map[string]struct {
		http1  bool
		direct bool
		path   string
	}{
		"HTTP/1.1":                 {true, true, "/ilp"},
		"HTTP/1.1, left to others": {true, false, "/ilp?x"},
		"HTTP/2":                   {false, false, "/ilp"},
	} {
		t.Run(name, func(t *testing.T) {
			bob, alice := testcert.SelfSigned(t, testcert.Named("bob")), testcert.SelfSigned(t, testcert.Named("alice"))
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			d := serveDirect(t, inner, fulfiller, func(web *http.Server) {
				web.TLSConfig = &tls.Config{Certificates: []tls.Certificate{bob}, ClientAuth: tls.RequestClientCert}
			})
			defer d.stop(t)
			h := newCounter()
			account(t, d.srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{ClientKeys: []ilphttp.Fingerprint{ilphttp.KeyFingerprint(alice.Leaf)}}}, h)
			c := client(t, ilphttp.ClientOptions{
				URL: "https://" + inner.Addr().String() + test.path, HTTP1: test.http1,
				TLS: &tls.Config{Certificates: []tls.Certificate{alice}, InsecureSkipVerify: true}, // it is about the client's
			})
			defer c.Close()
			for range 3 {
				if a := <-send(c, newPrepare()); !a.fulfilled() {
					t.Fatalf("the answer is %v, %v", a.reply, a.err)
				}
			}
			if direct := d.viaHTTP.Load() == 0; direct != test.direct || h.prepares.Load() != 3 {
				t.Errorf("answered directly: %t, want %t; the account of the certificate had %d packets, want 3", direct, test.direct, h.prepares.Load())
			}
		})
	}
}

// The http.Server hears of connections, for the hook that bounds those without
// a request: NewHTTPServer's, or the host's.
func TestListenerTellsConnState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var states []http.ConnState
		l := pipenet.Listen()
		d := serveDirect(t, l, fulfiller, func(web *http.Server) {
			web.ConnState = func(_ net.Conn, s http.ConnState) {
				mu.Lock()
				defer mu.Unlock()
				states = append(states, s)
			}
		})
		heard := func(want ...http.ConnState) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if fmt.Sprint(states) != fmt.Sprint(want) {
				t.Errorf("the states are %v, want %v", states, want)
			}
			states = nil
		}
		conn := dialPipe(t, l)
		heard(http.StateNew)
		reader := bufio.NewReader(conn)
		for range 2 {
			go io.WriteString(conn, plain(encode(t, newPrepare())))
			resp, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		heard(http.StateHijacked)
		conn.Close()
		heard()
		dialPipe(t, l).Close()
		heard(http.StateNew, http.StateClosed)
		conn = dialPipe(t, l)
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: bob\r\nConnection: close\r\n\r\n")
		_, _ = io.ReadAll(conn)
		heard(http.StateNew, http.StateHijacked, http.StateNew, http.StateActive, http.StateClosed)
		d.stop(t)
	})
}

// Connections that send nothing, or half a request, give way to those that
// come.
func TestListenerBoundsSilentConnections(t *testing.T) {
	const most = 1000 // of NewHTTPServer
	synctest.Test(t, func(t *testing.T) {
		l := pipenet.Listen()
		d := serveDirect(t, l, fulfiller, nil)
		defer d.stop(t)
		first, second := dialPipe(t, l), dialPipe(t, l)
		go io.WriteString(second, "POST /ilp")
		for range most {
			dialPipe(t, l)
			synctest.Wait()
		}
		for i, conn := range []net.Conn{first, second} {
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("connection %d: %v, want its end", i, err)
			}
		}
		c := client(t, ilphttp.ClientOptions{URL: "http://bob/ilp", Token: token, NetDial: l.Dial})
		defer c.Close()
		if a := <-send(c, newPrepare()); !a.fulfilled() {
			t.Errorf("the answer is %v, %v", a.reply, a.err)
		}
	})
}

// Nor can somebody who is known hold any number: of those that are idle, one
// gives way. One with a packet in flight does not.
func TestListenerBoundsIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h := pipenet.Listen(), newSilent()
		d := serveDirect(t, l, h, nil)
		defer d.stop(t)
		d.l.LimitConnections(3)
		packet := plain(encode(t, newPrepare()))
		ask := func() (*bufio.Reader, plugin.Responder) {
			conn := dialPipe(t, l)
			go io.WriteString(conn, packet)
			return bufio.NewReader(conn), <-h.got
		}
		answered := func(reader *bufio.Reader, r plugin.Responder) {
			t.Helper()
			r.Reply(t.Context(), fulfill)
			resp, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
		}
		busy, waiting := ask()
		var idle []*bufio.Reader
		for range 3 {
			reader, r := ask()
			answered(reader, r)
			idle = append(idle, reader)
			time.Sleep(2 * time.Second)
		}
		if _, err := idle[0].ReadByte(); err != io.EOF {
			t.Errorf("the connection that was idle for longest: %v, want its end", err)
		}
		_, second := ask()
		_, third := ask()
		if _, err := io.ReadAll(dialPipe(t, l)); err != nil {
			t.Errorf("a connection more, when all are busy: %v, want its end", err)
		}
		for _, r := range []plugin.Responder{second, third} {
			r.Fail(t.Context(), nil)
		}
		answered(busy, waiting)
	})
}
