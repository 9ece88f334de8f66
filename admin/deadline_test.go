package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/internal/pipenet"
)

// slowly runs the handler behind an http.Server without limits of its own, and
// gives a connection to it.
func slowly(t *testing.T, o admin.Options) (conn net.Conn, stop func()) {
	t.Helper()
	o.Tokens = []string{fullToken}
	l, web := pipenet.Listen(), &http.Server{Handler: must(admin.New(o))}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(l) })
	conn, err := l.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return conn, func() {
		conn.Close()
		web.Close()
		serving.Wait()
	}
}

// A body that does not come in time ends its request and its connection,
// however much of it there is.
func TestBodiesComeInTime(t *testing.T) {
	for name, test := range map[string]struct {
		every time.Duration
		path  string
		token string
		want  int
	}{
		"half of it":                  {time.Hour, "/balance", fullToken, http.StatusRequestTimeout},
		"a byte a second":             {time.Second, "/balance", fullToken, http.StatusRequestTimeout},
		"one that nobody wants":       {time.Hour, "/alerts/1/nothing", fullToken, http.StatusNotFound},
		"one of somebody who is none": {time.Hour, "/balance", "another token of sixteen bytes", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, stop := slowly(t, admin.Options{Connector: plain(t)})
				defer stop()
				begun := time.Now()
				go func() {
					fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n", test.path, test.token)
					for {
						if _, err := io.WriteString(conn, "{"); err != nil {
							return
						}
						time.Sleep(test.every)
					}
				}()
				reader := bufio.NewReader(conn)
				response, err := http.ReadResponse(reader, nil)
				if err != nil || response.StatusCode != test.want || time.Since(begun) != 10*time.Second {
					t.Fatalf("after %v: %+v, %v; want %d after 10 s", time.Since(begun), response, err, test.want)
				}
				if _, err := io.ReadAll(reader); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || time.Since(begun) > 12*time.Second {
					t.Errorf("after %v: %v, want the end of the connection", time.Since(begun), err)
				}
				stop()
				time.Sleep(test.every)
			})
		})
	}
}

// What takes longer than its body is not ended by the time for it, nor by that
// for an answer.
func TestBodiesThatHaveComeMayTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, stop := slowly(t, admin.Options{Connector: plain(t), NewAccount: func(ctx context.Context, id string, _ json.RawMessage) (connector.Account, error) {
			select {
			case <-time.After(5 * time.Minute):
				return connector.Account{}, errors.New("it has taken its time")
			case <-ctx.Done():
				return connector.Account{}, context.Cause(ctx)
			}
		}})
		defer stop()
		reader := bufio.NewReader(conn)
		for _, body := range []string{"Content-Length: 2\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"} {
			go fmt.Fprintf(conn, "PUT /accounts/alice HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s", fullToken, body)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			var p admin.Problem
			if err := json.Unmarshal(text, &p); err != nil || !strings.Contains(p.Detail, "it has taken its time") {
				t.Errorf("the answer is %d %q", response.StatusCode, text)
			}
		}
	})
}

// Who does not read what it is answered loses its connection, whether or not it
// is known.
func TestAnswersAreRead(t *testing.T) {
	for path, authorization := range map[string]string{"/page/app.js": "", "/nothing": "", "/accounts": "Authorization: Bearer " + fullToken + "\r\n"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, stop := slowly(t, admin.Options{Connector: plain(t)})
				defer stop()
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, authorization)
				time.Sleep(time.Minute)
				// A pipe holds nothing, so that nothing of the answer has left.
				if b, err := io.ReadAll(conn); err != nil || len(b) > 0 {
					t.Errorf("after a minute the connection gives %d bytes, %v; want its end", len(b), err)
				}
			})
		})
	}
}
