//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package boltstore

import "os"

// unlock does nothing: where locks are not those of flock, closing the file
// ends them.
func unlock(*os.File) error { return nil }
