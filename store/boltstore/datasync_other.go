//go:build !linux

package boltstore

import "os"

// datasync puts the contents of a file on the disk.
func datasync(file *os.File) error { return file.Sync() }
