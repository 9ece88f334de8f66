package ratefeed_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/internal/ratefeed"
)

// get asks the handler, over loopback.
func get(t *testing.T, handler http.HandlerFunc) (ratefeed.Quotes, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	request, err := ratefeed.NewRequest(server.Client(), server.URL+"/rates?key=secret", map[string]string{"X-Key": "secret"})
	if err != nil {
		t.Fatal(err)
	}
	quotes, err := request.Get(t.Context(), ratefeed.ParseECB)
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("the error tells the key: %v", err)
	}
	return quotes, err
}

func TestGet(t *testing.T) {
	document := daily(t)
	quotes, err := get(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "secret" || r.URL.Query().Get("key") != "secret" {
			t.Errorf("asked for %v with %v", r.URL, r.Header)
		}
		_, _ = io.WriteString(w, document)
	})
	if err != nil || len(quotes.Prices) != 30 {
		t.Errorf("%d currencies, %v", len(quotes.Prices), err)
	}
}

func TestGetRefuses(t *testing.T) {
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			if code != http.StatusNoContent && code != http.StatusNotModified {
				_, _ = io.WriteString(w, daily(t))
			}
		}
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		says    string
	}{
		{"empty", answer(""), "the answer is empty"},
		{"blank", answer("\ufeff \r\n\t"), "the answer is empty"},
		{"HTML", answer("\n<!DOCTYPE HTML>\n<html lang=en><title>Blocked</title>"), "an HTML page"},
		{"HTML without doctype", answer("<HTML><body>"), "an HTML page"},
		{"garbage", answer("\x1f\x8b\x00\xff"), "not the ECB's daily rates"},
		{"cut", answer(daily(t)[:1000]), "unexpected EOF"},
		{"404", status(404), "status 404 Not Found: want 200 OK"},
		{"500", status(500), "status 500"},
		{"503", status(503), "status 503"},
		{"204", status(204), "status 204"},
		{"206", status(206), "status 206"},
		{"304", status(304), "status 304"},
		{"10 MB", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.CopyN(w, endless{"<!-- padding -->"}, 10<<20)
		}, "longer than 1048576 bytes"},
		{"10 MB of JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, endless{"["}, 10<<20) }, "not the ECB's daily rates"},
		{"redirected to another host", redirect("http://127.0.0.2:1/rates"), "to another host, 127.0.0.2:1"},
		{"redirected for ever", redirect("/rates"), "more than 3 times"},
		{"closed at once", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		{"closed half way", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, daily(t)[:500])
		}, "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			quotes, err := get(t, test.handler)
			if err == nil || quotes.Prices != nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "/rates?...: ") {
				t.Errorf("%v, %v; want an error that says %q", quotes, err, test.says)
			}
		})
	}
}

func TestGetFollowsARedirectWithinTheHost(t *testing.T) {
	quotes, err := get(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/rates" {
			http.Redirect(w, r, "/moved", http.StatusMovedPermanently)
			return
		}
		_, _ = io.WriteString(w, daily(t))
	})
	if err != nil || len(quotes.Prices) != 30 {
		t.Errorf("%d currencies, %v", len(quotes.Prices), err)
	}
}

func TestGetFromNobody(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	request, err := ratefeed.NewRequest(nil, address+"/rates?key=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = request.Get(t.Context(), ratefeed.ParseECB)
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v; want that the connection is refused, and no key", err)
	}
}

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func ok(body io.Reader) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: make(http.Header), Body: io.NopCloser(body)}
}

// stuck blocks until the request is given up.
type stuck struct{ ctx context.Context }

func (s stuck) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }

// A server that says nothing, or stops in the middle, is given up after the
// timeout; and at once when the connector stops.
func TestGetTimesOut(t *testing.T) {
	for name, answer := range map[string]transport{
		"no answer": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"no body": func(r *http.Request) (*http.Response, error) { return ok(stuck{r.Context()}), nil },
		"half a body": func(r *http.Request) (*http.Response, error) {
			return ok(io.MultiReader(strings.NewReader(daily(t)[:1000]), stuck{r.Context()})), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				request, err := ratefeed.NewRequest(&http.Client{Transport: answer}, "https://rates.example/", nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err = request.Get(t.Context(), ratefeed.ParseECB); err == nil || !strings.Contains(err.Error(), "no answer in 30s") {
					t.Errorf("%v; want that there was no answer", err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err = request.Get(ctx, ratefeed.ParseECB); !errors.Is(err, context.Canceled) {
					t.Errorf("%v; want that the context is done", err)
				}
			})
		})
	}
}

// The bound counts what is read, and takes a document that just fits.
func TestGetBound(t *testing.T) {
	document := day(`<Cube currency="USD" rate="1"/>`)
	for _, extra := range []int{0, 1} {
		padding := strings.Repeat(" ", ratefeed.MaxDocument-len(document)+extra)
		_, err := get(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document+padding) })
		if (err != nil) != (extra > 0) {
			t.Errorf("%d bytes: %v", len(document)+len(padding), err)
		}
	}
}

func TestNewRequestRefuses(t *testing.T) {
	for _, address := range []string{"", "rates.example", "/rates", "ftp://rates.example/", "https://", "https://user:secret@", "ht tp://x?key=secret", "file:///etc/rates"} {
		if r, err := ratefeed.NewRequest(nil, address, nil); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "want one such as") {
			t.Errorf("%q: %v, %v", address, r, err)
		}
	}
	for name, value := range map[string]string{"": "x", "A B": "x", "A:": "x", "A": "x\r\nB: y"} {
		if r, err := ratefeed.NewRequest(nil, "https://rates.example/", map[string]string{name: value}); err == nil {
			t.Errorf("%q: %q: %v", name, value, r)
		}
	}
}

func TestRedirectFromHTTPSToHTTP(t *testing.T) {
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		response := ok(strings.NewReader(""))
		response.StatusCode = http.StatusFound
		response.Header.Set("Location", "http://rates.example/")
		response.Request = r
		return response, nil
	})}
	request, err := ratefeed.NewRequest(client, "https://rates.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := request.Get(t.Context(), ratefeed.ParseECB); err == nil || !strings.Contains(err.Error(), "from HTTPS to HTTP") {
		t.Errorf("%v; want a refusal", err)
	}
}
