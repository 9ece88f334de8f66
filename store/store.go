package store

import (
	"context"
	"errors"
	"fmt"
)

// Store is an ordered, durable map from keys to values. All methods may be
// called concurrently. The package comment says what each of them must hold.
type Store interface {
	// Get returns the value of key, which is the caller's to keep and change.
	// An absent key is an error that wraps ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)

	// Scan calls visit for each key that begins with prefix, in ascending
	// order of the keys' bytes; the empty prefix is all keys. What it shows is
	// one instant, at or after the call, whatever is written meanwhile. value
	// is the visitor's to keep and change.
	//
	// An error of visit ends the scan and is returned as it is. visit calls
	// no method of the store: in many a store that is a deadlock.
	Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error

	// Write puts all operations of b into effect, in their order, or none. It
	// returns nil when they are durable. An error that wraps ErrNotWritten
	// says that they are not in effect and never will be; after any other
	// error the outcome is unknown, and the caller writes the batch again.
	// Two writes one after the other take effect in that order.
	//
	// b is only read, by this call alone, and is the caller's again when it
	// returns.
	Write(ctx context.Context, b *Batch) error

	// Close releases what the store holds. It may be called again, to no
	// effect. Every other call gives an error that wraps ErrClosed from then
	// on.
	Close() error
}

const (
	// MaxKeySize is the length of the longest key, in bytes.
	MaxKeySize = 512

	// MaxValueSize is the length of the longest value, in bytes.
	MaxValueSize = 1 << 20
)

// These errors tell a caller what it may do next.
var (
	// ErrNotFound: there is no such key.
	ErrNotFound = errors.New("store: not found")

	// ErrNotWritten: the batch is not in effect and never will be. An error
	// of Write that does not wrap it leaves the outcome unknown.
	ErrNotWritten = errors.New("store: not written")

	// ErrClosed: the store is closed, or has closed itself because it can no
	// longer answer for what it holds. It is final. From Write it is an
	// ErrNotWritten too.
	ErrClosed error = &notWritten{"store: closed"}

	// ErrInvalid: a key or a value is outside the limits, and always will be.
	// From Write it is an ErrNotWritten too.
	ErrInvalid error = &notWritten{"store: invalid"}
)

// notWritten is an error of its own that errors.Is also finds to be
// ErrNotWritten.
type notWritten struct{ text string }

func (e *notWritten) Error() string        { return e.text }
func (e *notWritten) Is(target error) bool { return target == ErrNotWritten }

// CheckKey returns an error that wraps ErrInvalid unless key is one that a
// store takes.
func CheckKey(key string) error { return check(len(key), MaxKeySize, 0) }

// CheckPrefix returns an error that wraps ErrInvalid unless prefix is one
// that a Scan takes: as long as a key at most, or empty.
func CheckPrefix(prefix string) error { return checkPrefix(len(prefix), MaxKeySize) }

// check holds the limits of keys and values. A view has less than MaxKeySize
// for its keys.
func check(key, maxKey, value int) error {
	if key == 0 || key > maxKey {
		return fmt.Errorf("%w: key of %d bytes: want 1 to %d", ErrInvalid, key, maxKey)
	}
	if value > MaxValueSize {
		return fmt.Errorf("%w: value of %d bytes: want at most %d", ErrInvalid, value, MaxValueSize)
	}
	return nil
}

func checkPrefix(prefix, maxKey int) error {
	if prefix > maxKey {
		return fmt.Errorf("%w: prefix of %d bytes: want at most %d", ErrInvalid, prefix, maxKey)
	}
	return nil
}

// Volatile is implemented by a store whose contents end with the process.
// Nobody has to wait until a batch is in it: nothing is lost that would be
// there otherwise.
type Volatile interface {
	Store
	// Volatile does nothing. It says that this is on purpose.
	Volatile()
}
