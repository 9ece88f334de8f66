package wsconn_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// echo serves WebSockets that send back what they get.
func echo(o wsconn.Options) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := wsconn.Accept(w, r, o)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			m, err := c.ReadMessage()
			if err != nil || send(c, m) != nil {
				return
			}
		}
	}
}

func wsURL(s *httptest.Server) string { return "ws" + strings.TrimPrefix(s.URL, "http") }

func TestDialAndAccept(t *testing.T) {
	plain := httptest.NewServer(echo(wsconn.Options{}))
	defer plain.Close()
	secure := httptest.NewTLSServer(echo(wsconn.Options{}))
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	for _, test := range []struct {
		name, url string
		o         wsconn.Options
	}{
		{"ws", wsURL(plain) + "/path?query", wsconn.Options{}},
		{"wss", wsURL(secure), wsconn.Options{TLS: &tls.Config{RootCAs: roots}}},
		{"a net.Conn of the caller's", "ws://nowhere.example", wsconn.Options{
			NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if network != "tcp" || addr != "nowhere.example:80" {
					return nil, fmt.Errorf("asked for %s %s", network, addr)
				}
				return net.Dial("tcp", plain.Listener.Addr().String())
			},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := wsconn.Dial(t.Context(), test.url, test.o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for i := range 100 {
				want := numbered(i, i*100)
				if err := send(c, want); err != nil {
					t.Fatal(err)
				}
				if got, err := c.ReadMessage(); err != nil || string(got) != string(want) {
					t.Fatalf("message %d: %d bytes, error %v", i, len(got), err)
				}
			}
			c.Shutdown(wsconn.CodeNormal, "")
			var closed *wsconn.CloseError
			if err := drain(c); !errors.As(err, &closed) {
				t.Fatal(err)
			}
		})
	}
}

func TestDialErrors(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/plain", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	s := httptest.NewServer(mux)
	defer s.Close()
	for _, url := range []string{"", "http://host", "ws://", "ws:host", "ws://user:secret@host", "%"} {
		_, err := wsconn.Dial(t.Context(), url, wsconn.Options{})
		if err == nil || !strings.Contains(err.Error(), "the URL must be ws://") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for path, want := range map[string]wsconn.StatusError{"/plain": 200, "/missing": 404} {
		_, err := wsconn.Dial(t.Context(), wsURL(s)+path, wsconn.Options{})
		var status wsconn.StatusError
		if !errors.As(err, &status) || status != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	refuse := wsconn.Options{NetDial: func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrClosedPipe }}
	if _, err := wsconn.Dial(t.Context(), "ws://host", refuse); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// A server that says nothing, or far too much, does not hold up the client
// for longer than its context.
func TestDialIsBounded(t *testing.T) {
	for _, test := range []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"silent", func(net.Conn) {}, "deadline exceeded"},
		{"endless", func(c net.Conn) {
			line := "X-Header: " + strings.Repeat("x", 1000) + "\r\n"
			if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
				return
			}
			for {
				if _, err := io.WriteString(c, line); err != nil {
					return
				}
			}
		}, "EOF"},
		{"wrong accept key", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")
		}, "Sec-WebSocket-Accept"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				done := make(chan struct{})
				go func() {
					defer close(done)
					if _, err := http.ReadRequest(bufio.NewReader(far)); err != nil {
						return
					}
					test.serve(far)
				}()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err := wsconn.Dial(ctx, "ws://host", wsconn.Options{
					NetDial: func(context.Context, string, string) (net.Conn, error) { return near, nil },
				})
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Error(err)
				}
				far.Close()
				<-done
			})
		})
	}
}

// Frames that come in one piece with the handshake are not lost, in either
// direction.
func TestFramesBehindTheHandshake(t *testing.T) {
	t.Run("of the server", func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(far))
			if err != nil {
				return
			}
			sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
			b := append([]byte(answer), frame(fin|opBinary, []byte("early"), 0)...)
			far.Write(append(b, fin|opBinary, 6, 'l'))
			far.Write([]byte("ate st"))
		}()
		c, err := wsconn.Dial(t.Context(), "ws://host", wsconn.Options{
			NetDial: func(context.Context, string, string) (net.Conn, error) { return near, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, want := range []string{"early", "late s"} {
			if m, err := c.ReadMessage(); err != nil || string(m) != want {
				t.Fatalf("got %q, error %v", m, err)
			}
		}
	})
	t.Run("of the client", func(t *testing.T) {
		s := httptest.NewServer(echo(wsconn.Options{}))
		defer s.Close()
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		request := "GET / HTTP/1.1\r\nHost: host\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
		conn.Write(append([]byte(request), frame(fin|opBinary, []byte("early"), 9)...))
		br := bufio.NewReader(conn)
		response, err := http.ReadResponse(br, nil)
		if err != nil || response.StatusCode != 101 {
			t.Fatal(response, err)
		}
		if f, err := readFrame(br); err != nil || string(f.payload) != "early" {
			t.Fatal(f, err)
		}
	})
}

// What asks for no WebSocket, or for another kind, is answered as HTTP.
func TestAcceptRefuses(t *testing.T) {
	s := httptest.NewServer(echo(wsconn.Options{}))
	defer s.Close()
	upgrade := map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13",
	}
	for _, test := range []struct {
		name, method string
		change       map[string]string
		status       int
	}{
		{"plain GET", "GET", map[string]string{"Upgrade": "", "Connection": ""}, 426},
		{"another protocol", "GET", map[string]string{"Upgrade": "h2c"}, 426},
		{"old version", "GET", map[string]string{"Sec-WebSocket-Version": "8"}, 426},
		{"no key", "GET", map[string]string{"Sec-WebSocket-Key": ""}, 400},
		{"no Connection header", "GET", map[string]string{"Connection": ""}, 400},
		{"POST", "POST", nil, 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequest(test.method, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range upgrade {
				if changed, ok := test.change[k]; ok {
					v = changed
				}
				if v != "" {
					r.Header.Set(k, v)
				}
			}
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			if test.name == "plain GET" && response.Header.Get("Upgrade") != "websocket" {
				t.Errorf("headers %v", response.Header)
			}
		})
	}
}
