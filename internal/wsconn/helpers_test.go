package wsconn_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/interledger-go/connector/internal/wsconn"
)

// Opcodes and the bits of a frame's first byte.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
	fin            = 0x80
)

// frame makes the bytes of a frame, masked if mask is not zero.
func frame(first byte, payload []byte, mask uint32) []byte {
	var masked byte
	if mask != 0 {
		masked = 0x80
	}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
	}
	if mask == 0 {
		return append(b, payload...)
	}
	key := binary.BigEndian.AppendUint32(nil, mask)
	b = append(b, key...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// closeFrame makes the payload of a Close frame.
func closeFrame(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// received is a frame that a raw peer has read.
type received struct {
	first   byte
	masked  bool
	payload []byte
}

func (r received) String() string {
	return fmt.Sprintf("frame %#x masked=%v %.40q", r.first, r.masked, r.payload)
}

// readFrame reads a frame, simply.
func readFrame(r io.Reader) (received, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return received{}, err
	}
	n := uint64(head[1] & 0x7f)
	var err error
	switch n {
	case 126:
		var short uint16
		err = binary.Read(r, binary.BigEndian, &short)
		n = uint64(short)
	case 127:
		err = binary.Read(r, binary.BigEndian, &n)
	}
	if err != nil {
		return received{}, err
	}
	f := received{first: head[0], masked: head[1]&0x80 != 0}
	var key [4]byte
	if f.masked {
		if _, err := io.ReadFull(r, key[:]); err != nil {
			return received{}, err
		}
	}
	f.payload = make([]byte, n)
	_, err = io.ReadFull(r, f.payload)
	for i := range f.payload {
		f.payload[i] ^= key[i%4]
	}
	return f, err
}

// pipe makes two connections that talk to each other over a net.Pipe.
func pipe(t *testing.T, server, client wsconn.Options) (s, c *wsconn.Conn) {
	a, b := net.Pipe()
	s, c = wsconn.New(a, false, server), wsconn.New(b, true, client)
	t.Cleanup(func() {
		s.Close()
		c.Close()
	})
	return s, c
}

// loopback makes two connections that talk to each other over TCP.
func loopback(t testing.TB, server, client wsconn.Options) (s, c *wsconn.Conn) {
	a, b := tcpPair(t)
	s, c = wsconn.New(a, false, server), wsconn.New(b, true, client)
	t.Cleanup(func() {
		s.Close()
		c.Close()
	})
	return s, c
}

func tcpPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled := make(chan net.Conn, 1)
	go func() {
		c, _ := net.Dial("tcp", l.Addr().String())
		dialled <- c
	}()
	a, err := l.Accept()
	b := <-dialled
	if err != nil || b == nil {
		t.Fatal("no loopback connection: ", err)
	}
	return a, b
}

// rawPeer makes a connection and gives the other end of its pipe.
func rawPeer(t *testing.T, client bool, o wsconn.Options) (*wsconn.Conn, net.Conn) {
	a, b := net.Pipe()
	c := wsconn.New(a, client, o)
	t.Cleanup(func() {
		c.Close()
		b.Close()
	})
	return c, b
}

// send writes one message and flushes.
func send(c *wsconn.Conn, message []byte) error {
	buf, err := c.Begin(len(message))
	if err != nil {
		return err
	}
	if err := c.End(append(buf, message...)); err != nil {
		return err
	}
	c.Flush()
	return nil
}

// drain reads until the end, and gives the error.
func drain(c *wsconn.Conn) error {
	for {
		if _, err := c.ReadMessage(); err != nil {
			return err
		}
	}
}

// numbered makes a message that can be told from others.
func numbered(i, size int) []byte {
	b := bytes.Repeat([]byte{byte(i)}, max(size, 4))
	binary.BigEndian.PutUint32(b, uint32(i))
	return b
}
