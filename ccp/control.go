package ccp

import (
	"encoding"
	"encoding/binary"
	"fmt"

	"github.com/interledger-go/connector/oer"
)

// Mode is what a peer asks for (CCP-10).
type Mode uint8

const (
	// Idle asks for no more updates.
	Idle Mode = iota
	// Sync asks for updates.
	Sync
)

// String gives "idle" or "sync".
func (m Mode) String() string {
	switch m {
	case Idle:
		return "idle"
	case Sync:
		return "sync"
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// Control asks a peer to send its routes, or to stop (CCP-11).
type Control struct {
	// Mode is what the peer is asked for.
	Mode Mode
	// TableID and Epoch say what the asker knows already: every epoch of that
	// table below this one. Both zero: nothing.
	TableID TableID
	Epoch   uint32
	// Features are names of extensions, in UTF-8. None is known (CCP-15).
	Features []string
}

var _ encoding.BinaryAppender = (*Control)(nil)

// AppendBinary appends the data of the message to dst and implements
// [encoding.BinaryAppender]. A mode other than Idle and Sync is an error; dst
// is returned as it was then.
func (c *Control) AppendBinary(dst []byte) ([]byte, error) {
	if c.Mode > Sync {
		return dst, fmt.Errorf("ccp: route control: mode %d is neither idle (0) nor sync (1)", c.Mode)
	}
	dst = append(dst, byte(c.Mode))
	dst = append(dst, c.TableID[:]...)
	dst = binary.BigEndian.AppendUint32(dst, c.Epoch)
	dst = oer.AppendUint(dst, uint64(len(c.Features)))
	for _, feature := range c.Features {
		dst = oer.AppendString(dst, feature)
	}
	return dst, nil
}

// Decode reads the data of a message. The result shares nothing with data, and
// is zero after an error. Bytes after the last field are ignored (CCP-04).
func (c *Control) Decode(data []byte) error {
	*c = Control{}
	r := oer.NewReader(data)
	var got Control
	got.Mode = Mode(r.Uint8())
	copy(got.TableID[:], r.Bytes(len(TableID{})))
	got.Epoch = r.Uint32()
	if n := count(&r, 1); n > 0 {
		got.Features = make([]string, 0, n)
		for range n {
			got.Features = append(got.Features, string(r.Octets()))
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("ccp: route control: %w", err)
	}
	if got.Mode > Sync {
		return fmt.Errorf("ccp: route control: mode %d is neither idle (0) nor sync (1)", got.Mode)
	}
	*c = got
	return nil
}

// count takes the number of elements of a sequence, each of which has size
// bytes at least. A number for which there are not enough bytes is a fault, so
// that nothing is allocated on the word of a peer (OER-12).
func count(r *oer.Reader, size int) int {
	n := r.Uint()
	if n > uint64(r.Len()/size) {
		r.Bytes(r.Len() + 1) // puts truncated into r.Err
		return 0
	}
	return int(n)
}
