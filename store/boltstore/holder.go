package boltstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// note says who has a file open. It lies beside the file, and is for people:
// whether the file is free is for the lock alone to decide. So whatever goes
// wrong with a note is no error.
type note struct {
	Program string    `json:"program"`
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
}

const (
	noteSuffix = ".holder"
	maxNote    = 4 << 10 // bytes
	maxName    = 64      // characters of a program or a host
)

// writeNote says that this process has the file at path open. The caller holds
// the lock.
func writeNote(path string) {
	n := note{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
	program, errProgram := os.Executable()
	host, errHost := os.Hostname()
	if errProgram != nil || errHost != nil {
		return
	}
	n.Program, n.Host = filepath.Base(program), host
	text, err := json.Marshal(n)
	if err != nil {
		return
	}
	_ = os.WriteFile(path+noteSuffix, append(text, '\n'), fileMode)
}

// removeNote takes the note away. The caller holds the lock.
func removeNote(path string) { _ = os.Remove(path + noteSuffix) }

// holder says who has the file at path open, for an error.
func holder(path string) string {
	const somebody = "another process"
	file, err := os.Open(path + noteSuffix)
	if err != nil {
		return somebody
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxNote))
	if err != nil {
		return somebody
	}
	n, ok := decodeNote(text)
	if !ok || n.ended() {
		return somebody
	}
	return n.String()
}

// decodeNote reads a note, which anybody may have written.
func decodeNote(text []byte) (note, bool) {
	var n note
	if json.Unmarshal(text, &n) != nil || n.PID <= 0 || n.Since.IsZero() {
		return note{}, false
	}
	n.Program, n.Host = printable(n.Program), printable(n.Host)
	return n, n.Program != "" && n.Host != ""
}

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return -1
	}, s)
	if r := []rune(s); len(r) > maxName {
		return string(r[:maxName])
	}
	return s
}

// here reports whether the process is of this host.
func (n note) here() bool {
	host, err := os.Hostname()
	return err == nil && printable(host) == n.Host
}

// ended reports whether the process is of this host and no longer there: then
// it was killed, and somebody else has the file.
func (n note) ended() bool {
	if !n.here() {
		return false
	}
	p, err := os.FindProcess(n.PID)
	if err != nil {
		return true
	}
	defer func() { _ = p.Release() }()
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

func (n note) String() string {
	self := ""
	if n.PID == os.Getpid() && n.here() {
		self = ", this process,"
	}
	return fmt.Sprintf("%s (pid %d%s on %s since %s)", n.Program, n.PID, self, n.Host, n.Since.UTC().Format(time.DateTime+" MST"))
}
