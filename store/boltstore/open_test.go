package boltstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

func put(t testing.TB, s store.Store, key, value string) {
	t.Helper()
	var b store.Batch
	b.Put(key, []byte(value))
	if err := s.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
}

// A missing directory is made, like the file, for the owner's eyes alone, and
// nothing else is left behind.
func TestOpenMakesFileAndDirectories(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "var", "lib", "connector", "connector.db")
	s := open(t, path)
	put(t, s, "k", "v")
	if s.Path() != path {
		t.Errorf("Path is %s, want %s", s.Path(), path)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names := entries(t, filepath.Dir(path)); !slices.Equal(names, []string{"connector.db"}) {
		t.Errorf("the directory holds %q, want the file alone", names)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]fs.FileMode{
		path:                      0o600,
		filepath.Dir(path):        0o700 | fs.ModeDir,
		filepath.Join(dir, "var"): 0o700 | fs.ModeDir,
	} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v (%v), want %v", name, info.Mode(), err, want)
		}
	}
}

// A store is where it was opened, wherever the process goes.
func TestPathIsAbsolute(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := open(t, "connector.db")
	t.Chdir(t.TempDir())
	put(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names := entries(t, dir); !slices.Equal(names, []string{"connector.db"}) {
		t.Errorf("the directory holds %q, want the file alone", names)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		path string
		opts boltstore.Options
		is   error  // if not nil
		says string // of any of these
	}{
		{"a directory", dir, boltstore.Options{}, nil, "is a directory: want a file, such as " + filepath.Join(dir, "connector.db")},
		{"a path through a file", filepath.Join(dir, "file", "connector.db"), boltstore.Options{}, nil, "not a directory"},
		{"no file where one must exist", filepath.Join(dir, "connector.db"), boltstore.Options{MustExist: true}, fs.ErrNotExist, "no such file"},
		{"a device", os.DevNull, boltstore.Options{}, nil, "is not a regular file"},
	}
	for _, test := range tests {
		s, err := boltstore.OpenWith(test.path, test.opts)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", test.name)
			continue
		}
		if test.is != nil && !errors.Is(err, test.is) || !strings.HasPrefix(err.Error(), "boltstore: open "+test.path+": ") ||
			runtime.GOOS == "linux" && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
		if errors.Is(err, boltstore.ErrDamaged) || errors.Is(err, boltstore.ErrInUse) {
			t.Errorf("%s: %v wraps what it is not", test.name, err)
		}
	}
	if names := entries(t, dir); !slices.Equal(names, []string{"file"}) {
		t.Errorf("something has been left: %q", names)
	}
}

// With MustExist a file that exists is opened.
func TestMustExist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	s, err := boltstore.OpenWith(path, boltstore.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

// Many open a file that is not there at once: one of them has it, and for the
// others it is in use, and no more than that.
func TestOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "connector.db")
	var (
		mu     sync.Mutex
		opened []*boltstore.Store
		all    sync.WaitGroup
	)
	for range 8 {
		all.Go(func() {
			s, err := boltstore.OpenWith(path, boltstore.Options{LockTimeout: 1})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				opened = append(opened, s)
			} else if !errors.Is(err, boltstore.ErrInUse) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(opened) > 1 {
		t.Errorf("%d stores have the file at once", len(opened))
	}
	for _, s := range opened {
		put(t, s, "k", "v")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if names := entries(t, filepath.Dir(path)); !slices.Equal(names, []string{"connector.db"}) {
		t.Errorf("the directory holds %q, want the file alone", names)
	}
}
