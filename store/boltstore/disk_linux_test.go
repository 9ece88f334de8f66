package boltstore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// disk is what a disk holds of the files in a directory, told from the calls
// that change them: what has been synced is there after a power failure; of
// what has not, each sector may be there or not.
type disk struct {
	mu    sync.Mutex
	root  string // changes elsewhere are none of ours
	files map[inode]*diskFile
	names map[string]*diskName
	calls int
	// plan says what becomes of a call, given how many were before it.
	plan func(n int, c *intercepted) verdict
	// faults are what no disk would forgive.
	faults []string
}

type inode struct{ device, number uint64 }

// diskFile is a file: what is on the disk, and what has been done to it since.
type diskFile struct {
	synced  []byte
	changes []change
}

// change is a write, or a truncation if data is nil.
type change struct {
	data   []byte
	offset int64
	size   int64
}

// diskName is a name of a file, which is on the disk when its directory has
// been synced.
type diskName struct {
	file    *diskFile
	synced  bool
	removed bool      // and will be gone when its directory has been synced
	before  *diskName // what the name stands for on the disk until then, if anything
}

// name gives a file a name.
func (d *disk) name(path string, f *diskFile) {
	d.names[path] = &diskName{file: f, before: d.names[path]}
}

// forget removes a name, and the file if it was the last one: its number will
// be that of another file.
func (d *disk) forget(path string, id inode) {
	f := d.names[path].file
	delete(d.names, path)
	for _, n := range d.names {
		if n.file == f {
			return
		}
	}
	delete(d.files, id)
}

// sync puts the names of a directory on the disk.
func (d *disk) sync(dir string) {
	for path, n := range d.names {
		switch {
		case filepath.Dir(path) != dir:
		case n.removed:
			delete(d.names, path)
		default:
			n.synced, n.before = true, nil
		}
	}
}

func newDisk() *disk { return &disk{} }

// reset forgets everything, and watches another directory.
func (d *disk) reset(root string, plan func(n int, c *intercepted) verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root, d.plan, d.calls, d.faults = root, plan, 0, nil
	d.files, d.names = make(map[inode]*diskFile), make(map[string]*diskName)
}

// adopt takes a file for one that is on the disk as it is.
func (d *disk) adopt(t testing.TB, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &diskFile{synced: b}
	d.files[inodeOf(syscall.Stat, path)] = f
	d.names[path] = &diskName{file: f, synced: true}
}

// seen returns the number of calls so far.
func (d *disk) seen() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// judge keeps the books of a call that waits.
func (d *disk) judge(c *intercepted) verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	path, id := c.newPath, inode{}
	switch c.number {
	case syscall.SYS_LINKAT:
		id = inodeOf(syscall.Stat, c.oldPath)
	case syscall.SYS_UNLINKAT:
		path = c.oldPath
		if c.flags != 0 || d.names[path] == nil {
			return pass
		}
		id = inodeOf(syscall.Stat, path)
		if !strings.HasSuffix(path, "-journal") { // That other names are gone is of no consequence.
			d.forget(path, id)
			return pass
		}
	default:
		path, _ = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", c.fd))
		id = inodeOf(syscall.Fstat, c.fd)
	}
	// No sync of this process goes to the real disk: that takes time.
	sync := c.number == syscall.SYS_FSYNC || c.number == syscall.SYS_FDATASYNC
	if d.root == "" || !strings.HasPrefix(path, d.root) {
		return verdict{faked: sync}
	}
	if c.load != nil {
		c.load()
	}
	v := d.plan(d.calls, c)
	if v.dark {
		return v
	}
	d.calls++
	f := d.files[id]
	if f == nil {
		f = new(diskFile)
		d.files[id] = f
		d.name(path, f)
	}
	switch {
	case v.faked && v.errno == 0:
		c.data = c.data[:v.result]
	case v.faked && sync:
		// The kernel gives up what it could not write, and forgets it.
		f.synced, f.changes = after(f.synced, f.changes, rand.New(rand.NewPCG(uint64(d.calls), 0))), nil
		return v
	case v.faked:
		return v
	}
	switch c.number {
	case syscall.SYS_PWRITE64:
		f.changes = append(f.changes, change{data: c.data, offset: c.offset})
		if v.faked {
			writeThere(path, c)
		}
	case syscall.SYS_FTRUNCATE:
		f.changes = append(f.changes, change{size: c.size})
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		f.synced, f.changes = after(f.synced, f.changes, nil), nil
		d.sync(path)
		v.faked = true
	case syscall.SYS_LINKAT:
		if len(f.changes) > 0 {
			d.faults = append(d.faults, fmt.Sprintf("%s gets its name with %d changes that are not on the disk", path, len(f.changes)))
		}
		if d.names[path] == nil {
			d.name(path, f)
		}
	case syscall.SYS_UNLINKAT:
		d.names[path].removed = true
		delete(d.files, id) // Its number will be that of another file.
	}
	return v
}

func inodeOf[F string | int](stat func(F, *syscall.Stat_t) error, file F) inode {
	var s syscall.Stat_t
	if err := stat(file, &s); err != nil {
		return inode{}
	}
	return inode{s.Dev, s.Ino}
}

// writeThere does the part of a write that is to succeed. It must not be
// intercepted itself, so it is another call.
func writeThere(path string, c *intercepted) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(c.offset, 0); err != nil {
		panic(err)
	}
	if _, err := f.Write(c.data); err != nil {
		panic(err)
	}
}

// after makes changes in b: all, or those that rng lets through, sector by
// sector.
func after(b []byte, changes []change, rng *rand.Rand) []byte {
	const sector = 512
	luck := func() bool { return rng == nil || rng.IntN(2) == 0 }
	grow := func(size int64) {
		if n := size - int64(len(b)); n > 0 {
			b = append(b, make([]byte, n)...)
		}
	}
	for _, c := range changes {
		if c.data == nil {
			if luck() {
				grow(c.size)
				b = b[:c.size]
			}
			continue
		}
		for i := 0; i < len(c.data); i += sector {
			part := c.data[i:min(i+sector, len(c.data))]
			if luck() {
				at := c.offset + int64(i)
				grow(at + int64(len(part)))
				copy(b[at:], part)
			}
		}
	}
	return b
}

// Ways in which a power failure treats what has not been synced.
const (
	loseAll = iota
	keepAll
	loseSome
	ways
)

// afterPowerFailure writes to path what the disk has of the store at name, and
// reports whether it has it.
func (d *disk) afterPowerFailure(t testing.TB, name, path string, way int, rng *rand.Rand) bool {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, fault := range d.faults {
		t.Error(fault)
	}
	there := d.leave(t, name, path, way, rng)
	d.leave(t, name+"-journal", path+"-journal", way, rng)
	return there
}

// leave writes to path what a power failure leaves of the file at name.
func (d *disk) leave(t testing.TB, name, path string, way int, rng *rand.Rand) bool {
	t.Helper()
	lost := func() bool { return way == loseAll || way == loseSome && rng.IntN(2) == 0 }
	n := d.names[name]
	for n != nil && !n.synced && lost() {
		n = n.before
	}
	if n == nil || n.removed && !lost() {
		return false
	}
	b := n.file.synced
	switch way {
	case keepAll:
		b = after(slices.Clone(b), n.file.changes, nil)
	case loseSome:
		b = after(slices.Clone(b), n.file.changes, rng)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return true
}
