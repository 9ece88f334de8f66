package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	// Path of the value, such as accounts.bob.balance.maximum.
	Path string
	// Source is the file or the variable that it comes from; empty for Go
	// values.
	Source string
	// Problem says what is wrong, and what would be right. It quotes no
	// secret.
	Problem string

	ofName bool // only the name is wrong, whatever stands under it
}

// String gives the fault in one line.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Path)
	if f.Source != "" && f.Source != f.Path {
		if f.Path != "" {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "(%s)", f.Source)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	return b.String()
}

// Error is everything that is wrong with a configuration, in the order in
// which it was found. There is at least one fault.
type Error struct {
	Faults []Fault
}

// Error gives a line for each fault.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return "config: " + strings.Join(lines, "\nconfig: ")
}

// faults collects what is wrong, for one reading.
type faults struct {
	list    []Fault
	sources map[string]string // file or variable by top-level key
	later   []func()          // what is looked at when everything else was
}

// add notes a fault, unless one of the same value, or of something around
// it, is noted already: the second would follow from the first.
func (f *faults) add(path, format string, args ...any) {
	f.put(Fault{Path: path, Problem: fmt.Sprintf(format, args...)})
}

// addName notes that a name is wrong: nothing else follows from that.
func (f *faults) addName(path, format string, args ...any) {
	f.put(Fault{Path: path, Problem: fmt.Sprintf(format, args...), ofName: true})
}

func (f *faults) put(fault Fault) {
	for _, other := range f.list {
		if other.Path != "" && !other.ofName && within(fault.Path, other.Path) {
			return
		}
	}
	fault.Source = f.sources[topOf(fault.Path)]
	f.list = append(f.list, fault)
}

// below reports whether there is a fault at path or in what it holds.
func (f *faults) below(path string) bool {
	for _, fault := range f.list {
		if within(fault.Path, path) {
			return true
		}
	}
	return false
}

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &Error{Faults: f.list}
}

// within reports whether path is outer, or the path of something in it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// topOf is the top-level key that path begins with.
func topOf(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// at is the path of a member of what is at path, or of one in that, and so on.
func at(path string, names ...string) string {
	for _, name := range names {
		switch {
		case !plainName(name):
			path = fmt.Sprintf("%s[%q]", path, name)
		case path == "":
			path = name
		default:
			path += "." + name
		}
	}
	return path
}

func plainName(name string) bool {
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && r != '_' && r != '-' && r != '~' {
			return false
		}
	}
	return name != ""
}

// indexed is the path of element i of the list at path.
func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
