package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Bare TCP is what there is to beat: both sides send as many bytes as a request
// and a response have, and look at nothing. A connection carries one exchange
// at a time, as in HTTP/1.1.
const (
	requestOverhead = 350 // of a packet with its head, without data
	responseSize    = 180
)

// serveTCP answers requests of a size. It speaks to the one who started it as
// serve does.
func serveTCP(in io.Reader, out io.Writer, options string) error {
	var o serving
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerTCP(conn, o.Data+requestOverhead)
		}
	}()
	fmt.Fprintln(out, l.Addr().(*net.TCPAddr).Port)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		fmt.Fprintln(out, cpu())
	}
	return nil
}

func answerTCP(conn net.Conn, size int) {
	defer conn.Close()
	for b := make([]byte, max(size, responseSize)); ; {
		if _, err := io.ReadFull(conn, b[:size]); err != nil {
			return
		}
		if _, err := conn.Write(b[:responseSize]); err != nil {
			return
		}
	}
}

// sendTCP is send.
func sendTCP(out io.Writer, options string) error {
	var o load
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return err
	}
	length := time.Duration(o.Seconds * float64(time.Second))
	if _, err := exchangeTCP(u.Host, o, length/5); err != nil { // warm up
		return err
	}
	r, err := exchangeTCP(u.Host, o, length)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

func exchangeTCP(addr string, o load, length time.Duration) (result, error) {
	var exchanges atomic.Int64
	var slots sync.WaitGroup
	start, before := time.Now(), cpu()
	for range o.Window {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return result{}, err
		}
		slots.Go(func() {
			defer conn.Close()
			request, response := make([]byte, o.Data+requestOverhead), make([]byte, responseSize)
			for time.Since(start) < length {
				if _, err := conn.Write(request); err != nil {
					return
				}
				if _, err := io.ReadFull(conn, response); err != nil {
					return
				}
				exchanges.Add(1)
			}
		})
	}
	slots.Wait()
	return result{Packets: int(exchanges.Load()), Seconds: time.Since(start).Seconds(), CPU: cpu() - before}, nil
}
