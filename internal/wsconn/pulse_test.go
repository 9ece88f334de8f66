package wsconn_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// A peer that answers pings, or says anything else, keeps its connection.
func TestPingAndSignsOfLife(t *testing.T) {
	for name, answer := range map[string]func(ping []byte) []byte{
		"pong":    func(ping []byte) []byte { return frame(fin|opPong, ping, 5) },
		"message": func([]byte) []byte { return frame(fin|opBinary, []byte("x"), 5) },
		"ping":    func([]byte) []byte { return frame(fin|opPing, nil, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, raw := rawPeer(t, false, wsconn.Options{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second})
				go drain(c)
				start := time.Now()
				for pings := 0; pings < 10; {
					f, err := readFrame(raw)
					if err != nil {
						t.Fatalf("after %d pings: %v", pings, err)
					}
					if f.first != fin|opPing {
						continue // an answer to a ping of ours
					}
					pings++
					if d := time.Since(start); d != time.Duration(pings)*20*time.Second {
						t.Fatalf("ping %d after %v", pings, d)
					}
					time.Sleep(9 * time.Second)
					if _, err := raw.Write(answer(f.payload)); err != nil {
						t.Fatal(err)
					}
					// In time for the next ping, with the reader of pongs above.
				}
			})
		})
	}
}

// A peer that is silent for PongTimeout after a ping loses its connection.
func TestSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{PingInterval: 20 * time.Second, PongTimeout: 10 * time.Second})
		go readFrame(raw)
		start := time.Now()
		if err := drain(c); !errors.Is(err, wsconn.ErrPingTimeout) {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 30*time.Second {
			t.Fatalf("ended after %v", d)
		}
		if err := send(c, nil); !errors.Is(err, wsconn.ErrPingTimeout) {
			t.Fatal(err)
		}
	})
}

// Both sides ping, and answer, for as long as it takes.
func TestIdleConnectionLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t, wsconn.Options{}, wsconn.Options{})
		for _, c := range []*wsconn.Conn{a, b} {
			go drain(c)
		}
		time.Sleep(24 * time.Hour)
		if a.Err() != nil || b.Err() != nil {
			t.Fatal(a.Err(), b.Err())
		}
		// One goroutine for each reader, and no others: the bubble's Wait
		// returns with all of them blocked.
		synctest.Wait()
		_, out := a.Memory()
		if out > 2048 {
			t.Errorf("%d bytes are kept for writing", out)
		}
	})
}

func TestNoPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{PingInterval: -1})
		go drain(c)
		time.Sleep(24 * time.Hour)
		if frames, _ := c.Written(); frames != 0 || c.Err() != nil {
			t.Fatalf("%d frames, error %v", frames, c.Err())
		}
		raw.Close()
	})
}

// PongTimeout may be longer than PingInterval: pings then come at its pace.
func TestPatientPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, raw := rawPeer(t, false, wsconn.Options{PingInterval: time.Second, PongTimeout: time.Minute})
		go drain(c)
		for i := range 3 {
			f, err := readFrame(raw)
			if err != nil || f.first != fin|opPing {
				t.Fatal(f, err)
			}
			time.Sleep(59 * time.Second)
			if _, err := raw.Write(frame(fin|opPong, nil, 1)); err != nil {
				t.Fatal(i, err)
			}
		}
	})
}
