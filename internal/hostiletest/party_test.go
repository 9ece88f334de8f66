package hostiletest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/btp"
)

// wire is a WebSocket without any of the care that a library takes.
type wire struct {
	net.Conn
	r *bufio.Reader
}

// upgrade makes one, or fails with the status of the answer.
func upgrade(addr string) (*wire, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	w := &wire{c, bufio.NewReader(c)}
	c.SetReadDeadline(time.Now().Add(patience))
	response, err := http.ReadResponse(w.r, nil)
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(response.Status)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return w, nil
}

// frame is a masked frame whose mask changes nothing.
func frame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// next reads a frame.
func (w *wire) next() (op byte, payload []byte, err error) {
	w.SetReadDeadline(time.Now().Add(patience))
	var h [2]byte
	if _, err := io.ReadFull(w.r, h[:]); err != nil {
		return 0, nil, err
	}
	n := int(h[1])
	if n == 126 {
		var long [2]byte
		if _, err := io.ReadFull(w.r, long[:]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(long[:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.r, payload)
	return h[0] & 15, payload, err
}

// read gives the next packet. A Close frame is an error: "close 1002".
func (w *wire) read() (*btp.Packet, error) {
	for {
		op, payload, err := w.next()
		switch {
		case err != nil:
			return nil, err
		case op == 8 && len(payload) >= 2:
			return nil, fmt.Errorf("close %d", binary.BigEndian.Uint16(payload))
		case op == 2:
			p := new(btp.Packet)
			return p, p.Decode(payload)
		}
	}
}

func message(p *btp.Packet) []byte {
	b, err := p.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func (w *wire) send(p *btp.Packet) { w.Write(frame(0x82, message(p))) }

func credentials(token string) *btp.Packet {
	return &btp.Packet{Type: btp.TypeMessage, RequestID: 7, Entries: []btp.Entry{
		{Name: "auth"}, {Name: "auth_token", ContentType: btp.TextPlain, Data: []byte(token)},
	}}
}

// around makes a packet around an ILP packet.
func around(t btp.Type, id uint32, p interface{ AppendBinary([]byte) ([]byte, error) }) *btp.Packet {
	b, err := p.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	return &btp.Packet{Type: t, RequestID: id, Entries: []btp.Entry{{Name: "ilp", Data: b}}}
}

// said is what a packet that answers says, in short: "fulfill", the code of a
// Reject, or "error" and the code of an Error.
func said(p *btp.Packet) string {
	if p.Type == btp.TypeError {
		return "error " + string(p.Error.Code)
	}
	e, ok := p.Entry("ilp")
	if !ok {
		return p.Type.String()
	}
	var fulfill ilp.Fulfill
	var reject ilp.Reject
	switch reply, err := ilp.DecodeReply(e.Data, &fulfill, &reject); {
	case err != nil:
		return err.Error()
	case reply == ilp.Reply(&fulfill):
		return "fulfill"
	}
	return string(reject.Code)
}

// party is a counterparty that is let in.
type party struct {
	t                    testing.TB
	addr, token, account string
	user                 string // behind mini
	address              string
	*wire
	last uint32                 // request id
	kept map[uint32]*btp.Packet // answers that came before they were waited for
}

// join lets a party in, and has it ask for its address.
func (h *house) join(account, token string) *party {
	h.t.Helper()
	at := peersAddress
	if account == "mini" {
		at = usersAddress
	}
	p := &party{t: h.t, addr: h.a.ListenAddr(at).String(), token: token, account: account}
	p.connect()
	request := ildcp.Request(time.Now().Add(patience))
	e, _ := p.answer(p.request(&request)).Entry("ilp")
	var f ilp.Fulfill
	if err := f.Decode(e.Data); err != nil {
		h.t.Fatal(err)
	}
	configuration, err := ildcp.ParseFulfill(&f)
	if err != nil {
		h.t.Fatal(err)
	}
	p.address = configuration.Address.String()
	if account == "mini" {
		p.user = p.address[strings.LastIndexByte(p.address, '.')+1:]
		h.byUser[p.user] = 0
	}
	return p
}

// connect makes the party's socket, a new one.
func (p *party) connect() {
	p.t.Helper()
	w, err := upgrade(p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { w.Close() })
	w.send(credentials(p.token))
	if a, err := w.read(); err != nil || a.Type != btp.TypeResponse {
		p.t.Fatalf("%s is not let in: %+v, %v", p.token, a, err)
	}
	p.wire, p.kept = w, make(map[uint32]*btp.Packet)
}

// request sends a packet, and gives the id of its answer.
func (p *party) request(packet *ilp.Prepare) uint32 {
	p.last++
	p.send(around(btp.TypeMessage, p.last, packet))
	return p.last
}

// answer waits for an answer.
func (p *party) answer(id uint32) *btp.Packet {
	p.t.Helper()
	for p.kept[id] == nil {
		a, err := p.read()
		if err != nil {
			p.t.Fatalf("%s waits for an answer: %v", p.token, err)
		}
		p.kept[a.RequestID] = a
	}
	a := p.kept[id]
	delete(p.kept, id)
	return a
}

// expect waits for an answer and checks what it says.
func (p *party) expect(id uint32, want string) {
	p.t.Helper()
	if got := said(p.answer(id)); got != want {
		p.t.Fatalf("%s is answered %s, want %s", p.token, got, want)
	}
}

// take waits for a packet, and gives the id to answer it by.
func (p *party) take(amount uint64) uint32 {
	p.t.Helper()
	for {
		m, err := p.read()
		if err != nil {
			p.t.Fatalf("%s waits for a packet: %v", p.token, err)
		}
		if m.Type != btp.TypeMessage {
			p.kept[m.RequestID] = m
			continue
		}
		e, _ := m.Entry("ilp")
		var prepare ilp.Prepare
		if err := prepare.Decode(e.Data); err != nil || prepare.Amount != amount {
			p.t.Fatalf("%s got the packet %+v, %v; want an amount of %d", p.token, prepare, err, amount)
		}
		return m.RequestID
	}
}

func (p *party) fulfill(id uint32, f ilp.Fulfillment) {
	p.send(around(btp.TypeResponse, id, &ilp.Fulfill{Fulfillment: f}))
}

func (p *party) reject(id uint32, code ilp.Code) {
	p.send(around(btp.TypeResponse, id, &ilp.Reject{Code: code}))
}
