package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Options are what a host may choose. The zero value is what Open takes.
type Options struct {
	// LockTimeout is how long to wait for another process to let go of the
	// file, such as one that is shutting down. 0 stands for one second; less
	// than 50 ms is not to wait.
	LockTimeout time.Duration

	// MustExist says to refuse a path where there is no file, with an error that
	// wraps fs.ErrNotExist, rather than to begin with empty books.
	MustExist bool
}

const (
	defaultLockTimeout = time.Second

	fileMode = 0o600 // what a counterparty owes is nobody else's business
	dirMode  = 0o700

	// allocSize is by how much the file grows, in bytes. bbolt's 16 MiB are
	// large for what is usually less than one; each step costs one more sync.
	allocSize = 1 << 20
)

// Open opens the store in the file at path. A file that is not there is made,
// with the directories that it lies in, and readable by its owner alone. An
// error wraps ErrInUse if the file is open already, and ErrDamaged if it is
// not, or no longer, what this package writes; an empty file is not. What the
// operating system says is wrapped, too: fs.ErrPermission, for example.
func Open(path string) (*Store, error) { return OpenWith(path, Options{}) }

// OpenWith is Open with options.
func OpenWith(path string, opts Options) (*Store, error) {
	return openSized(path, opts, sizes{journal: journalSize, step: allocSize})
}

// sizes are those of the files, in bytes. Tests have smaller ones.
type sizes struct {
	journal int // of a new one; 0: there is none
	step    int // by which the database grows
}

func openSized(path string, opts Options, sizes sizes) (*Store, error) {
	if opts.LockTimeout == 0 {
		opts.LockTimeout = defaultLockTimeout
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("boltstore: open %s: %w", path, err)
	}
	s, err := open(abs, opts, sizes)
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, &sentence{"boltstore: " + path + " is in use by " + holder(abs) + ": want it closed there", ErrInUse}
	case errors.Is(err, ErrDamaged):
		return nil, fmt.Errorf("boltstore: %s is damaged, and left as it is: %w", path, err)
	}
	return nil, fmt.Errorf("boltstore: open %s: %w", path, err)
}

func open(path string, opts Options, sizes sizes) (*Store, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !opts.MustExist:
		err = create(path)
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("is a directory: want a file, such as %s", filepath.Join(path, "connector.db"))
	case !info.Mode().IsRegular():
		err = errors.New("is not a regular file")
	}
	if err != nil {
		return nil, err
	}
	if err := checkLocked(path, opts); err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(path) // by any name, it has one journal
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, journalPath: real + journalSuffix}
	// Only a file that has changed since then can make bbolt panic here.
	if err := s.guard(func() error { return s.openChecked(opts, sizes) }); err != nil {
		_ = s.letGo()
		return nil, err
	}
	writeNote(path)
	return s, nil
}

// checkLocked checks the file while a lock keeps writers out. It opens the
// file for reading alone, so that one that is damaged stays what it is.
func checkLocked(path string, opts Options) error {
	var file *os.File
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{
		Timeout:  opts.LockTimeout,
		ReadOnly: true, // maps the file and reads nothing but the meta pages
		OpenFile: keepFile(&file, -1),
	})
	if err == nil {
		return errors.Join(checkOpen(file), db.Close())
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return err
	}
	// bbolt may not like the file, and our check says what it is about it.
	if file, errOpen := os.Open(path); errOpen == nil {
		defer func() { _ = file.Close() }()
		if errCheck := checkOpen(file); errCheck != nil {
			return errCheck
		}
	}
	return err
}

// keepFile returns a function with which bbolt opens a file, with those of its
// flags that are in mask. The file is kept.
func keepFile(file **os.File, mask int) func(string, int, fs.FileMode) (*os.File, error) {
	return func(name string, flag int, mode fs.FileMode) (f *os.File, err error) {
		*file, err = os.OpenFile(name, flag&mask, mode)
		return *file, err
	}
}

func checkOpen(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return checkFile(file, info.Size())
}

// openChecked opens the file that has been checked, and makes sure that what
// it reads there is on the disk.
func (s *Store) openChecked(opts Options, sizes sizes) (err error) {
	s.db, err = bbolt.Open(s.path, fileMode, &bbolt.Options{
		Timeout:  opts.LockTimeout,
		OpenFile: keepFile(&s.file, ^os.O_CREATE), // It is there.
		// The list of free pages is part of each commit: one page more under a
		// sync that is paid for anyway. Without it every start would walk through
		// the whole tree, in a goroutine of bbolt whose panics nobody can catch.
		NoFreelistSync: false,
		// To find a free page costs the same however many there are.
		FreelistType: bbolt.FreelistMapType,
		// While the file fits into its mapping, no writer waits for readers to
		// end so that it can be mapped anew.
		InitialMmapSize: mappingSize(),
		// Nobody reads the statistics, and each read would take their lock twice.
		NoStatistics: true,
	})
	if err != nil {
		return err
	}
	s.db.AllocSize = sizes.step
	s.pageSize = s.db.Info().PageSize
	h, err := s.readHistory()
	if h.file != nil {
		defer func() {
			if s.journal == nil || s.journal.file != h.file {
				_ = h.file.Close()
			}
		}()
	}
	if err != nil {
		return err
	}
	if s.unsettled, err = readMetaPages(s.file, s.pageSize); err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	s.unsettled = nil
	if err := makeBucket(s.db); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	return s.replay(h, sizes.journal)
}

// mappingSize returns how much of the address space to reserve for the file,
// in bytes: where addresses have 64 bits it is of no consequence. Windows would
// make the file as large.
func mappingSize() int {
	if runtime.GOOS == "windows" || strconv.IntSize < 64 {
		return 0
	}
	return 1 << 30
}
