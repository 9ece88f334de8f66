package boltstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store/boltstore"
)

// journalDamages are what can be wrong with a journal, and what Open says.
var journalDamages = []struct {
	name   string
	damage func(t *testing.T, f files) files
	says   string
}{
	{"missing", func(_ *testing.T, f files) files { f.journal = nil; return f }, "its journal is missing: want it as "},
	{"empty", func(_ *testing.T, f files) files { f.journal = []byte{}; return f }, "0 bytes"},
	{"half a header", func(_ *testing.T, f files) files { f.journal = f.journal[:20]; return f }, "20 bytes"},
	{"truncated", func(_ *testing.T, f files) files { f.journal = f.journal[:2*boltstore.JournalPage]; return f }, "8192 bytes, not 135168"},
	{"truncated where there was nothing yet", func(_ *testing.T, f files) files {
		f.journal = f.journal[:10*boltstore.JournalPage]
		return f
	}, "bytes, not"},
	{"longer", func(_ *testing.T, f files) files { f.journal = append(f.journal, 0); return f }, "135169 bytes, not 135168"},
	{"zeros", func(_ *testing.T, f files) files { clear(f.journal); return f }, "begins with 0x0, not"},
	{"header", func(_ *testing.T, f files) files { f.journal[25]++; return f }, "header: wrong checksum"},
	{"a later version", func(_ *testing.T, f files) files {
		f.journal[11]++
		boltstore.SumJournal(f.journal)
		return f
	}, "version 2, not 1"},
	{"pages of another size", func(_ *testing.T, f files) files {
		f.journal[14] = 0x20
		boltstore.SumJournal(f.journal)
		return f
	}, "in pages of 8192 bytes, not 4096"},
	{"of another file", func(t *testing.T, f files) files { f.journal = newFiles(t).journal; return f }, "it is that of another file"},
	{"of another file, and without records", func(t *testing.T, f files) files {
		f.journal = newFiles(t).journal
		clear(f.page(1))
		return f
	}, "it is that of another file"},
	{"the first record", func(_ *testing.T, f files) files { f.page(1)[50]++; return f }, "record 0 is damaged, and record 1 is not"},
	{"the second record", func(_ *testing.T, f files) files { f.page(2)[50]++; return f }, "record 1 is damaged, and record 2 is not"},
	{"length of the second record", func(_ *testing.T, f files) files { f.page(2)[21] = 200; return f }, "record 1 is damaged, and record 2 is not"},
	{"the second record lost", func(_ *testing.T, f files) files { clear(f.page(2)[:boltstore.JournalPage]); return f }, "record 1 is damaged"},
	{"the second record in place of the first", func(_ *testing.T, f files) files {
		copy(f.page(1)[:boltstore.JournalPage], f.page(2))
		return f
	}, "record 0 is damaged, and record 1 is not"},
	{"no change in a record", func(_ *testing.T, f files) files {
		binary.BigEndian.PutUint16(f.page(2)[boltstore.EntryHeader:], 4000)
		boltstore.SumEntry(f.page(2))
		return f
	}, "record 1: "},
	{"a file of another program, beside one that was closed", func(t *testing.T, f files) files {
		s := openSized(t, f.write(t), smallJournal)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return files{db: readFiles(t, s.Path()).db, journal: []byte(strings.Repeat("We hold these truths. ", 4000))}
	}, "it is none of ours: want it moved away"},
	{"the file is of an earlier state", func(t *testing.T, f files) files {
		s := openSized(t, f.write(t), smallJournal) // goes on with the journal
		writeBatch(t, s, 4)
		f.journal = killed(t, s).journal
		return f
	}, "a later state of this one"},
	{"the file is of a state that was closed", func(t *testing.T, f files) files {
		s := openSized(t, f.write(t), smallJournal)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		closed, err := os.ReadFile(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		s = openSized(t, s.Path(), smallJournal)
		writeBatch(t, s, 4)
		return files{db: closed, journal: killed(t, s).journal}
	}, "a later state of this one"},
}

// A journal that does not say for certain all that has been acknowledged is
// refused with a sentence that says what is wrong, and left as it is.
func TestDamagedJournals(t *testing.T) {
	sound := newFiles(t)
	for _, test := range journalDamages {
		t.Run(test.name, func(t *testing.T) {
			f := test.damage(t, files{db: sound.db, journal: slices.Clone(sound.journal)})
			path := f.write(t)
			names := entries(t, filepath.Dir(path))
			s, err := boltstore.Open(path)
			if err == nil {
				_ = s.Close()
				t.Fatal("the store is opened")
			}
			if !errors.Is(err, boltstore.ErrDamaged) || !strings.Contains(err.Error(), test.says) ||
				!strings.HasPrefix(err.Error(), "boltstore: "+path+" is damaged, and left as it is: ") {
				t.Errorf("%v, want ErrDamaged and %q", err, test.says)
			}
			if after := readFiles(t, path); !bytes.Equal(after.db, f.db) || !bytes.Equal(after.journal, f.journal) {
				t.Error("the files have changed")
			}
			if got := entries(t, filepath.Dir(path)); !slices.Equal(got, names) {
				t.Errorf("the directory holds %q, want %q", got, names)
			}
		})
	}
}

func readFiles(t *testing.T, path string) (f files) {
	t.Helper()
	var err error
	if f.db, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if f.journal, err = os.ReadFile(path + "-journal"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return f
}

// Wherever a bit flips in the journal: it is refused, or nothing of what it
// says has changed, or the last record is as if it had been torn.
func TestEveryBitOfJournalCounts(t *testing.T) {
	f := newFiles(t)
	rng := rand.New(rand.NewPCG(1, 0))
	for at := 0; at < 6*boltstore.JournalPage; at++ {
		page, offset := at/boltstore.JournalPage, at%boltstore.JournalPage
		if offset > 200 && rng.IntN(50) > 0 { // where there is nothing
			continue
		}
		bit := byte(1) << rng.IntN(8)
		f.journal[at] ^= bit
		records, err := boltstore.CheckJournal(f.journal, f.done, true)
		f.journal[at] ^= bit
		switch {
		case errors.Is(err, boltstore.ErrDamaged) && page < 3:
		case err == nil && records == 3:
		case err == nil && records == 2 && page == 3:
		default:
			t.Fatalf("byte %d of page %d: %d records, %v", offset, page, records, err)
		}
	}
}

// Whatever a journal says, it is refused or replayed. A patch is a list of
// bytes to change, as in FuzzOpen. The checksums are made right afterwards, as
// they would keep almost everything out.
func FuzzCheckJournal(f *testing.F) {
	sound := newFiles(f)
	add := func(patches ...int) {
		var b []byte
		for i := 0; i < len(patches); i += 2 {
			b = append(b, byte(patches[i]>>16), byte(patches[i]>>8), byte(patches[i]), byte(patches[i+1]))
		}
		f.Add(b, true)
		f.Add(b, false)
	}
	const page, payload = boltstore.JournalPage, boltstore.EntryHeader
	add()
	add(11, 2)
	add(22, 1)
	add(page+15, 1)
	add(page+19, 1)
	add(page+20, 255)
	add(page+23, 1)
	add(page+payload, 255)
	add(page+payload+1, 0)
	add(page+payload+2, 255)
	add(page+payload+5, 255)
	add(2*page+19, 7)
	f.Fuzz(func(t *testing.T, patch []byte, inUse bool) {
		journal := slices.Clone(sound.journal)
		for ; len(patch) >= 4; patch = patch[4:] {
			journal[(int(patch[0])<<16|int(patch[1])<<8|int(patch[2]))%len(journal)] = patch[3]
		}
		boltstore.SumJournal(journal)
		for at := boltstore.JournalPage; at < 4*boltstore.JournalPage; at += boltstore.JournalPage {
			if int(binary.BigEndian.Uint32(journal[at+20:])) <= len(journal)-at-boltstore.EntryHeader {
				boltstore.SumEntry(journal[at:])
			}
		}
		records, err := boltstore.CheckJournal(journal, sound.done, inUse)
		if err != nil && !errors.Is(err, boltstore.ErrDamaged) || !inUse && records > 0 {
			t.Fatalf("%d records, %v", records, err)
		}
		if !inUse {
			return
		}
		s, errOpen := boltstore.OpenSized(files{db: sound.db, journal: journal}.write(t), smallJournal)
		if (err == nil) != (errOpen == nil) {
			t.Fatalf("the check says %v, Open says %v", err, errOpen)
		}
		if errOpen != nil {
			return
		}
		defer func() { _ = s.Close() }()
		for key, value := range contents(t, s) {
			got, err := s.Get(context.Background(), key)
			if err != nil || string(got) != value {
				t.Fatalf("Get gives %q, %v for what Scan shows as %q", got, err, value)
			}
		}
		put(t, s, "k", "v")
	})
}

// A damaged file is found out when the journal is brought into it, and the
// journal stays.
func TestFileThatChangesBeforeClose(t *testing.T) {
	s := open(t, write(t, newImage(t)))
	writeBatch(t, s, 1)
	journal := killed(t, s).journal
	changeFile(t, s.Path(), func(m image) image { m.page(m.tree())[8] = 0; return m })
	if err := s.Close(); !errors.Is(err, boltstore.ErrDamaged) {
		t.Errorf("Close: %v, want ErrDamaged", err)
	}
	if after := readFiles(t, s.Path()); !bytes.Equal(after.journal, journal) {
		t.Error("the journal has changed")
	}
	if _, err := boltstore.Open(s.Path()); !errors.Is(err, boltstore.ErrDamaged) {
		t.Errorf("Open: %v, want ErrDamaged, and not ErrInUse", err)
	}
}
