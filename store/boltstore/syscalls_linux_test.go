package boltstore_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/interledger-go/connector/internal/testenv"
)

// bbolt calls the kernel directly, and offers no place to stand between them.
// So these tests stand in the kernel: a seccomp filter stops every call of
// this process that changes a file or syncs it until a goroutine has seen it,
// which lets it pass, or makes it fail without being executed.
//
// A process cannot get rid of such a filter, so a test that needs one runs in
// a process of its own.

// intercepted is a call that waits.
type intercepted struct {
	number uintptr
	fd     int
	data   []byte // of a write
	offset int64  // of a write
	size   int64  // of a truncation: the new one
	// oldPath and newPath are the arguments of a link; oldPath and flags are
	// those of a removal.
	oldPath, newPath string
	flags            uint64

	load func() // reads data
}

// verdict is what becomes of a call: it is executed, unless it is faked. Then
// it returns an error or, without one, a number.
type verdict struct {
	faked  bool
	errno  syscall.Errno
	result int64
	dark   bool // there is no power any more
}

var (
	pass = verdict{}
	dark = verdict{faked: true, errno: syscall.EIO, dark: true}
)

func failWith(errno syscall.Errno) verdict { return verdict{faked: true, errno: errno} }

// writeOnly lets a write end after n bytes.
func writeOnly(n int64) verdict { return verdict{faked: true, result: n} }

// inChild reports whether this process is the one for t. If it is not, it runs
// that and waits for it, and the test has nothing left to do. If subtest is not
// empty, only that one runs.
func inChild(t *testing.T, subtest string) bool {
	t.Helper()
	const env = "BOLTSTORE_TEST_CHILD"
	if os.Getenv(env) == t.Name() {
		return true
	}
	t.Parallel() // with other children: it has a process of its own
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pattern := "^" + t.Name() + "$"
	if subtest != "" {
		pattern += "/^" + subtest + "$"
	}
	args := []string{"-test.run=" + pattern, "-test.v"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	child := exec.CommandContext(t.Context(), program, args...)
	child.Env = append(os.Environ(), env+"="+t.Name(), "GOGC=400") // It copies files all the time.
	out, err := child.CombinedOutput()
	if testing.Verbose() {
		t.Logf("%s", out)
	}
	switch {
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP: "+t.Name()+" "):
		t.Skipf("%s", out) // The child has asked testenv.
	case !strings.Contains(string(out), "--- PASS: "+t.Name()+" "):
		t.Errorf("the child has not run the test:\n%s", out)
	}
	return false
}

// intercept hands every call to judge, one after the other, until the process
// ends. It skips t where the kernel does not allow it.
func intercept(t *testing.T, judge func(*intercepted) verdict) {
	t.Helper()
	numbers := map[string]uintptr{"amd64": 317, "arm64": 277}
	seccomp, ok := numbers[runtime.GOARCH]
	if !ok {
		testenv.Skip(t, "no number of the call seccomp for %s: run this on amd64 or arm64", runtime.GOARCH)
	}
	program := filter(syscall.SYS_PWRITE64, syscall.SYS_FTRUNCATE, syscall.SYS_FSYNC, syscall.SYS_FDATASYNC, syscall.SYS_LINKAT, syscall.SYS_UNLINKAT)
	f := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const (
		prSetNoNewPrivs = 38
		setModeFilter   = 1
		// All threads at once, with a listener, and waits that no signal ends.
		flags = 1<<0 | 1<<3 | 1<<4 | 1<<5
	)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		testenv.Skip(t, "prctl: %v: want a kernel that lets a process filter its own calls", errno)
	}
	listener, _, errno := syscall.RawSyscall(seccomp, setModeFilter, flags, uintptr(unsafe.Pointer(&f)))
	if errno != 0 {
		testenv.Skip(t, "seccomp: %v: want Linux 5.19 or later, and a container that allows it", errno)
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	go listen(listener, memory, judge)
}

// filter returns a program that lets calls wait if they have one of the
// numbers, and passes others.
func filter(numbers ...uint32) []syscall.SockFilter {
	const (
		loadNumber = syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS
		jumpEqual  = syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K
		giveBack   = syscall.BPF_RET | syscall.BPF_K
		allow      = 0x7fff0000
		notify     = 0x7fc00000
	)
	program := []syscall.SockFilter{{Code: loadNumber}}
	for i, number := range numbers {
		program = append(program, syscall.SockFilter{Code: jumpEqual, Jt: uint8(len(numbers) - i), K: number})
	}
	return append(program, syscall.SockFilter{Code: giveBack, K: allow}, syscall.SockFilter{Code: giveBack, K: notify})
}

// notification and response are what the kernel and a listener exchange.
type notification struct {
	id     uint64
	pid    uint32
	flags  uint32
	number int32
	arch   uint32
	ip     uint64
	args   [6]uint64
}

type response struct {
	id     uint64
	result int64
	errno  int32
	flags  uint32
}

var listening sync.Mutex // held while a call is judged

func listen(listener uintptr, memory *os.File, judge func(*intercepted) verdict) {
	const (
		receive = 0xc0502100
		send    = 0xc0182101
		goOn    = 1
	)
	for {
		var n notification
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, listener, receive, uintptr(unsafe.Pointer(&n))); errno != 0 {
			if errno == syscall.EINTR || errno == syscall.ENOENT {
				continue
			}
			panic(fmt.Sprint("seccomp: receive: ", errno))
		}
		listening.Lock()
		v := judge(arguments(&n, memory))
		listening.Unlock()
		r := response{id: n.id, flags: goOn}
		if v.faked {
			r = response{id: n.id, result: v.result, errno: -int32(v.errno)}
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, listener, send, uintptr(unsafe.Pointer(&r))); errno != 0 && errno != syscall.ENOENT {
			panic(fmt.Sprint("seccomp: send: ", errno))
		}
	}
}

// arguments reads the arguments of a call from the memory of its thread, which
// waits.
func arguments(n *notification, memory *os.File) *intercepted {
	c := &intercepted{number: uintptr(n.number), fd: int(int32(n.args[0]))}
	switch c.number {
	case syscall.SYS_PWRITE64:
		c.offset = int64(n.args[3])
		c.load = func() {
			c.data = make([]byte, n.args[2])
			if _, err := memory.ReadAt(c.data, int64(n.args[1])); err != nil {
				panic(err)
			}
		}
	case syscall.SYS_FTRUNCATE:
		c.size = int64(n.args[1])
	case syscall.SYS_LINKAT:
		c.oldPath, c.newPath = text(memory, n.args[1]), text(memory, n.args[3])
	case syscall.SYS_UNLINKAT:
		c.oldPath, c.flags = text(memory, n.args[1]), n.args[2]
	}
	return c
}

// text reads a string that ends with a zero.
func text(memory *os.File, address uint64) string {
	const page = 4 << 10 // The next one may not be there.
	var s []byte
	for {
		part := make([]byte, page-address%page)
		if _, err := memory.ReadAt(part, int64(address)); err != nil {
			return string(s)
		}
		if end := bytes.IndexByte(part, 0); end >= 0 {
			return string(append(s, part[:end]...))
		}
		s, address = append(s, part...), address+uint64(len(part))
	}
}
