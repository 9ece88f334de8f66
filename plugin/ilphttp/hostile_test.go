package ilphttp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/pipenet"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// path is a way that requests come: to the handler of a plain http.Server, or
// by a Listener before one.
type path struct {
	name  string
	serve func(t testing.TB, h *counter) (addr string, srv *ilphttp.Server)
}

var paths = []path{
	{"http.Server", func(t testing.TB, h *counter) (string, *ilphttp.Server) {
		srv := ilphttp.NewServer(ilphttp.ServerOptions{})
		account(t, srv, tokens(token), h)
		inner := listenTCP(t)
		mux := http.NewServeMux()
		mux.Handle("/ilp", srv)
		web := ilphttp.NewHTTPServer(mux)
		web.ErrorLog = discardLog
		go func() { _ = web.Serve(inner) }()
		t.Cleanup(func() { web.Close() })
		return inner.Addr().String(), srv
	}},
	{"Listener", func(t testing.TB, h *counter) (string, *ilphttp.Server) {
		inner := listenTCP(t)
		d := serveDirect(t, inner, h, nil)
		t.Cleanup(func() { d.stop(t) })
		return inner.Addr().String(), d.srv
	}},
}

func listenTCP(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// said is what a server has answered.
type said struct {
	status int
	text   string // the body of a refusal
	closes bool
	header string // what of the header is of consequence
}

// talk sends bytes, and the end, and gives all answers.
func talk(t testing.TB, addr string, sent []byte) []said {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { // the server may have enough before it has everything
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	var all []said
	reader := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return all
		}
		body, _ := io.ReadAll(resp.Body)
		s := said{status: resp.StatusCode, closes: resp.Close}
		if resp.StatusCode != 200 {
			s.text = string(body)
		}
		for _, name := range []string{"Content-Type", "X-Content-Type-Options", "Allow", "Www-Authenticate"} {
			s.header += name + "=" + resp.Header.Get(name) + " "
		}
		all = append(all, s)
	}
}

func statuses(all []said) (list []int) {
	for _, s := range all {
		list = append(list, s.status)
	}
	return list
}

