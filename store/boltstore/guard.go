package boltstore

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var (
	// ErrDamaged: the file is not one that this package has written, or no
	// longer what it has written. Open leaves it as it is.
	ErrDamaged = errors.New("boltstore: damaged file")

	// ErrInUse: another process, or this one, has the file open.
	ErrInUse = errors.New("boltstore: file in use")
)

// sentence is an error with a text of its own, which errors.Is finds to be its
// kind.
type sentence struct {
	text string
	kind error
}

func (e *sentence) Error() string { return e.text }
func (e *sentence) Unwrap() error { return e.kind }

// damagef returns an error that wraps ErrDamaged and says what is damaged. Who
// knows the name of the file adds it.
func damagef(format string, args ...any) error {
	return &sentence{fmt.Sprintf(format, args...), ErrDamaged}
}

// guard calls f, which calls bbolt, and turns a panic into an error that wraps
// ErrDamaged: bbolt panics when a page is not what it should be. Reading a
// mapped page that the disk cannot deliver, or that a truncation has taken
// away, is a fault rather than a panic; guard makes it one. Neither is
// possible in a file that Open has checked unless it changes afterwards.
func (s *Store) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			s.panicked.Store(true)
			err = damagef("damaged file: %v", p)
		}
	}()
	return f()
}
