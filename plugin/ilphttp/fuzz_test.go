package ilphttp_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// Whatever an authenticated client sends, it gets one response, and a Prepare
// or the news of something that is none reaches the handler at most once.
func FuzzServe(f *testing.F) {
	f.Add("application/octet-stream", "", "", int64(-1), encode(f, newPrepare()))
	f.Add("application/octet-stream", "id", "http://far/", int64(20), encode(f, fulfill))
	f.Add("text/html; q=1", "i d", "://", int64(0), []byte("<html>"))
	f.Add("application/ilp+octet-stream", "id", "", int64(1<<40), encode(f, ilp.Rejectf(ilp.F00BadRequest, "no")))
	f.Fuzz(func(t *testing.T, contentType, id, callback string, length int64, body []byte) {
		srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newCounter()
		o := tokens(token)
		o.Outgoing.URL = "http://127.0.0.1:1/"
		link := account(t, srv, o, h)
		defer link.Close()
		r := request(t, newPrepare())
		r.Header.Set("Content-Type", contentType)
		if id != "" {
			r.Header.Set("Request-Id", id)
		}
		if callback != "" {
			r.Header.Set("Callback-Url", callback)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), max(length, -1)
		resp := serve(srv, r)
		n := h.prepares.Load() + h.malformed.Load()
		if n > 1 || n == 1 && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted || resp.StatusCode < 200 {
			t.Errorf("status %d, and the handler was called %d times", resp.StatusCode, n)
		}
	})
}

// A bearer token that nobody has lets nobody in.
func FuzzAuthorization(f *testing.F) {
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	account(f, srv, tokens(token), fulfiller)
	account(f, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{[]byte("a secret")}}}}, fulfiller)
	f.Add("Bearer x")
	f.Add("Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTU1ODAzNTg2OH0.__9CiSGdn4Grhl48slun7Lp4q4xt0uq398omcipBU8M")
	f.Add("bearer eyJhbGciOiJub25lIn0.e30.")
	f.Add("...")
	f.Fuzz(func(t *testing.T, text string) {
		if got := status(t, srv, authorization(text)); got != http.StatusUnauthorized && text != token && text != "Bearer "+token {
			t.Errorf("%q gave status %d", text, got)
		}
	})
}