// without leaves out lines of a request.
func without(request string, names ...string) string {
	head, body, _ := strings.Cut(request, "\r\n\r\n")
	lines := slices.DeleteFunc(strings.Split(head, "\r\n"), func(line string) bool {
		name, _, _ := strings.Cut(line, ":")
		return slices.Contains(names, name)
	})
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// unsized is a request whose body has a length that these lines tell, if any.
func unsized(body string, lines ...string) string {
	request := without(plain(nil, lines...), "Content-Length")
	for _, line := range lines { // those that were to stay
		if strings.HasPrefix(line, "Content-Length") {
			request = strings.Replace(request, "\r\n\r\n", "\r\n"+line+"\r\n\r\n", 1)
		}
	}
	return request + body
}

func chunk(size int) string { return fmt.Sprintf("%x\r\n%s\r\n", size, strings.Repeat("a", size)) }

// hostile is a request that is refused, and what it is answered. What comes
// after it on its connection is a packet that must not be taken, unless the
// request has an end that nobody disputes.
type hostile struct {
	name    string
	request string
	want    int
	goesOn  bool // the connection does, so that the packet is taken
}

func hostileBodies(packet []byte) []hostile {
	const most = ilphttp.DefaultMaxBody
	return []hostile{
		{"a body of a byte too many", plain(make([]byte, most+1)), 413, false},
		{"a body of 10 MB", plain(make([]byte, 10<<20)), 413, false},
		{"a length of 10^18, and nothing", plain(nil, "Content-Length: 1000000000000000000"), 413, false},
		{"a length of 2^63", plain(nil, "Content-Length: 9223372036854775808"), 400, false},
		{"a length of 2^64 and some", plain(packet, fmt.Sprintf("Content-Length: 184467440737095516%d", 16+len(packet))), 400, false},
		{"a length that is not kept", plain(packet, fmt.Sprintf("Content-Length: %d", len(packet)+1000)), 400, false},
		{"a length below zero", plain(packet, "Content-Length: -1"), 400, false},
		{"a length in hexadecimal", plain(packet, "Content-Length: 0x10"), 400, false},
		{"an empty length", plain(packet, "Content-Length:"), 400, false},
		{"a fraction", plain(packet, "Content-Length: 5.0"), 400, false},
		{"in exponent form", plain(packet, "Content-Length: 1e1"), 400, false},
		{"chunks", unsized(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(packet), packet), "Transfer-Encoding: chunked"), 411, false},
		{"chunks without end", unsized(strings.Repeat(chunk(1000), 1000), "Transfer-Encoding: chunked"), 411, false},
		{"chunks of one byte", unsized(strings.Repeat(chunk(1), 50_000)+"0\r\n\r\n", "Transfer-Encoding: chunked"), 411, false},
		{"a chunk with an extension of 1 MB", unsized("1;x="+strings.Repeat("y", 1<<20)+"\r\na\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 411, false},
		{"a trailer of 1 MB", unsized("0\r\nX: "+strings.Repeat("y", 1<<20)+"\r\n\r\n", "Transfer-Encoding: chunked"), 411, false},
		{"HTML", plain([]byte("<html>"), "Content-Type: text/html"), 415, true},
		{"no type", without(plain(packet), "Content-Type"), 415, true},
		{"an empty type", plain(packet, "Content-Type:"), 415, true},
		{"two types in one", plain(packet, "Content-Type: application/octet-stream, text/html"), 415, true},
		{"two types", strings.Replace(plain(packet), "Host:", "Content-Type: application/octet-stream\r\nHost:", 1), 415, true},
		{"a type that begins like it", plain(packet, "Content-Type: application/octet-streams"), 415, true},
		{"a form", plain(packet, "Content-Type: multipart/form-data; boundary=x"), 415, true},
		{"GET", strings.Replace(plain(packet), "POST", "GET", 1), 405, true},
		{"DELETE", strings.Replace(plain(packet), "POST", "DELETE", 1), 405, true},
		{"TRACE", strings.Replace(plain(packet), "POST", "TRACE", 1), 405, true},
		{"post", strings.Replace(plain(packet), "POST", "post", 1), 405, true},
	}
}

func hostileCredentials(t testing.TB, packet []byte) []hostile {
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	encoded := base64.RawURLEncoding.EncodeToString
	soon, ago := time.Now().Add(time.Minute).Unix(), time.Now().Add(-time.Minute).Unix()
	claims := jwt.MapClaims{"sub": "shared", "exp": soon}
	good := sign(jwt.SigningMethodHS256, jwtSecret, claims)
	body := strings.Split(good, ".")[1]
	critical := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	critical.Header["crit"] = []string{"exp-of-another-kind"}
	criticalText, err := critical.SignedString(jwtSecret)
	if err != nil {
		t.Fatal(err)
	}
	var all []hostile
	for name, value := range map[string]string{
		"a wrong token":                 "Bearer wrong",
		"the token and a space":         "Bearer  " + token + "x",
		"another scheme":                "Basic " + token,
		"an empty token":                "Bearer ",
		"an expired JWT":                "Bearer " + sign(jwt.SigningMethodHS256, jwtSecret, jwt.MapClaims{"sub": "shared", "exp": ago}),
		"a JWT without expiry":          "Bearer " + sign(jwt.SigningMethodHS256, jwtSecret, jwt.MapClaims{"sub": "shared"}),
		"an expiry that overflows":      "Bearer " + sign(jwt.SigningMethodHS256, jwtSecret, jwt.MapClaims{"sub": "shared", "exp": -1e300}),
		"none":                          "Bearer " + sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims),
		"None":                          "Bearer " + encoded([]byte(`{"alg":"None","typ":"JWT"}`)) + "." + body + ".",
		"NONE, and a signature":         "Bearer " + encoded([]byte(`{"alg":"NONE"}`)) + "." + body + "." + strings.Split(good, ".")[2],
		"no algorithm":                  "Bearer " + encoded([]byte(`{"typ":"JWT"}`)) + "." + body + "." + strings.Split(good, ".")[2],
		"two algorithms":                "Bearer " + encoded([]byte(`{"alg":"HS256","alg":"none"}`)) + "." + body + ".",
		"not signed":                    "Bearer " + strings.Join(strings.Split(good, ".")[:2], ".") + ".",
		"two parts":                     "Bearer " + strings.Join(strings.Split(good, ".")[:2], "."),
		"four parts":                    "Bearer " + good + ".x",
		"HS512":                         "Bearer " + sign(jwt.SigningMethodHS512, jwtSecret, claims),
		"RS256 for a secret":            "Bearer " + sign(jwt.SigningMethodRS256, rsaKey(), claims),
		"a secret for RS256":            "Bearer " + sign(jwt.SigningMethodHS256, jwtSecret, jwt.MapClaims{"sub": "public", "iss": "i", "aud": "a", "exp": soon}),
		"the public key as a secret":    "Bearer " + sign(jwt.SigningMethodHS256, rsaKey().N.Bytes(), jwt.MapClaims{"sub": "public", "iss": "i", "aud": "a", "exp": soon}),
		"PS256":                         "Bearer " + sign(jwt.SigningMethodPS256, rsaKey(), jwt.MapClaims{"sub": "public", "iss": "i", "aud": "a", "exp": soon}),
		"a header that must be heeded":  "Bearer " + criticalText,
		"a token of 9,000 bytes":        "Bearer " + strings.Repeat("x", 9000),
		"JSON that nests without end":   "Bearer " + encoded([]byte(`{"alg":"HS256"}`)) + "." + encoded([]byte(strings.Repeat("[", 5000))) + ".x",
		"a subject that is no text":     "Bearer " + encoded([]byte(`{"alg":"HS256"}`)) + "." + encoded([]byte(`{"sub":{"a":1}}`)) + ".x",
		"what is no base64":             "Bearer !.!.!",
		"a token that was only renamed": "Bearer " + strings.ToUpper(token),
	} {
		all = append(all, hostile{name, plain(packet, "Authorization: "+value), 401, true})
	}
	return append(all,
		hostile{"no credentials", without(plain(packet), "Authorization"), 401, true},
		hostile{"the token twice", strings.Replace(plain(packet), "Host:", "Authorization: Bearer "+token+"\r\nHost:", 1), 401, true},
		hostile{"a right and a wrong one", strings.Replace(plain(packet), "Host:", "Authorization: Bearer x\r\nHost:", 1), 401, true},
	)
}

// jwtSecret is the secret of the account "shared" of all hostile tests.
var jwtSecret = []byte("the secret of shared, of 32 bytes or more")

// addJWTAccounts adds the accounts that JWTs could be of.
func addJWTAccounts(t testing.TB, srv *ilphttp.Server, h *counter) {
	account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{Secrets: [][]byte{jwtSecret}, Subject: "shared"}}}, h)
	account(t, srv, ilphttp.AccountOptions{Incoming: ilphttp.Credentials{JWT: &ilphttp.JWT{
		Keys: []*rsa.PublicKey{&rsaKey().PublicKey}, Subject: "public", Issuer: "i", Audience: "a",
	}}}, h)
}

