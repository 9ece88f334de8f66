package testserver

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func supported() error { return nil }

// unprivileged returns whom servers run as: the user of the tests, but nobody
// where that is root, since PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// giveAway gives dir to whom servers run as.
func giveAway(dir string) error {
	c, err := unprivileged()
	if c == nil || err != nil {
		return err
	}
	return os.Chown(dir, int(c.Uid), int(c.Gid))
}

// restrict makes cmd run as an unprivileged user, and die with the thread that
// starts it. An error is left to the start of the program, which fails as root
// where it must.
func restrict(cmd *exec.Cmd) {
	c, _ := unprivileged()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: c,
		Pdeathsig:  syscall.SIGKILL,
		// A Ctrl-C at the terminal is for the tests.
		Setpgid: true,
	}
}

// startOnOwnThread starts cmd. The kernel kills it when the thread that
// started it ends, be it that the tests were killed; wait, which the same
// goroutine calls, keeps the thread until the program has ended.
func startOnOwnThread(cmd *exec.Cmd) (wait func() error, err error) {
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return func() error {
		defer runtime.UnlockOSThread()
		return cmd.Wait()
	}, nil
}

// pause stops the program, so that it starts no more children, then those.
func (p *process) pause() error {
	if err := stop(p.cmd.Process.Pid); err != nil {
		return err
	}
	return p.eachChild(stop)
}

func (p *process) resume() error {
	err := p.eachChild(func(pid int) error { return signal(pid, syscall.SIGCONT) })
	if err != nil {
		return err
	}
	return p.signal(syscall.SIGCONT)
}

// kill kills the program and its children at the same instant.
func (p *process) kill() {
	_ = p.pause()
	_ = p.eachChild(func(pid int) error { return signal(pid, syscall.SIGKILL) })
	_ = p.signal(syscall.SIGKILL)
}

func (p *process) eachChild(do func(pid int) error) error {
	children, err := childrenOf(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	for _, pid := range children {
		if err := do(pid); err != nil {
			return err
		}
	}
	return nil
}

// signal sends a signal to a process, which may have gone.
func signal(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
		return fmt.Errorf("signal to process %d: %w", pid, err)
	}
	return nil
}

// stop stops a process and returns when none of its threads runs.
func stop(pid int) error {
	if err := signal(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for runs(pid) {
		<-look.C
	}
	return nil
}

// runs reports whether a thread of a process does anything.
func runs(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, path := range threads {
		// The states of a stopped thread, one being traced, and dead ones.
		if fields := statFields(path); len(fields) > 0 && !strings.Contains("TtZX", fields[0]) {
			return true
		}
	}
	return false
}

// childrenOf returns the ids of the processes whose parent is pid.
func childrenOf(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var children []int
	for _, path := range stats {
		if fields := statFields(path); len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	return children, nil
}

// statFields returns what the stat file of a process or thread says from its
// state on: the state, the id of the parent, and more. There is nothing if it
// has gone.
func statFields(path string) []string {
	stat, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	// The name of the program comes before, in brackets. It may hold any
	// character.
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}
