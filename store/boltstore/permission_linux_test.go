package boltstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/interledger-go/connector/store/boltstore"
)

const nobody = 65534

// asNobody runs f with the rights of the owner of the files that permit has
// been called for, and no more: the superuser's tests would pass everywhere.
// The kernel keeps this by thread.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := func(uid uintptr) {
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, uid, 0, 0) // says nothing about success
	}
	set(nobody)
	defer set(0)
	f()
}

// permit gives a file to nobody, with the mode.
func permit(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPermissions(t *testing.T) {
	tests := []struct {
		name      string
		dir, file fs.FileMode // file 0: there is none
		opens     bool
		notes     bool // leaves a note while it is open
	}{
		{"all rights", 0o700, 0o600, true, true},
		{"a new file", 0o700, 0, true, true},
		{"a new file where none may be made", 0o500, 0, false, false},
		{"a file that may only be read", 0o700, 0o400, false, false},
		{"a file that may only be written", 0o700, 0o200, false, false},
		{"a directory that may only be read", 0o500, 0o600, true, false},
		{"a directory that may only be searched", 0o100, 0o600, true, false},
		{"a directory that may not be searched", 0o600, 0o600, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			top := t.TempDir()
			permit(t, filepath.Dir(top), 0o711)
			permit(t, top, 0o711)
			dir := filepath.Join(top, "dir")
			path := filepath.Join(dir, "connector.db")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if test.file != 0 {
				if err := open(t, path).Close(); err != nil {
					t.Fatal(err)
				}
				permit(t, path, test.file)
			}
			permit(t, dir, test.dir)
			defer permit(t, dir, 0o700) // to be removed
			asNobody(t, func() {
				s, err := boltstore.Open(path)
				if !test.opens {
					if !errors.Is(err, fs.ErrPermission) || errors.Is(err, boltstore.ErrDamaged) {
						t.Errorf("%v, want fs.ErrPermission", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				put(t, s, "k", "v")
				if _, err := os.Stat(path + ".holder"); (err == nil) != test.notes {
					t.Errorf("the note: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
