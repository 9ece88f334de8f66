package ilphttp_test

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/testcert"
)

// The frames of HTTP/2 that are needed, and their flags.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4
)

// h2 is a connection of HTTP/2 without any of the care that a client takes.
type h2 struct {
	net.Conn
	t testing.TB
}

// dialH2 connects, and begins.
func dialH2(t testing.TB, addr string) *h2 {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &h2{conn, t}
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	c.frame(frameSettings, 0, 0, nil)
	return c
}

func (c *h2) frame(kind, flags byte, stream uint32, payload []byte) {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	_, _ = c.Write(append(binary.BigEndian.AppendUint32(b, stream), payload...)) // the server may have gone
}

// block is a header block of literals: no index, no Huffman code.
func block(fields ...string) (b []byte) {
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		b = append(append(append(b, 0), short(len(name))...), name...)
		b = append(append(b, short(len(value))...), value...)
	}
	return b
}

// short is a length as HPACK writes it, with a prefix of seven bits.
func short(n int) []byte {
	if n < 127 {
		return []byte{byte(n)}
	}
	return append([]byte{127}, binary.AppendUvarint(nil, uint64(n-127))...)
}

// outcome reads until the stream is over: the status of its response, "reset",
// "gone" with the connection. The block of a response begins with its status:
// an index of the static table, or a literal.
func (c *h2) outcome(stream uint32) string {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	var head [9]byte
	for {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return "gone"
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return "gone"
		}
		switch kind, of := head[3], binary.BigEndian.Uint32(head[5:]); {
		case kind == frameGoAway && binary.BigEndian.Uint32(payload[4:]) != 0:
			return "gone"
		case of != stream:
		case kind == frameReset:
			return "reset"
		case kind == frameHeaders:
			return statusOf(payload)
		}
	}
}

func statusOf(block []byte) string {
	static := map[byte]string{0x88: "200", 0x8b: "304", 0x8c: "400", 0x8d: "404", 0x8e: "500"}
	if status, ok := static[block[0]]; ok {
		return status
	}
	// A literal whose name is that of :status, in Huffman's code where that is
	// shorter.
	switch value := string(block[2 : 2+block[1]&0x7f]); value {
	case "\x68\x01":
		return "401"
	default:
		return value
	}
}

