// Package btptest is a BTP counterparty for tests: it says what a test wants,
// right or wrong, and nothing else.
package btptest

import (
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/internal/wsconn"
)

// Conn is one socket. What fails ends the test, but for methods that return an
// error; it is for one goroutine.
type Conn struct {
	*wsconn.Conn
	t testing.TB
}

// Dial connects to a server, without authentication.
func Dial(t testing.TB, url string, o wsconn.Options) *Conn {
	t.Helper()
	o.PingInterval = -1
	c, err := wsconn.Dial(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	return New(t, c)
}

// New is the counterparty at the end of a socket, which is closed when the
// test ends.
func New(t testing.TB, c *wsconn.Conn) *Conn {
	t.Cleanup(func() { c.Close() })
	return &Conn{c, t}
}

// Auth is the first packet of a client: its credentials.
func Auth(id uint32, username, token string) btplink.Packet {
	return btplink.Packet{Type: btplink.TypeMessage, RequestID: id, Entries: []btplink.Entry{
		{Name: "auth"},
		{Name: "auth_username", ContentType: btplink.TextPlain, Data: []byte(username)},
		{Name: "auth_token", ContentType: btplink.TextPlain, Data: []byte(token)},
	}}
}

// Write sends bytes as one message.
func (c *Conn) Write(b []byte) {
	c.t.Helper()
	buf, err := c.Begin(len(b))
	if err == nil {
		err = c.End(append(buf, b...))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.Flush()
}

// Send sends a packet.
func (c *Conn) Send(p btplink.Packet) {
	c.t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Write(b)
}

// SendILP sends a packet with an ILP packet.
func (c *Conn) SendILP(t btplink.Type, id uint32, packet interface {
	AppendBinary([]byte) ([]byte, error)
}) {
	c.t.Helper()
	b, err := packet.AppendBinary(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Send(btplink.Packet{Type: t, RequestID: id, Entries: []btplink.Entry{{Name: "ilp", Data: b}}})
}

// Read waits for the next packet.
func (c *Conn) Read() btplink.Packet {
	c.t.Helper()
	p, err := c.TryRead()
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// TryRead waits for the next packet, or the end of the socket. In a bubble it
// gives up after an hour: pings would keep the clock going for ever.
func (c *Conn) TryRead() (p btplink.Packet, err error) {
	if err := c.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		return p, err
	}
	b, err := c.ReadMessage()
	if err != nil {
		return p, err
	}
	err = p.Decode(b)
	return p, err
}

// ReadUntilEnd gives the packets that still come, and why there are no more.
func (c *Conn) ReadUntilEnd() (packets []btplink.Packet, err error) {
	for {
		p, err := c.TryRead()
		if err != nil {
			return packets, err
		}
		packets = append(packets, p)
	}
}

// ReadPrepare waits for the next packet, which has a prepare, and gives its
// request id.
func (c *Conn) ReadPrepare() (ilp.Prepare, uint32) {
	c.t.Helper()
	p := c.Read()
	e, _ := p.Entry("ilp")
	var prepare ilp.Prepare
	if err := prepare.Decode(e.Data); err != nil {
		c.t.Fatalf("%+v has no prepare: %v", p, err)
	}
	return prepare, p.RequestID
}

// ReadReply waits for the next packet, which is the reply to a request.
func (c *Conn) ReadReply(id uint32) ilp.Reply {
	c.t.Helper()
	p := c.Read()
	e, ok := p.Entry("ilp")
	if p.RequestID != id || p.Type != btplink.TypeResponse || !ok {
		c.t.Fatalf("the answer is %+v, want the response to %d", p, id)
	}
	reply, err := ilp.DecodeReply(e.Data, new(ilp.Fulfill), new(ilp.Reject))
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

// Exchange sends a prepare and gives the reply.
func (c *Conn) Exchange(id uint32, p *ilp.Prepare) ilp.Reply {
	c.t.Helper()
	c.SendILP(btplink.TypeMessage, id, p)
	return c.ReadReply(id)
}