// smuggling are requests that a proxy before us may have read otherwise: with
// another end, or with another body.
func smuggling(packet []byte) []hostile {
	length := fmt.Sprintf("Content-Length: %d", len(packet))
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(packet), packet)
	twice := func(line string, more ...string) string {
		return strings.Replace(plain(packet), "Host: bob\r\n", "Host: bob\r\n"+line+"\r\n"+strings.Join(more, ""), 1)
	}
	return []hostile{
		{"a length and chunks", plain([]byte(chunked), "Transfer-Encoding: chunked"), 411, false},
		{"a length of the chunks alone", plain([]byte("0\r\n\r\n"), "Transfer-Encoding: chunked"), 411, false},
		{"chunks before the length", twice("Transfer-Encoding: chunked"), 411, false},
		{"two lengths", twice("Content-Length: 0"), 400, false},
		{"two lengths, the second first", strings.Replace(plain(packet), "Content-Length", fmt.Sprintf("Content-Length: %d\r\nContent-Length", len(packet)+1), 1), 400, false},
		{"two lengths, the other way round", strings.Replace(plain(packet), "Content-Length", "Content-Length: 0\r\nContent-Length", 1), 400, false},
		{"a list of lengths", plain(packet, "Content-Length: 5, 6"), 400, false},
		{"a list of one length", plain(packet, length+", "+strconv.Itoa(len(packet))), 400, false},
		{"a length with a sign", plain(packet, fmt.Sprintf("Content-Length: +%d", len(packet))), 400, false},
		{"a length with an underscore", plain(packet, "Content-Length: 1_0"), 400, false},
		{"a space before the colon of the length", plain(packet, fmt.Sprintf("Content-Length : %d", len(packet))), 400, false},
		{"a tab before the colon", plain(packet, "Transfer-Encoding\t: chunked"), 400, false},
		{"a NUL in a header", plain(packet, "X-A: a\x00b"), 400, false},
		{"a NUL in the name of one", plain(packet, "Transfer-Encoding\x00: chunked"), 400, false},
		{"a CR in a header", plain(packet, "X-A: a\rTransfer-Encoding: chunked"), 400, false},
		{"a DEL in a header", plain(packet, "X-A: a\x7f"), 400, false},
		{"identity", plain(packet, "Transfer-Encoding: identity"), 501, false},
		{"xchunked", plain(packet, "Transfer-Encoding: xchunked"), 501, false},
		{"chunked, identity", plain(packet, "Transfer-Encoding: chunked, identity"), 501, false},
		{"chunked in quotes", plain(packet, "Transfer-Encoding: \"chunked\""), 501, false},
		{"gzip, chunked", plain(packet, "Transfer-Encoding: gzip, chunked"), 501, false},
		{"two encodings", twice("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 501, false},
		{"an empty encoding", plain(packet, "Transfer-Encoding:"), 501, false},
		{"a vertical tab before chunked", plain(packet, "Transfer-Encoding: \x0bchunked"), 400, false},
		{"an encoding that is folded", plain([]byte(chunked), "Transfer-Encoding:\r\n chunked"), 411, false},
		{"an encoding behind a fold", plain([]byte(chunked), "X-A: a\r\n b\r\nTransfer-Encoding: chunked"), 411, false},
		{"an extension of a chunk", unsized(strings.Replace(chunked, "\r\n", ";a=\"\r\n\"\r\n", 1), "Transfer-Encoding: chunked"), 411, false},
		{"a chunk whose line ends with LF", unsized(strings.ReplaceAll(chunked, "\r\n", "\n"), "Transfer-Encoding: chunked"), 411, false},
		{"a chunk too long for 64 bits", unsized("fffffffffffffffff\r\n", "Transfer-Encoding: chunked"), 411, false},
		{"a folded line at the beginning", strings.Replace(plain(packet), "Host: bob", " X: y\r\nHost: bob", 1), 400, false},
		{"no host", without(plain(packet), "Host"), 400, false},
		{"two hosts", twice("Host: eve"), 400, false},
		{"a host with a space", plain(packet, "Host: bob eve"), 400, false},
		{"a host with a slash", plain(packet, "Host: bob/eve"), 400, false},
		{"a line without a colon", plain(packet, "X-A"), 400, false},
		{"a line without a name", plain(packet, ": a"), 400, false},
		{"a space in the path", strings.Replace(plain(packet), "/ilp", "/ilp /x", 1), 400, false},
		{"HTTP/3.0", strings.Replace(plain(packet), "HTTP/1.1", "HTTP/3.0", 1), 505, false},
		{"HTTP/0.9", "POST /ilp\r\n\r\n", 400, false},
		{"no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, false},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, false},
		{"a head of 64 KB", plain(packet, "X-A: "+strings.Repeat("a", 64<<10)), 431, false},
		{"10,000 headers", plain(packet, strings.TrimSuffix(strings.Repeat("X-A: a\r\n", 10_000), "\r\n")), 431, false},
	}
}

// What is wrong with a request is said by its status, the same whichever way it
// has come; nothing of it reaches the packet handler, and what follows it on
// the connection is no packet where anybody may doubt that it is one.
func TestHostileRequests(t *testing.T) {
	packet := encode(t, newPrepare())
	for _, group := range []struct {
		name string
		all  []hostile
	}{{"bodies", hostileBodies(packet)}, {"credentials", hostileCredentials(t, packet)}, {"smuggling", smuggling(packet)}} {
		var handlers []*counter
		var addrs []string
		for _, p := range paths {
			h := newCounter()
			addr, srv := p.serve(t, h)
			addJWTAccounts(t, srv, h)
			handlers, addrs = append(handlers, h), append(addrs, addr)
		}
		for _, test := range group.all {
			t.Run(group.name+"/"+test.name, func(t *testing.T) {
				var answers [][]said
				for i, p := range paths {
					h := handlers[i]
					before, none := h.prepares.Load(), h.malformed.Load()
					all := talk(t, addrs[i], []byte(test.request+plain(packet)))
					want := []int{test.want}
					if test.goesOn {
						want = append(want, 200)
					}
					if !slices.Equal(statuses(all), want) {
						t.Errorf("%s: the statuses are %v, want %v: %+v", p.name, statuses(all), want, all)
					}
					if took := h.prepares.Load() - before; took != int64(len(want)-1) || h.malformed.Load() != none {
						t.Errorf("%s: %d packets were taken, and %d that are none; want %d, and none", p.name, took, h.malformed.Load()-none, len(want)-1)
					}
					answers = append(answers, all)
				}
				if !slices.Equal(answers[0], answers[1]) {
					t.Errorf("the answers are\n%+v by %s and\n%+v by %s", answers[0], paths[0].name, answers[1], paths[1].name)
				}
			})
		}
	}
}

// Forms that this protocol does not use, but HTTP has: both ways read them in
// the same way, and as one request.
func TestUnusualRequests(t *testing.T) {
	packet := encode(t, newPrepare())
	bare := func(request string) string {
		head, body, _ := strings.Cut(request, "\r\n\r\n")
		return strings.ReplaceAll(head, "\r\n", "\n") + "\n\n" + body
	}
	for name, test := range map[string]struct {
		request string
		want    []int // of it, and of a packet after it
	}{
		"no length":                 {unsized(string(packet)), []int{200, 400}}, // no body, and what is no request
		"lines that end with LF":    {bare(plain(packet)), []int{200, 200}},
		"some lines that do":        {strings.Replace(plain(packet), "Host: bob\r\n", "Host: bob\n", 1), []int{200, 200}},
		"a folded line":             {plain(packet, "X-A: a\r\n\tb"), []int{200, 200}},
		"a folded length":           {plain(packet, fmt.Sprintf("Content-Length:\r\n %d", len(packet))), []int{200, 200}},
		"the same length twice":     {strings.Replace(plain(packet), "Host:", fmt.Sprintf("Content-Length: %d\r\nHost:", len(packet)), 1), []int{200, 200}},
		"zeros before the length":   {plain(packet, fmt.Sprintf("Content-Length: 000%d", len(packet))), []int{200, 200}},
		"spaces around it":          {plain(packet, fmt.Sprintf("Content-Length: \t %d \t", len(packet))), []int{200, 200}},
		"empty lines before it":     {"\r\n\r\n" + plain(packet), []int{400}},
		"a length that is too low":  {plain(packet, "Content-Length: 5"), []int{200, 400}},
		"HTTP/1.2":                  {strings.Replace(plain(packet), "HTTP/1.1", "HTTP/1.2", 1), []int{200, 200}},
		"HTTP/1.0":                  {strings.Replace(plain(packet), "HTTP/1.1", "HTTP/1.0", 1), []int{200}},
		"HTTP/1.0 that is kept":     {strings.Replace(plain(packet, "Connection: keep-alive"), "HTTP/1.1", "HTTP/1.0", 1), []int{200}},
		"HTTP/1.0 with chunks":      {strings.Replace(plain(packet, "Connection: keep-alive", "Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1), []int{200}},
		"a connection that is over": {plain(packet, "Connection: close"), []int{200}},
		"an upgrade to HTTP/2":      {plain(packet, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), []int{200, 200}},
		"an expectation":            {plain(packet, "Expect: 100-continue"), []int{100, 200, 200}},
		"an unknown expectation":    {plain(packet, "Expect: money"), []int{417}},
		"another host in the path":  {strings.Replace(plain(packet), "/ilp", "http://eve/ilp", 1), []int{200, 200}},
		"a fragment":                {strings.Replace(plain(packet), "/ilp", "/ilp%23", 1), []int{404, 200}},
		"a path with dots":          {strings.Replace(plain(packet), "/ilp", "/x/../ilp", 1), []int{307, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range paths {
				addr, _ := p.serve(t, newCounter())
				if all := talk(t, addr, []byte(test.request+plain(packet))); !slices.Equal(statuses(all), test.want) {
					t.Errorf("%s: the statuses are %v, want %v: %+v", p.name, statuses(all), test.want, all)
				}
			}
		})
	}
}

// A client that does not read what it is answered loses its connection, and
// does not keep others out: no more of its answers wait than it may have packets
// in flight.
func TestAnswersThatAreNotRead(t *testing.T) {
	const most = 3
	for _, listener := range []bool{true, false} {
		t.Run(fmt.Sprintf("Listener: %t", listener), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, h := pipenet.Listen(), newCounter()
				srv := ilphttp.NewServer(ilphttp.ServerOptions{Limits: ilphttp.Limits{MaxInFlight: most}})
				account(t, srv, tokens(token), h)
				web := ilphttp.NewHTTPServer(srv)
				inner := net.Listener(l)
				if listener {
					direct := ilphttp.NewListener(l, web, func(string) (*ilphttp.Server, string) { return srv, "" })
					defer direct.Shutdown(context.WithoutCancel(t.Context()))
					inner = direct
				}
				var serving sync.WaitGroup
				serving.Go(func() { _ = web.Serve(inner) })
				defer serving.Wait()
				defer web.Close()
				begun, ended := time.Now(), make(chan time.Duration, 2*most)
				for range 2 * most { // of which none waits for another: their packets are answered
					conn := dialPipe(t, l)
					defer conn.Close()
					_, _ = io.WriteString(conn, plain(encode(t, newPrepare())))
					synctest.Wait()
					go func() { // a pipe has no buffer: to ask whether it is open does not read
						for {
							if _, err := conn.Write(nil); err != nil {
								ended <- time.Since(begun)
								return
							}
							time.Sleep(time.Second)
						}
					}()
				}
				time.Sleep(2 * time.Second)
				if n := len(ended); listener && n != most {
					t.Errorf("%d connections have ended, want %d: the others wait", n, most)
				}
				for i := range 2 * most {
					if took := <-ended; took > ilphttp.DefaultBodyTimeout+2*time.Second {
						t.Errorf("connection %d has ended after %v", i, took)
					}
				}
				if n := h.prepares.Load(); n != 2*most {
					t.Errorf("%d packets were taken, want %d", n, 2*most)
				}
			})
		})
	}
}

// A packet may be held for longer than the server lets an answer take, over
// either version of HTTP, and is answered.
func TestAnswersOutlastTheServer(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2: %t", http2), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				protocols := new(http.Protocols)
				protocols.SetHTTP1(!http2)
				protocols.SetUnencryptedHTTP2(http2)
				srv, h := ilphttp.NewServer(ilphttp.ServerOptions{}), newSilent()
				account(t, srv, tokens(token), h)
				l, web := pipenet.Listen(), ilphttp.NewHTTPServer(srv)
				web.Protocols = protocols
				var serving sync.WaitGroup
				serving.Go(func() { _ = web.Serve(l) })
				defer serving.Wait()
				defer web.Close()
				transport := &http.Transport{DialContext: l.Dial, Protocols: protocols}
				defer transport.CloseIdleConnections()
				for range 2 {
					prepare := newPrepare()
					prepare.ExpiresAt = time.Now().Add(4 * time.Minute)
					r, err := http.NewRequest(http.MethodPost, "http://bob/ilp", bytes.NewReader(encode(t, prepare)))
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Authorization", "Bearer "+token)
					r.Header.Set("Content-Type", "application/octet-stream")
					go func() {
						responder := <-h.got
						time.Sleep(3 * time.Minute)
						responder.Reply(t.Context(), fulfill)
					}()
					response, err := transport.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					if _, ok := replyOf(t, response).(*ilp.Fulfill); !ok || response.ProtoMajor == 2 != http2 {
						t.Errorf("the answer is %+v", response)
					}
				}
			})
		})
	}
}

// Requests that are sent without waiting are answered one after the other, and
// a refusal between them changes nothing for the others.
func TestPipelining(t *testing.T) {
	packet := encode(t, newPrepare())
	const rounds = 100
	sent := bytes.Repeat([]byte(plain(packet)+plain(packet, "Authorization: Bearer wrong")+plain(packet)), rounds)
	want := slices.Repeat([]int{200, 401, 200}, rounds)
	for _, p := range paths {
		h := newCounter()
		addr, _ := p.serve(t, h)
		if all := talk(t, addr, sent); !slices.Equal(statuses(all), want) || h.prepares.Load() != 2*rounds {
			t.Errorf("%s: %d answers, %d packets; want %d, and %d", p.name, len(all), h.prepares.Load(), len(want), 2*rounds)
		}
	}
}
