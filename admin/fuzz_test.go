package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/interledger-go/connector/admin"
)

// Whatever is asked is answered with JSON, or with what the page is made of, and
// never panics. The connector does not run, so that nothing waits.
func FuzzRequests(f *testing.F) {
	h := must(admin.New(admin.Options{Connector: plain(f), Tokens: []string{fullToken}, NewAccount: newMockAccount}))
	h.Close() // streams end at once
	for _, e := range h.Endpoints() {
		f.Add(e.Method, e.Path, "", `{}`)
	}
	f.Add("GET", "/accounts", "limit=1&after=x", "")
	f.Add("POST", "/balance", "", `{"accountId":"x","amountDiff":"-1"}`)
	f.Add("PUT", "/routes/static", "", `{"routes":[{"prefix":"test.x","nextHop":"y"}]}`)
	f.Add("PUT", "/accounts/a%2Fb", "", `{"relation":"child","assetCode":"X","assetScale":1}`)
	f.Add("GET", "/explain", "address=test.x", "")
	f.Add("GET", "/events", "interval=100ms&account=a&account=b", "")
	f.Add("GET", "/packets", "account=a&prefix=g.b&outcome=refused&code=F02&since=2026-01-01T00:00:00Z&limit=3", "")
	f.Add("GET", "/packets/live", "prefix=g&interval=100ms", "")
	f.Add("DELETE", "/alerts/18446744073709551615", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		if strings.HasPrefix(path, "/trace") || strings.HasPrefix(path, "/ping") {
			return // they may take as long as a packet does
		}
		r, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
		if err != nil {
			return
		}
		if r.URL, err = r.URL.Parse("/" + strings.TrimLeft(path, "/")); err != nil || r.URL.Host != "localhost" {
			return
		}
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+fullToken)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		kind := w.Header().Get("Content-Type")
		if strings.Contains(kind, "json") && method != http.MethodHead && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: no JSON: %s", method, path, w.Body)
		}
		if w.Code >= 400 && kind != "application/problem+json" {
			t.Errorf("%s %s: %d is no problem but %s", method, path, w.Code, kind)
		}
	})
}

// What is taken for an amount is one of 64 bits, written as the reference
// writes it.
func FuzzDifference(f *testing.F) {
	for _, text := range []string{"0", "-0", "1", "-1", "01", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e3", "+1", " 1", "１"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := admin.ParseDifference(text)
		if err == nil && strconv.FormatInt(n, 10) != text {
			t.Errorf("%q is taken for %d", text, n)
		}
	})
}

// A body is one JSON value of known keys, whole.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{`{}`, `{"accountId":"a","amountDiff":"1"}`, `{"accountId":"a"} x`, `{"other":1}`, `[]`, `null`, ``, `{"accountId":"a","accountId":"b"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var a admin.Adjustment
		if err := admin.Decode(text, &a); err != nil {
			return
		}
		if !json.Valid(text) {
			t.Errorf("%q is no JSON, and taken", text)
		}
	})
}
