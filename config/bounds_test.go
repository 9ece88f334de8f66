package config_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever listens takes no head that is longer than it needs, and answers what
// is.
func TestHeadsAreBounded(t *testing.T) {
	const engine = `"settlementEngine": {"url": "http://127.0.0.1:1", "listener": {"host": "localhost", "port": 0}}`
	plan := mustLoad(t, "CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=0",
		accounts(`"plugin": "btp"`, `"options": {"listener": {"host": "127.0.0.1", "port": 0, "secret": "x"}}`, engine))
	a := build(t, plan)
	start(t, a)
	for name, test := range map[string]struct {
		addr net.Addr
		most int
	}{
		"the admin API":       {a.AdminAddr(), 64 << 10},
		"a link":              {a.ListenAddr(anywhere), 16 << 10},
		"a settlement engine": {a.ListenAddr("localhost:0"), 16 << 10},
	} {
		for size, refused := range map[int]bool{test.most / 2: false, 2 * test.most: true} {
			conn, err := net.Dial("tcp", test.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			go fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: %s\r\n\r\n", strings.Repeat("a", size))
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || (response.StatusCode == http.StatusRequestHeaderFieldsTooLarge) != refused {
				t.Errorf("%s: a head of %d bytes: %v, %v; refused should be %t", name, size, response, err, refused)
			}
			conn.Close()
		}
	}
}
