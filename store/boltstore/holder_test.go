package boltstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/interledger-go/connector/store/boltstore"
)

// wantInUse tries to open a file that is in use.
func wantInUse(t *testing.T, path string, says string) {
	t.Helper()
	s, err := boltstore.OpenWith(path, boltstore.Options{LockTimeout: 1})
	if err == nil {
		_ = s.Close()
		t.Fatal("a file that is in use is opened")
	}
	want := "boltstore: " + path + " is in use by " + says
	if !errors.Is(err, boltstore.ErrInUse) || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), ": want it closed there") {
		t.Errorf("%v, want ErrInUse and %q", err, want)
	}
}

func TestInUseByThisProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	s := open(t, path)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	wantInUse(t, path, fmt.Sprintf("%s (pid %d, this process, on %s since 2", filepath.Base(program), os.Getpid(), host))
	put(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Close(); err != nil {
		t.Error(err)
	}
}

// The lock decides, and not the note: a note that lies, or is none, neither
// keeps anybody out nor lets anybody in, and no process is accused that is
// gone.
func TestNoteDecidesNothing(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const gone = 1 << 30 // more than there can be
	notes := map[string]struct{ note, says string }{
		"none":                        {"", "another process: "},
		"not a note":                  {"pid 4711", "another process: "},
		"half a note":                 {`{"program":"ilp-connector","pid":4711,"ho`, "another process: "},
		"no process":                  {`{"program":"p","pid":0,"host":"h","since":"2026-11-21T05:11:00Z"}`, "another process: "},
		"too long":                    {`{"program":"` + strings.Repeat("p", 5000) + `","pid":4711,"host":"h","since":"2026-11-21T05:11:00Z"}`, "another process: "},
		"a process that is gone":      {fmt.Sprintf(`{"program":"p","pid":%d,"host":%q,"since":"2026-11-21T05:11:00Z"}`, gone, host), "another process: "},
		"a process of another host":   {fmt.Sprintf(`{"program":"ilp-connector","pid":%d,"host":"elsewhere","since":"2026-11-21T05:11:00Z"}`, gone), "ilp-connector (pid 1073741824 on elsewhere since 2026-11-21 05:11:00 UTC): "},
		"a process that is there":     {fmt.Sprintf(`{"program":"ilp-connector","pid":%d,"host":%q,"since":"2026-11-21T05:11:00Z"}`, os.Getpid(), host), fmt.Sprintf("ilp-connector (pid %d, this process, on %s since 2026-11-21 05:11:00 UTC): ", os.Getpid(), host)},
		"one that paints the console": {`{"program":"\u001b[31mred\n\u202e","pid":4711,"host":"els\u0000ewhere","since":"2026-11-21T05:11:00Z"}`, "[31mred (pid 4711 on elsewhere since "},
	}
	for name, test := range notes {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "connector.db")
			if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			if test.note != "" {
				if err := os.WriteFile(path+".holder", []byte(test.note), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// Somebody has the file who leaves no note.
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantInUse(t, path, test.says)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s := open(t, path)
			put(t, s, "k", "v")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if names := entries(t, filepath.Dir(path)); len(names) != 1 {
				t.Errorf("the directory holds %q after Close", names)
			}
		})
	}
}

// A reader of another program counts as use, too.
func TestInUseByReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	wantInUse(t, path, "another process: ")
}

// A note that cannot be written keeps nobody from opening the store.
func TestWithoutNote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	if err := os.Mkdir(path+".holder", 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	wantInUse(t, path, "another process: ")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeNote(f *testing.F) {
	f.Add([]byte(`{"program":"ilp-connector","pid":4711,"host":"alpha","since":"2026-11-21T05:11:00Z"}`))
	f.Add([]byte(`{"program":"\u001b[31m","pid":-1,"host":"\xff","since":"9999-12-31T23:59:59Z"}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		says, ok := boltstore.DecodeNote(text)
		if !ok {
			return
		}
		if len([]rune(says)) > 300 || strings.ContainsFunc(says, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q", says)
		}
	})
}
