package settlement_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/settlement"
)

// A settlement, or a message, whose body does not come in time is answered 408
// and not booked, and its connection ends: also where the http.Server has no
// limits of its own. What comes in time is booked, however slowly.
func TestBodiesComeInTime(t *testing.T) {
	const body = `{"amount":"1000","scale":9}`
	for name, test := range map[string]struct {
		path, contentType string
		every             time.Duration
		want              int
	}{
		"half a settlement":           {"settlements", "application/json", time.Hour, 408},
		"half a message":              {"messages", "application/octet-stream", time.Hour, 408},
		"a settlement that drips":     {"settlements", "application/json", time.Second, 408},
		"a settlement that is slow":   {"settlements", "application/json", 300 * time.Millisecond, 201},
		"one of another type, half":   {"settlements", "text/plain", time.Hour, 415},
		"one of an account of nobody": {"nothing", "application/json", time.Hour, 404},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := join(t, newEngine(t, answers(201)))
				l := pipenet.Listen()
				web := &http.Server{Handler: f.engine, ReadTimeout: time.Minute}
				var serving sync.WaitGroup
				serving.Go(func() { _ = web.Serve(l) })
				defer serving.Wait()
				defer web.Close()
				conn, err := l.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				begun := time.Now()
				var writing sync.WaitGroup
				defer writing.Wait()
				writing.Go(func() {
					fmt.Fprintf(conn, "POST /accounts/bob/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nIdempotency-Key: k\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", test.path, test.contentType, len(body))
					for _, b := range []byte(body) {
						if _, err := conn.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(test.every)
					}
				})
				reader := bufio.NewReader(conn)
				response, err := http.ReadResponse(reader, nil)
				if err != nil || response.StatusCode != test.want {
					t.Fatalf("after %v: %+v, %v; want %d", time.Since(begun), response, err, test.want)
				}
				if test.want == 408 && time.Since(begun) != 10*time.Second {
					t.Errorf("the answer has come after %v, want 10 s", time.Since(begun))
				}
				if test.want == 201 {
					return
				}
				if rest, err := io.ReadAll(reader); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(string(rest), "HTTP/1.1 2") {
					t.Errorf("then comes %q, %v; want the end of the connection", rest, err)
				}
				if n := len(f.connector.Money()); n != 0 {
					t.Errorf("%d settlements are booked, want none", n)
				}
			})
		})
	}
}

// A message may take longer than its server lets an answer take, and is answered.
func TestAnswersOutlastTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := join(t, newEngine(t, answers(201), func(o *settlement.Options) { o.Timeout = 5 * time.Minute }))
		late := plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply {
			time.Sleep(4 * time.Minute)
			return ilp.Rejectf(ilp.F00BadRequest, "late")
		})
		if err := f.peer.Open(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		defer f.peer.Close()
		l := pipenet.Listen()
		web := &http.Server{Handler: f.engine, WriteTimeout: time.Second}
		var serving sync.WaitGroup
		serving.Go(func() { _ = web.Serve(l) })
		defer serving.Wait()
		defer web.Close()
		conn, err := l.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go io.WriteString(conn, "POST /accounts/bob/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\nx")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != http.StatusBadGateway {
			t.Errorf("the answer is %+v, %v; want that the peer has rejected it", response, err)
		}
	})
}
