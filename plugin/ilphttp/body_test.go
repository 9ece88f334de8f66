package ilphttp_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/interledger-go/connector/plugin/ilphttp"
)

// An attempt can be revoked up to its last byte, and then gives no more.
func TestBodyRevoked(t *testing.T) {
	const packet = "ten bytes!"
	for taken := range len(packet) + 1 {
		b, ended := ilphttp.NewBody([]byte(packet))
		got := make([]byte, taken)
		if _, err := io.ReadFull(b, got); err != nil {
			t.Fatal(err)
		}
		sent := taken == len(packet)
		if b.Revoke() == sent {
			t.Errorf("after %d of %d bytes: revoked is %t", taken, len(packet), !sent)
		}
		rest, err := io.ReadAll(b)
		if sent && err != nil || !sent && !errors.Is(err, ilphttp.ErrRevoked) || len(rest) > 0 {
			t.Errorf("after %d of %d bytes %q came, %v", taken, len(packet), rest, err)
		}
		if !bytes.Equal(got, []byte(packet)[:taken]) {
			t.Errorf("the body gave %q", got)
		}
		for range 2 {
			b.Close()
		}
		if n, err := b.Read(got[:min(1, taken)]); n > 0 || err == nil {
			t.Errorf("after Close %d bytes came, %v", n, err)
		}
		if *ended != 1 {
			t.Errorf("the end was told %d times, want once", *ended)
		}
	}
}
