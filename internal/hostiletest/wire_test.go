package hostiletest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin/btp"
)

// nowhere is a packet that is answered F02.
func nowhere() []byte {
	p := &ilp.Prepare{Destination: ilp.MustParseAddress("test.connie.nobody"), Amount: 1, ExpiresAt: time.Now().Add(patience)}
	return message(around(btp.TypeMessage, 1, p))
}

func entries(all ...btp.Entry) []byte {
	return message(&btp.Packet{Type: btp.TypeMessage, RequestID: 2, Entries: all})
}

// contents is a Message with these contents.
func contents(b []byte) []byte {
	return append(append([]byte{6, 0, 0, 0, 3, 0x82}, byte(len(b)>>8), byte(len(b))), b...)
}

// long is the header of a frame whose length has eight bytes.
func long(n uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, n), 0, 0, 0, 0)
}

// pieces is a message in frames of n bytes.
func pieces(b []byte, n int) []byte {
	var out []byte
	first := byte(2)
	for piece := range slices.Chunk(b, n) {
		out = append(out, frame(first, piece)...)
		first = 0
	}
	return append(out, frame(0x80, nil)...)
}

func repeat(n int, b []byte) []byte { return bytes.Repeat(b, n) }

func join(all ...[]byte) []byte { return slices.Concat(all...) }

// attacks are what somebody sends who has been let in, and how that ends: with
// a Close frame, with the end of the connection, or as if nothing had been,
// which is a packet to nowhere that is answered.
var attacks = map[string]struct {
	bytes func() []byte
	want  string
}{
	"a message in frames of one byte":       {func() []byte { return pieces(nowhere(), 1) }, "F02"},
	"10,000 frames of nothing in a message": {func() []byte { return join(frame(2, nil), repeat(10_000, frame(0, nil)), frame(0x80, nowhere())) }, "F02"},
	"a ping inside of a message": {func() []byte {
		return join(frame(2, nowhere()[:5]), frame(0x89, []byte("x")), frame(0x80, nowhere()[5:]))
	}, "F02"},
	"frames that add up to more than a limit":  {func() []byte { return join(frame(2, make([]byte, 1000)), repeat(65, frame(0, make([]byte, 1000)))) }, "close 1009"},
	"a continuation of nothing":                {func() []byte { return frame(0x80, nowhere()) }, "close 1002"},
	"a message inside of a message":            {func() []byte { return join(frame(2, []byte("a")), frame(0x82, nowhere())) }, "close 1002"},
	"a needlessly long length":                 {func() []byte { return join(long(uint64(len(nowhere()))), nowhere()) }, "F02"},
	"a length of 1 MiB":                        {func() []byte { return long(1 << 20) }, "close 1009"},
	"a length of 2^62":                         {func() []byte { return long(1 << 62) }, "close 1009"},
	"a length of 2^64-1":                       {func() []byte { return long(1<<64 - 1) }, "close 1002"},
	"no mask":                                  {func() []byte { return join([]byte{0x82, byte(len(nowhere()))}, nowhere()) }, "close 1002"},
	"a reserved bit":                           {func() []byte { return frame(0xc2, nowhere()) }, "close 1002"},
	"an opcode that is none":                   {func() []byte { return frame(0x83, nil) }, "close 1002"},
	"text":                                     {func() []byte { return frame(0x81, []byte("hello")) }, "close 1003"},
	"a ping of 126 bytes":                      {func() []byte { return frame(0x89, make([]byte, 126)) }, "close 1002"},
	"a ping in pieces":                         {func() []byte { return frame(0x09, nil) }, "close 1002"},
	"10,000 pings":                             {func() []byte { return repeat(10_000, frame(0x89, make([]byte, 125))) }, "F02"},
	"10,000 pongs":                             {func() []byte { return repeat(10_000, frame(0x8a, make([]byte, 125))) }, "F02"},
	"a Close frame of one byte":                {func() []byte { return frame(0x88, []byte{3}) }, "close 1002"},
	"a Close frame with a code that is none":   {func() []byte { return frame(0x88, []byte{3, 0xed}) }, "close 1002"},
	"an empty message":                         {func() []byte { return frame(0x82, nil) }, "close 1007"},
	"a packet of BTP 1":                        {func() []byte { return frame(0x82, []byte{3, 0, 0, 0, 1, 2, 1, 0}) }, "close 1007"},
	"answers to requests that were never made": {func() []byte { return repeat(1000, frame(0x82, message(around(btp.TypeResponse, 5, &ilp.Fulfill{})))) }, "F02"},
	"an error that answers nothing": {func() []byte {
		return frame(0x82, message(&btp.Packet{Type: btp.TypeError, RequestID: 5, Error: *btp.Errorf("T00", "x")}))
	}, "F02"},
	"a transfer of 2^63": {func() []byte {
		return frame(0x82, message(&btp.Packet{Type: btp.TypeTransfer, RequestID: 5, Amount: 1 << 63}))
	}, "error F00 F02"},
	"credentials of somebody else, afterwards": {func() []byte { return frame(0x82, message(credentials("bob"))) }, "? F02"},
	"two ILP packets in one":                   {func() []byte { return frame(0x82, contents([]byte("\x01\x02\x03ilp\x00\x01a\x03ilp\x00\x01a"))) }, "close 1007"},
	"10,000 entries of one name":               {func() []byte { return frame(0x82, contents(join([]byte{2, 0x27, 0x10}, make([]byte, 30_000)))) }, "close 1007"},
	"2^64-1 entries":                           {func() []byte { return frame(0x82, contents(join([]byte{8}, repeat(8, []byte{255})))) }, "close 1007"},
	"a count of 2,000 bits":                    {func() []byte { return frame(0x82, contents(join([]byte{0x81, 250}, repeat(250, []byte{255})))) }, "close 1007"},
	"an inner length of 2^63-1": {func() []byte {
		return frame(0x82, contents([]byte("\x01\x01\x03ilp\x00\x88\x7f\xff\xff\xff\xff\xff\xff\xff\x01")))
	}, "close 1007"},
	"a length of 127 bytes":     {func() []byte { return frame(0x82, join([]byte{6, 0, 0, 0, 1, 0xff}, repeat(127, []byte{255}))) }, "close 1007"},
	"an ILP packet of no bytes": {func() []byte { return frame(0x82, entries(btp.Entry{Name: "ilp"})) }, "F01 F02"},
	"a Fulfill as a request":    {func() []byte { return frame(0x82, message(around(btp.TypeMessage, 5, &ilp.Fulfill{}))) }, "F01 F02"},
	"an ILP packet of 2^56 bytes, they say": {func() []byte {
		return frame(0x82, entries(btp.Entry{Name: "ilp", Data: []byte("\x0c\x87\xff\xff\xff\xff\xff\xff\xff\x00")}))
	}, "F01 F02"},
	"half a frame, and the end": {func() []byte { return []byte{0x82, 0xfe, 1} }, "EOF"},
}

