package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"go.etcd.io/bbolt"
)

// create makes an empty store at path, whole or not at all: it gets its name
// when it is on the disk. If another process is faster, that one's is as good.
func create(path string) error {
	dir, name := filepath.Split(path)
	if err := makeDir(filepath.Clean(dir)); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, name+".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := file.Close(); err != nil {
		return err
	}
	if err := makeFile(file.Name()); err != nil {
		return err
	}
	// Unlike a rename, a link never takes the place of a file that is there.
	err = os.Link(file.Name(), path)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported):
		return createInPlace(path)
	}
	return err
}

// createInPlace makes an empty store at path on a file system that has no
// links. A power failure meanwhile may leave a file that is damaged.
func createInPlace(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(file.Close(), makeFile(path)); err != nil {
		_ = os.Remove(path) // Nobody else has done anything with an empty file.
		return err
	}
	return nil
}

// makeFile makes an empty store in the empty file at path.
func makeFile(path string) error {
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{Timeout: defaultLockTimeout})
	if err != nil {
		return err
	}
	return errors.Join(makeBucket(db), db.Close())
}

// makeBucket makes the bucket unless it is there.
func makeBucket(db *bbolt.DB) error {
	there := false
	err := db.View(func(tx *bbolt.Tx) error {
		there = tx.Bucket(bucketName) != nil
		return nil
	})
	if err != nil || there {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucketName)
		return err
	})
}

// makeDir makes a directory, and what it lies in, and puts their names on the
// disk.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncDir puts the names in a directory on the disk: a file that has been
// synced is lost all the same if its name is not there. Some directories can
// only be searched, and some systems cannot sync any; then the name is as
// durable as they make it.
func syncDir(dir string) error {
	err := syncName(dir)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// syncName is syncDir with no excuse, except on Windows.
func syncName(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
