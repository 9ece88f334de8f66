package boltstore

import (
	"os"
	"syscall"
)

// datasync puts the contents of a file on the disk, and of what the file system
// says about it only what is needed to read them.
func datasync(file *os.File) error { return syscall.Fdatasync(int(file.Fd())) }
