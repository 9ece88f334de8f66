package ilphttp_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/interledger-go/connector/plugin/ilphttp"
)

// Where a head is plain, net/http reads the same from it, to the byte: there
// is no request that the two would end at different places, or take for
// somebody else's.
func FuzzHead(f *testing.F) {
	for _, text := range []string{
		plain([]byte("hello")),
		plain([]byte("hello"), "Accept: a\r\n b", "Connection: close, keep-alive"),
		plain([]byte("hello"), "Transfer-Encoding: chunked"),
		plain([]byte("hello"), "Content-Length: 5\r\nContent-Length: 6"),
		plain([]byte("hello"), "Content-Length: 0x5"), plain(nil, "Host: a b"), plain(nil, "Host:"),
		strings.ReplaceAll(plain([]byte("hello")), "\r\n", "\n"),
		strings.Replace(plain([]byte("hello")), "\r\n", "\r\r\n", 1),
		strings.Replace(plain([]byte("hello")), "/ilp", "/ilp HTTP/1.1", 1),
		"POST  HTTP/1.1\r\n\r\n", "POST /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		h, verdict := ilphttp.ParseHead(text)
		if verdict != ilphttp.HeadPlain {
			return
		}
		reader := bufio.NewReader(bytes.NewReader(text))
		r, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", text, err)
		}
		rest, _ := io.ReadAll(reader) // of memory
		if size := len(text) - len(rest); r.ContentLength != int64(h.Length) || len(r.TransferEncoding) > 0 || size != h.Size && h.Length == 0 {
			t.Errorf("%q: the length is %d, and %d to net/http, %v", text, h.Length, r.ContentLength, r.TransferEncoding)
		}
		if r.Method != http.MethodPost || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.RequestURI != h.Path || r.URL.Path != h.Path || r.Close {
			t.Errorf("%q: the path is %q, and to net/http it is %s %q, HTTP/%d.%d", text, h.Path, r.Method, r.RequestURI, r.ProtoMajor, r.ProtoMinor)
		}
		if got := strings.Join(r.Header["Authorization"], ","); got != h.Authorization {
			t.Errorf("%q: the authorization is %q, and %q to net/http", text, h.Authorization, got)
		}
		if r.Host == "" || len(r.Header["Content-Type"]) != 1 || r.Header.Get("Expect") != "" {
			t.Errorf("%q: the host is %q and the headers are %v", text, r.Host, r.Header)
		}
	})
}

// Of a plain head of a response net/http reads the same, too.
func FuzzResponseHead(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nContent-Type: a\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nConnection: keep-alive\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n Content-Length: 6\r\n\r\nhello",
		"HTTP/1.1 200 \r\nContent-Length:5\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		length, size, last, verdict := ilphttp.ParseResponseHead(text)
		if verdict != ilphttp.HeadPlain {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), &http.Request{Method: http.MethodPost})
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", text, err)
		}
		if resp.StatusCode != 200 || resp.ContentLength != int64(length) || len(resp.TransferEncoding) > 0 || resp.Close != last {
			t.Errorf("%q: the length is %d, closing %t, and to net/http it is %d, %d, %t", text, length, last, resp.StatusCode, resp.ContentLength, resp.Close)
		}
		body, _ := io.ReadAll(resp.Body) // it may be cut short
		if want := text[size:min(len(text), size+length)]; !bytes.Equal(body, want) {
			t.Errorf("%q: the body is %q, and %q to net/http", text, want, body)
		}
	})
}

// A head is short until it is whole, at whatever byte it is cut.
func TestHeadIsShortUntilItIsWhole(t *testing.T) {
	text := plain(nil)
	for n := range len(text) {
		if _, v := ilphttp.ParseHead([]byte(text[:n])); v != ilphttp.HeadShort {
			t.Errorf("%q: verdict %d, want more to be asked for", text[:n], v)
		}
	}
	response := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for n := range len(response) {
		if _, _, _, v := ilphttp.ParseResponseHead([]byte(response[:n])); v != ilphttp.HeadShort {
			t.Errorf("%q: verdict %d, want more to be asked for", response[:n], v)
		}
	}
}

// The work for a request that is answered directly, without the network.
func BenchmarkHead(b *testing.B) {
	text := []byte(plain(make([]byte, 400)))
	b.ReportAllocs()
	for b.Loop() {
		if _, v := ilphttp.ParseHead(text); v != ilphttp.HeadPlain {
			b.Fatal(fmt.Sprint(v))
		}
	}
}