// Over HTTP/2 there are other ways to be of two minds about a request. None
// reaches the packet handler, and the connection, if it goes on, takes packets.
func TestHostileHTTP2(t *testing.T) {
	packet := encode(t, newPrepare())
	fields := func(changes ...string) []string {
		all := []string{":method=POST", ":scheme=https", ":authority=bob", ":path=/ilp", "authorization=Bearer " + token,
			"content-type=application/octet-stream", fmt.Sprintf("content-length=%d", len(packet))}
		for _, change := range changes {
			name, _, set := strings.Cut(change, "=")
			all = slices.DeleteFunc(all, func(f string) bool { return strings.HasPrefix(f, name+"=") })
			if set {
				all = append(all, change)
			}
		}
		return all
	}
	ask := func(all []string) func(c *h2) {
		return func(c *h2) {
			c.frame(frameHeaders, flagEndHeaders, 1, block(all...))
			c.frame(frameData, flagEndStream, 1, packet)
		}
	}
	large := make([]byte, 16<<10)
	refused := []string{"400", "reset", "gone"} // by net/http, which ends the connection where it cannot go on
	for name, test := range map[string]struct {
		send func(c *h2)
		want []string // one of these
	}{
		"a packet":                    {ask(fields()), []string{"200"}},
		"no length":                   {ask(fields("content-length")), []string{"200"}},
		"a length that is too large":  {ask(fields("content-length=1000")), refused},
		"a length that is too small":  {ask(fields("content-length=5")), refused},
		"two lengths":                 {ask(append(fields(), "content-length=5")), refused},
		"a length with a sign":        {ask(fields("content-length=+107")), refused},
		"chunks":                      {ask(append(fields(), "transfer-encoding=chunked")), refused},
		"chunks and no length":        {ask(append(fields("content-length"), "transfer-encoding=chunked")), refused},
		"a connection that is closed": {ask(append(fields(), "connection=close")), refused},
		"an upgrade":                  {ask(append(fields(), "upgrade=h2c")), refused},
		"TE that is no trailers":      {ask(append(fields(), "te=chunked")), refused},
		"a name in capitals":          {ask(append(fields(), "X-A=a")), refused},
		"a name with a colon":         {ask(append(fields(), "x:a=a")), refused},
		"a line break in a value":     {ask(append(fields(), "x-a=a\r\ntransfer-encoding: chunked")), refused},
		"a NUL in a value":            {ask(append(fields(), "x-a=a\x00")), refused},
		"a path with a line break":    {ask(fields(":path=/ilp HTTP/1.1\r\nX: y")), refused},
		"two paths":                   {ask(append([]string{":path=/ilp"}, fields()...)), refused},
		"no method":                   {ask(fields(":method")), refused},
		"a pseudo-header at the end":  {ask(append(fields(":path"), ":path=/ilp")), refused},
		"two tokens":                  {ask(append(fields(), "authorization=Bearer x")), []string{"401"}},
		"a wrong token":               {ask(fields("authorization=Bearer x")), []string{"401"}},
		"another type":                {ask(fields("content-type=text/html")), []string{"415"}},
		"a header of 64 KB": {func(c *h2) {
			all := block(append(fields(), "x-a="+strings.Repeat("a", 64<<10))...)
			c.frame(frameHeaders, 0, 1, all[:16<<10])
			for rest := all[16<<10:]; len(rest) > 0; rest = rest[min(16<<10, len(rest)):] {
				flags := byte(0)
				if len(rest) <= 16<<10 {
					flags = flagEndHeaders
				}
				c.frame(frameContinuation, flags, 1, rest[:min(16<<10, len(rest))])
			}
			c.frame(frameData, flagEndStream, 1, packet)
		}, []string{"431", "reset", "gone"}},
		"continuations without end": {func(c *h2) {
			c.frame(frameHeaders, 0, 1, block(fields()...))
			for range 1000 {
				c.frame(frameContinuation, 0, 1, block("x-a="+strings.Repeat("a", 4000)))
			}
		}, []string{"gone"}},
		"a body of 64 KB": {func(c *h2) {
			c.frame(frameHeaders, flagEndHeaders, 1, block(fields("content-length")...))
			for range 3 {
				c.frame(frameData, 0, 1, large)
			}
			c.frame(frameData, flagEndStream, 1, large[:1])
		}, []string{"413"}},
		"a body of 10^12 bytes, they say": {ask(fields("content-length=1000000000000")), []string{"413", "reset"}},
		"data before a request":           {func(c *h2) { c.frame(frameData, flagEndStream, 1, packet) }, []string{"gone"}},
		"a stream of ours":                {func(c *h2) { c.frame(frameHeaders, flagEndHeaders, 2, block(fields()...)) }, []string{"gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			inner := listenTCP(t)
			h := newCounter()
			d := serveDirect(t, inner, h, func(web *http.Server) {
				web.TLSConfig = &tls.Config{Certificates: []tls.Certificate{testcert.SelfSigned(t, testcert.Named("bob"))}}
			})
			defer d.stop(t)
			c := dialH2(t, inner.Addr().String())
			defer c.Close()
			go test.send(c) // the server may have enough before it has everything
			got := c.outcome(1)
			if !slices.Contains(test.want, got) {
				t.Errorf("the outcome is %s, want one of %v", got, test.want)
			}
			taken := int64(0)
			if test.want[0] == "200" {
				taken = 1
			}
			if h.prepares.Load() != taken || h.malformed.Load() != 0 {
				t.Errorf("%d packets were taken, and %d that are none; want %d, and none", h.prepares.Load(), h.malformed.Load(), taken)
			}
		})
	}
}
