package wsconn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// script is a net.Conn whose peer has sent all it will ever send, which comes
// in pieces of the given size.
type script struct {
	net.Conn // nil: what is not implemented is not called
	left     []byte
	piece    int
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.left[:min(s.piece, len(s.left))])
	s.left = s.left[n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error)      { return len(b), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// model reads messages the simple way: whole input at once, a copy for each.
// It gives the messages up to the first error, and its close code: 0 where
// the input just ends, and -1 where the peer closes.
func model(b []byte, client bool, limit int) (messages [][]byte, code int) {
	var joined []byte
	partial := false
	for len(b) >= 2 {
		first, op, masked, n := b[0], b[0]&15, b[1]&0x80 != 0, uint64(b[1]&0x7f)
		header := 2 + map[uint64]int{126: 2, 127: 8}[n]
		if masked {
			header += 4
		}
		if len(b) < header {
			return messages, 0
		}
		if n >= 126 {
			width := map[uint64]int{126: 2, 127: 8}[n]
			n = 0
			for _, c := range b[2 : 2+width] {
				n = n<<8 | uint64(c)
			}
		}
		control := op >= 8
		switch {
		case op != 0 && op != 1 && op != 2 && op != 8 && op != 9 && op != 10, first&0x70 != 0,
			masked == client, control && (n > 125 || first&fin == 0),
			!control && (op == 0) != partial, n >= 1<<63:
			return messages, 1002
		case op == opText:
			return messages, 1003
		case !control && n > uint64(limit-len(joined)):
			return messages, 1009
		case uint64(len(b)-header) < n:
			return messages, 0
		}
		payload := slices.Clone(b[header : header+int(n)])
		if masked {
			for i := range payload {
				payload[i] ^= b[header-4+i%4]
			}
		}
		b = b[header+int(n):]
		switch {
		case op == opClose:
			return messages, -1
		case control:
		case first&fin == 0:
			joined, partial = append(joined, payload...), true
		default:
			messages = append(messages, append(joined, payload...))
			joined, partial = nil, false
		}
	}
	return messages, 0
}

// FuzzReadMessage compares ReadMessage with the model, whatever the pieces in
// which the bytes arrive.
func FuzzReadMessage(f *testing.F) {
	f.Add(frame(fin|opBinary, []byte("hello"), 0x01020304), false, 1)
	f.Add(frame(fin|opBinary, make([]byte, 300), 0), true, 7)
	f.Add(slices.Concat(frame(opBinary, []byte("a"), 3), frame(fin|opPing, []byte("p"), 4),
		frame(fin|opContinuation, []byte("b"), 5), frame(fin|opClose, closeFrame(1000, ""), 6)), false, 3)
	f.Add(frame(fin|opBinary, make([]byte, 70000), 9), false, 5000)
	f.Add(frame(fin|opText, []byte("text"), 9), false, 100)
	f.Add([]byte{fin | opBinary, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, false, 100)
	f.Fuzz(func(t *testing.T, wire []byte, client bool, piece int) {
		const limit = 5000
		original := slices.Clone(wire)
		want, code := model(original, client, limit)
		c := wsconn.New(&script{left: wire, piece: max(piece, 1)}, client, wsconn.Options{MaxMessage: limit})
		defer c.Close()
		var got [][]byte
		var err error
		for {
			var m []byte
			if m, err = c.ReadMessage(); err != nil {
				break
			}
			got = append(got, m)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("got %d messages, want %d", len(got), len(want))
		}
		var violation *wsconn.ViolationError
		var closed *wsconn.CloseError
		switch {
		case code > 0 && (!errors.As(err, &violation) || violation.Code != code):
			t.Fatalf("got %v, want a violation with code %d", err, code)
		case code < 0 && !errors.As(err, &closed) && !errors.As(err, &violation):
			t.Fatalf("got %v, want the peer's close", err)
		case code == 0 && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Fatalf("got %v, want the end of the input", err)
		}
	})
}
