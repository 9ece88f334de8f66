package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Both modes run to their end and say that they went well.
func TestQuickstart(t *testing.T) {
	o := options{address: "127.0.0.1:0", spread: "0.01", dir: t.TempDir(), out: t.Output()}
	if err := run(t.Context(), o); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.listen = true
	o.out = when{"Connect BTP clients to:", cancel}
	if err := run(ctx, o); err != nil {
		t.Error(err)
	}
}

// when calls then as soon as text is written.
type when struct {
	text string
	then func()
}

func (w when) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.then()
	}
	return len(p), nil
}

// Each run goes on with the balances of the one before.
func TestQuickstartGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not there", "yet")
	for n, want := range []struct{ opened, alice, bob string }{
		{"New books in", "alice test.quickstart.alice 0 10045 3500 6545", "bob test.quickstart.bob 0 3500 10045 -6545"},
		{"Going on with the books in", "alice test.quickstart.alice 6545 10045 3500 13090", "bob test.quickstart.bob -6545 3500 10045 -13090"},
		{"Going on with the books in", "alice test.quickstart.alice 13090 10045 3500 19635", "bob test.quickstart.bob -13090 3500 10045 -19635"},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), options{address: "127.0.0.1:0", spread: "0", dir: dir, out: &out}); err != nil {
			t.Fatal(err)
		}
		printed := regexp.MustCompile(" +").ReplaceAllString(out.String(), " ")
		for _, line := range []string{want.opened + " " + dir, want.alice + "\n", want.bob + "\n"} {
			if !strings.Contains(printed, line) {
				t.Errorf("run %d prints\n%s\nwant %q", n+1, printed, line)
			}
		}
	}
}

// The books are below the user's own directories, never where the program is
// run from, also for a user that has no home.
func TestDefaultDir(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData", "home"} {
		t.Setenv(name, home)
	}
	if dir := defaultDir(); !strings.HasPrefix(dir, home) {
		t.Errorf("the default is %s, want it below %s", dir, home)
	}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData", "home"} {
		t.Setenv(name, "")
	}
	if dir := defaultDir(); !filepath.IsAbs(dir) {
		t.Errorf("without a home the default is %s, want an absolute path", dir)
	}
}

// A mistake on the command line is an error that says what is wrong, and books
// that are open are an error that says what to do.
func TestQuickstartRefuses(t *testing.T) {
	o := options{address: "127.0.0.1:0", spread: "1.5", dir: t.TempDir(), out: t.Output()}
	if err := run(t.Context(), o); err == nil {
		t.Error("a spread of 1.5 was taken")
	}
	books, err := openBooks(o.dir, o.out)
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close()
	o.spread = "0"
	if err := run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("books that are open: %v, want an error that names -dir", err)
	}
}
