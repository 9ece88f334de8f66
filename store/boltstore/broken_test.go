package boltstore_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

// calls are what can be asked of a store with the contents of newImage.
var calls = map[string]func(s *boltstore.Store) error{
	"Get": func(s *boltstore.Store) error {
		_, err := s.Get(context.Background(), "account/060")
		return err
	},
	"Scan": func(s *boltstore.Store) error {
		return s.Scan(context.Background(), "", func(string, []byte) error { return nil })
	},
	"Write": func(s *boltstore.Store) error {
		var b store.Batch
		for key := range imageContents(imageVersion) {
			b.Delete(key)
		}
		b.Put("large", make([]byte, boltstore.JournalSize/2)) // so that it does not go into the journal
		return s.Write(context.Background(), &b)
	},
}

// What happens to the file behind the back of an open store does not end the
// process. It ends the store: every call from then on says so, and Close lets
// go of the file.
func TestFileThatChangesBehindTheStore(t *testing.T) {
	tests := []struct {
		name   string
		damage func(m image) image
		spares string // a call that does not see it
	}{
		{"a value", func(m image) image { return m.replace("balance 10800", "balance 90800") }, "Write"},
		{"truncated", func(m image) image { return m[:2*imagePageSize] }, ""},
		{"emptied", func(m image) image { return m[:0] }, ""},
		{"another type of page", func(m image) image { m.page(m.tree())[8] = 0x10; return m }, ""},
		{"no type of page", func(m image) image { m.page(m.tree())[8] = 0; return m }, ""},
		{"a child nowhere", func(m image) image {
			for i := range int(order.Uint16(m.page(m.tree())[10:])) {
				order.PutUint64(m.page(m.tree()).element(i)[8:], 1<<40)
			}
			return m
		}, ""},
		{"a bucket for a value", func(m image) image {
			for i := range int(order.Uint16(m.leaf()[10:])) {
				m.leaf().element(i)[0] = 1
			}
			return m
		}, "Get"},
		{"both meta pages", func(m image) image { m[20]++; m.page(1)[20]++; return m }, ""},
	}
	for _, test := range tests {
		for name, call := range calls {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				path := write(t, newImage(t))
				s, err := boltstore.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if name != test.spares {
					changeFile(t, path, test.damage)
					if err := call(s); !errors.Is(err, store.ErrClosed) || !errors.Is(err, boltstore.ErrDamaged) {
						t.Errorf("%v, want ErrClosed and ErrDamaged", err)
					}
					for name, again := range calls {
						if err := again(s); !errors.Is(err, store.ErrClosed) {
							t.Errorf("%s afterwards: %v, want ErrClosed", name, err)
						}
					}
				}
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				again, err := boltstore.Open(path)
				if err == nil {
					_ = again.Close()
				}
				if errors.Is(err, boltstore.ErrInUse) {
					t.Errorf("after Close: %v", err)
				}
			})
		}
	}
}

// changeFile changes a file that is open elsewhere.
func changeFile(t *testing.T, path string, change func(m image) image) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	after := change(before)
	if _, err := file.WriteAt(after, 0); err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(int64(len(after))); err != nil {
		t.Fatal(err)
	}
}

// A visitor that panics does so in its caller, and the store goes on.
func TestVisitorThatPanics(t *testing.T) {
	s := open(t, write(t, newImage(t)))
	func() {
		defer func() {
			if p := recover(); p != "visitor" {
				t.Errorf("recovered %v, want what the visitor panicked with", p)
			}
		}()
		_ = s.Scan(context.Background(), "", func(string, []byte) error { panic("visitor") })
	}()
	if _, err := s.Get(context.Background(), "account/001"); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil { // It would wait for ever for a scan that has not ended.
		t.Error(err)
	}
}

// Whatever a file says, opening it ends with a store or an error, and a store
// takes all calls. A patch is a list of bytes to change: three bytes that say
// where, and one to put there. The checksums of the meta pages are made right
// afterwards, as they would keep almost everything out.
func FuzzOpen(f *testing.F) {
	sound := newImage(f)
	add := func(patches ...int) {
		var b []byte
		for i := 0; i < len(patches); i += 2 {
			at := patches[i]
			b = append(b, byte(at>>16), byte(at>>8), byte(at), byte(patches[i+1]))
		}
		f.Add(b)
	}
	meta, tree, list := 0, int(sound.tree())*imagePageSize, int(sound.freelist())*imagePageSize
	if &sound.meta()[0] != &sound[0] {
		meta = imagePageSize
	}
	add()
	add(meta+24, 0)
	add(meta+metaRoot, 1)
	add(meta+metaFreelist, 3)
	add(meta+metaPages, 255)
	add(tree, 9, tree+8, 2)
	add(tree+10, 1)
	add(tree+12, 1)
	add(tree+16, 0, tree+24, 2)
	add(list+10, 255, list+11, 255)
	add(list+16, 4)
	f.Fuzz(func(t *testing.T, patch []byte) {
		m := append(image(nil), sound...)
		for ; len(patch) >= 4; patch = patch[4:] {
			m[(int(patch[0])<<16|int(patch[1])<<8|int(patch[2]))%len(m)] = patch[3]
		}
		m.resum()
		errCheck := boltstore.CheckFile(m)
		s, err := boltstore.Open(write(t, m))
		if (errCheck == nil) != (err == nil) {
			t.Fatalf("the check says %v, Open says %v", errCheck, err)
		}
		if err != nil {
			if !errors.Is(err, boltstore.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		defer func() { _ = s.Close() }()
		var b store.Batch
		for key, value := range contents(t, s) {
			got, err := s.Get(context.Background(), key)
			if err != nil || string(got) != value {
				t.Fatalf("Get gives %q, %v for what Scan shows as %q", got, err, value)
			}
			if strings.HasPrefix(key, "account") {
				b.Delete(key)
			}
		}
		if err := s.Write(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
	})
}
