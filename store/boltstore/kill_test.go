package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
)

var killRounds = flag.Int("kill.rounds", 5, "how often TestKill kills its child")

const (
	killEnv     = "BOLTSTORE_TEST_KILL" // the path of the store
	killWriters = 3
)

// A process that writes is killed, again and again. Every batch that it has
// acknowledged is there when the store is opened again; of the one batch of
// each writer that was under way, all or nothing.
func TestKill(t *testing.T) {
	if path := os.Getenv(killEnv); path != "" {
		writeUntilKilled(path)
	}
	path := filepath.Join(t.TempDir(), "connector.db")
	var at [killWriters]int // the last batch of each writer
	for round := range *killRounds {
		acked := killedWriter(t, path, rand.IntN(200))
		s := open(t, path) // The note of the child lies there still.
		for w := range killWriters {
			acked[w] = max(acked[w], at[w])
			n := lastBatch(t, s, w)
			if n != acked[w] && n != acked[w]+1 {
				t.Errorf("round %d: writer %d is at batch %d, has acknowledged %d", round, w, n, acked[w])
			}
			at[w] = n
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%v batches survive %d kills", at, *killRounds)
	if at == [killWriters]int{} && *killRounds > 0 {
		t.Error("nothing has been written")
	}
}

// killedWriter runs a child that writes, kills it when it has acknowledged so
// many batches, or a little later, and returns the last one that each of its
// writers has acknowledged.
func killedWriter(t *testing.T, path string, batches int) (acked [killWriters]int) {
	t.Helper()
	child, out := startChild(t, "TestKill", killEnv+"="+path)
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		var w, batch int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &batch); err != nil {
			t.Errorf("the child says %q", lines.Text())
			break
		}
		acked[w] = batch
		if n == batches { // What it writes from here on still counts.
			_ = child.Process.Kill()
		}
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	return acked
}

// startChild runs a test of this program in a process of its own.
func startChild(t *testing.T, test string, env ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program, "-test.run=^"+test+"$")
	child.Env = append(os.Environ(), env...)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child, out
}

// writeUntilKilled is the child. Its writers go on from where they find
// themselves.
func writeUntilKilled(path string) {
	die := func(err error) {
		fmt.Println(err)
		os.Exit(1)
	}
	s, err := boltstore.Open(path)
	if err != nil {
		die(err)
	}
	var mu sync.Mutex
	var writers sync.WaitGroup
	for w := range killWriters {
		writers.Go(func() {
			n, err := findLast(s, w)
			for err == nil {
				n++
				if err = s.Write(context.Background(), killBatch(w, n)); err == nil {
					mu.Lock()
					_, err = fmt.Println(w, n)
					mu.Unlock()
				}
			}
			die(err)
		})
	}
	writers.Wait()
}

// killBatch brings the keys of a writer to number n.
func killBatch(w, n int) *store.Batch {
	var b store.Batch
	for i := range 10 {
		b.Put(fmt.Sprintf("%d/%d", w, i), []byte(strconv.Itoa(n)))
	}
	b.Put(fmt.Sprintf("%d/log/%d", w, n), make([]byte, n%1000))
	b.Delete(fmt.Sprintf("%d/log/%d", w, n-50))
	return &b
}

// lastBatch returns the number at which the keys of a writer are.
func lastBatch(t *testing.T, s store.Store, w int) int {
	t.Helper()
	n, err := findLast(s, w)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func findLast(s store.Store, w int) (int, error) {
	n, keys := 0, 0
	err := s.Scan(context.Background(), fmt.Sprintf("%d/", w), func(key string, value []byte) error {
		if keys++; keys > 10 {
			return nil // of the log
		}
		found, err := strconv.Atoi(string(value))
		if err == nil && keys > 1 && found != n {
			err = fmt.Errorf("%s is at %d, others are at %d", key, found, n)
		}
		n = found
		return err
	})
	if err == nil && keys != min(n, 50)+min(n, 1)*10 {
		err = fmt.Errorf("writer %d has %d keys at batch %d", w, keys, n)
	}
	return n, err
}

// The error of a second process says who the first one is. When the first one
// is killed, the file is free.
func TestInUseByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connector.db")
	child, out := startChild(t, "TestKill", killEnv+"="+path)
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the child writes nothing")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	wantInUse(t, path, fmt.Sprintf("%s (pid %d on ", filepath.Base(program), child.Process.Pid))
	_ = child.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	if err := child.Wait(); err == nil {
		t.Error("the child has ended by itself")
	}
	s, err := boltstore.Open(path)
	if errors.Is(err, boltstore.ErrInUse) {
		t.Error(err)
	}
	if err == nil {
		_ = s.Close()
	}
}