// strangers are what somebody sends who has not been let in.
var strangers = map[string]struct {
	bytes func() []byte
	want  string
}{
	"a packet":                   {func() []byte { return frame(0x82, nowhere()) }, "error F00 close 1008"},
	"an answer":                  {func() []byte { return frame(0x82, message(around(btp.TypeResponse, 5, &ilp.Fulfill{}))) }, "error F00 close 1008"},
	"credentials of 1 MiB":       {func() []byte { return long(1 << 20) }, "close 1009"},
	"the same in pieces":         {func() []byte { return join(frame(2, make([]byte, 4000)), frame(0, make([]byte, 97))) }, "close 1009"},
	"an empty token":             {func() []byte { return frame(0x82, message(credentials(""))) }, "error F00 close 1008"},
	"credentials that are data":  {func() []byte { return frame(0x82, entries(btp.Entry{Name: "auth", Data: []byte("x")})) }, "error F00 close 1008"},
	"what is no packet":          {func() []byte { return frame(0x82, []byte("hello, world")) }, "close 1007"},
	"a frame without a mask":     {func() []byte { return []byte{0x82, 1, 0} }, "close 1002"},
	"half a frame, and the end":  {func() []byte { return []byte{0x82, 0xfe, 1} }, "EOF"},
	"nothing at all, and an end": {func() []byte { return nil }, "EOF"},
}

// heard is what comes until the connection ends, or the packet to nowhere is
// answered.
func heard(w *wire) string {
	var all []string
	for {
		p, err := w.read()
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return strings.Join(append(all, "EOF"), " ")
		case err != nil:
			return strings.Join(append(all, err.Error()), " ")
		}
		all = append(all, said(p))
		if all[len(all)-1] == "F02" {
			return strings.Join(all, " ")
		}
	}
}

// fits compares what was heard with what was to be; "?" is any answer.
func fits(got, want string) bool {
	if rest, ok := strings.CutPrefix(want, "? "); ok {
		return strings.HasSuffix(got, " "+rest)
	}
	return got == want
}

// Whoever sends what no client would ends its own connection at worst, is told
// why, and disturbs nobody.
func TestAttacksOnTheWire(t *testing.T) {
	h := run(t)
	alice, carol, dave := h.join("alice", "alice"), h.join("mini", "carol"), h.join("mini", "dave")
	for _, at := range []string{peersAddress, usersAddress} {
		addr := h.a.ListenAddr(at).String()
		for name, attack := range attacks {
			w, err := upgrade(addr)
			if err != nil {
				t.Fatal(err)
			}
			w.send(credentials("bob"))
			if p, err := w.read(); err != nil || p.Type != btp.TypeResponse {
				t.Fatalf("bob is not let in: %v", err)
			}
			attempt(t, w, addr+": "+name, attack.bytes(), attack.want)
		}
		for name, attack := range strangers {
			w, err := upgrade(addr)
			if err != nil {
				t.Fatal(err)
			}
			attempt(t, w, addr+", a stranger: "+name, attack.bytes(), attack.want)
		}
	}
	for _, to := range []*party{alice, dave} {
		d := h.deal(carol, to, nil, 7)
		id := carol.request(&d.packet)
		to.fulfill(to.take(7), d.secret)
		carol.expect(id, "fulfill")
		d.paid()
	}
	h.audit("attacks on the wire")
}

func attempt(t *testing.T, w *wire, name string, b []byte, want string) {
	t.Helper()
	defer w.Close()
	w.Write(b)
	switch {
	case strings.HasSuffix(want, "F02"):
		w.Write(frame(0x82, nowhere()))
	case want == "EOF":
		halfClose(w)
	}
	if got := heard(w); !fits(got, want) {
		t.Errorf("%s: %s, want %s", name, got, want)
	}
}

// halfClose ends what w sends.
func halfClose(w *wire) { w.Conn.(interface{ CloseWrite() error }).CloseWrite() }
