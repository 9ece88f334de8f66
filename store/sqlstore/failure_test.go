package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/testserver"
	"github.com/interledger-go/connector/internal/teststore"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/sqlstore"
)

// wantUnknown checks that the outcome of a Write is said to be unknown.
func wantUnknown(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, store.ErrNotWritten) {
		t.Errorf("Write: %v, want an unknown outcome", err)
	}
}

// awaitValue waits until the table has a value.
func awaitValue(t *testing.T, db *sql.DB, s *sqlstore.Store, key, want string) {
	ctx, again := teststore.Expiring(t, 20*time.Second), time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		var value []byte
		err := db.QueryRowContext(ctx, "SELECT v FROM "+s.Prefix()+"entries WHERE k = '"+key+"'").Scan(&value)
		if err == nil && string(value) == want {
			return
		}
		if ctx.Err() != nil {
			t.Errorf("%s is %q, %v; want %q", key, value, err, want)
			return
		}
		<-again.C
	}
}

// A commit whose reply is lost has an unknown outcome, and is in force before
// the next one.
func testLostReply(t *testing.T, d *database) {
	proxy := testserver.NewProxy(t, d.server.Addr())
	s := d.open(t, d.pool(t, proxy.Addr(), ""), sqlstore.Options{Grace: 50 * time.Millisecond})
	teststore.MustWrite(t, s, "k", "old")

	held := proxy.HoldReply(d.commit)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held
		cancel()
	}()
	err := teststore.Write(ctx, s, "k", "reply is late")
	wantUnknown(t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v, want the error of its context", err)
	}
	teststore.MustWrite(t, s, "k", "next")
	proxy.Release()
	teststore.WantValue(t, s, "k", "next")

	// A driver that loses its connection may ask the server to cancel what it
	// is doing, so that has to be done.
	held = proxy.HoldReply(d.commit)
	db := d.pool(t, d.server.Addr(), "")
	go func() {
		<-held
		awaitValue(t, db, s, "k", "reply is lost")
		proxy.Break()
	}()
	wantUnknown(t, teststore.Write(t.Context(), s, "k", "reply is lost"))
	teststore.MustWrite(t, s, "other", "v")
	teststore.WantValue(t, s, "k", "reply is lost")
}

// A commit that has been sent is worth waiting for, though the context is done.
func testReplyWithinGrace(t *testing.T, d *database) {
	proxy := testserver.NewProxy(t, d.server.Addr())
	s := d.open(t, d.pool(t, proxy.Addr(), ""), sqlstore.Options{Grace: time.Minute})
	held := proxy.HoldReply(d.commit)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held
		cancel()
		proxy.Release()
	}()
	if err := teststore.Write(ctx, s, "k", "within grace"); err != nil {
		t.Errorf("Write: %v, want the outcome", err)
	}
	teststore.WantValue(t, s, "k", "within grace")
}

// A commit that is still on its way when the store has given it up does not
// come into force after the next one, however late it arrives.
func testLateCommit(t *testing.T, d *database) {
	proxy := testserver.NewProxy(t, d.server.Addr())
	dialect := d.dialect()
	dialect.Session = d.impatient
	s := openDialect(t, d.pool(t, proxy.Addr(), ""), dialect,
		sqlstore.Options{Prefix: d.newPrefix(), Grace: 50 * time.Millisecond})
	teststore.MustWrite(t, s, "k", "old")

	held := proxy.HoldRequest(d.commit)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held
		cancel()
	}()
	wantUnknown(t, teststore.Write(ctx, s, "k", "late"))
	teststore.WantValue(t, s, "k", "old")

	// The transaction is still open at the server and locks out the next one,
	// until the server ends it.
	err := teststore.Write(teststore.Expiring(t, 50*time.Millisecond), s, "k", "too early")
	if !errors.Is(err, store.ErrNotWritten) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write: %v, want ErrNotWritten and the error of its context", err)
	}
	teststore.MustWrite(t, s, "k", "next")
	proxy.Release()
	for range 10 {
		teststore.WantValue(t, s, "k", "next")
		teststore.MustWrite(t, s, "other", "v")
	}
}

// A connection that has died while nobody used it costs nothing but time.
func testConnectionDiesWhileIdle(t *testing.T, d *database) {
	proxy := testserver.NewProxy(t, d.server.Addr())
	db := d.pool(t, proxy.Addr(), "")
	const idle = 4
	db.SetMaxIdleConns(idle)
	s := d.open(t, db, sqlstore.Options{})
	for i := range 5 {
		teststore.MustWrite(t, s, "k", fmt.Sprint(i))
		proxy.Break()
	}
	d.server.Stop()
	d.server.Start()
	teststore.MustWrite(t, s, "k", "v")

	// Nor do others of the pool that have died with it.
	var conns []*sql.Conn
	for range idle {
		conn, err := db.Conn(t.Context())
		if err == nil {
			err = conn.PingContext(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Break()
	teststore.MustWrite(t, s, "k", "v")
}

// While a server is away, calls fail at once, with errors that leave room for
// another try. When it is back, so is the store.
func testServerStops(t *testing.T, d *database) {
	s := d.open(t, d.pool(t, d.server.Addr(), ""), sqlstore.Options{})
	teststore.MustWrite(t, s, "k", "old")
	d.server.Stop()
	for range 3 {
		_, errGet := s.Get(t.Context(), "k")
		for name, err := range map[string]error{
			"Get":   errGet,
			"Scan":  s.Scan(t.Context(), "", func(string, []byte) error { return errors.New("a visit") }),
			"Write": teststore.Write(t.Context(), s, "k", "new"),
		} {
			if err == nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s: %v, want an error after which trying again makes sense", name, err)
			}
			if errors.Is(err, store.ErrNotWritten) != (name == "Write") {
				t.Errorf("%s: %v, want ErrNotWritten from Write alone", name, err)
			}
		}
	}
	d.server.Start()
	teststore.WantValue(t, s, "k", "old")
	teststore.MustWrite(t, s, "k", "new")
	teststore.WantValue(t, s, "k", "new")
}

// A server that hangs holds up nobody for longer than the context, and the
// grace of a commit, allow.
func testServerHangs(t *testing.T, d *database) {
	const short = 100 * time.Millisecond
	s := d.open(t, d.pool(t, d.server.Addr(), ""), sqlstore.Options{Grace: short})
	teststore.MustWrite(t, s, "k", "old")
	teststore.WantValue(t, s, "k", "old")
	d.server.Pause()
	_, errGet := s.Get(teststore.Expiring(t, short), "k")
	errWrite := teststore.Write(teststore.Expiring(t, short), s, "k", "given up")
	for name, err := range map[string]error{
		"Get":   errGet,
		"Scan":  s.Scan(teststore.Expiring(t, short), "", func(string, []byte) error { return nil }),
		"Write": errWrite,
	} {
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v, want the error of its context", name, err)
		}
	}
	if !errors.Is(errWrite, store.ErrNotWritten) {
		t.Errorf("Write: %v, want ErrNotWritten: no commit was sent", errWrite)
	}
	d.server.Resume()
	teststore.WantValue(t, s, "k", "old")
	teststore.MustWrite(t, s, "k", "new")
	teststore.WantValue(t, s, "k", "new")
}

// The visits of a scan that fits in a page need no connection.
func testScanKeepsNoConnection(t *testing.T, d *database) {
	db := d.pool(t, d.server.Addr(), "")
	s := d.open(t, db, sqlstore.Options{})
	teststore.MustWrite(t, s, "a", "1")
	teststore.MustWrite(t, s, "b", "2")
	visits := 0
	err := s.Scan(t.Context(), "", func(string, []byte) error {
		visits++
		if inUse := db.Stats().InUse; inUse != 1 {
			t.Errorf("%d connections are in use during a visit, want the one for writing", inUse)
		}
		return nil
	})
	if err != nil || visits != 2 {
		t.Errorf("Scan: %d visits, %v", visits, err)
	}
}

// A scan of many pages shows one instant as well, in order, and gives back its
// connection however it ends.
func testScanOfManyPages(t *testing.T, d *database) {
	const keys, size = 40, 200_000
	db := d.pool(t, d.server.Addr(), "")
	s := d.open(t, db, sqlstore.Options{})
	var b store.Batch
	for i := range keys {
		b.Put(fmt.Sprintf("key %02d", i), []byte(strings.Repeat("v", size)))
	}
	if err := s.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	for i := range keys {
		b.Delete(fmt.Sprintf("key %02d", i))
	}
	stop := errors.New("stop")
	for _, last := range []int{0, 20, keys} {
		visits := 0
		err := s.Scan(t.Context(), "key", func(key string, value []byte) error {
			if want := fmt.Sprintf("key %02d", visits); key != want || len(value) != size {
				t.Fatalf("visit %d: key %q with %d bytes, want %q with %d", visits, key, len(value), want, size)
			}
			if visits == 1 && last == keys {
				if err := s.Write(t.Context(), &b); err != nil {
					t.Error(err)
				}
			}
			if visits++; visits > last {
				return stop
			}
			return nil
		})
		if last == keys && (err != nil || visits != keys) || last != keys && err != stop {
			t.Errorf("Scan makes %d visits: %v", visits, err)
		}
		if inUse := db.Stats().InUse; inUse != 1 {
			t.Errorf("%d connections are in use after a scan, want the one for writing", inUse)
		}
	}
}

// Settings that have become unfit are found when the connection is made anew.
// What is written meanwhile is refused, until they are mended.
func testSettingsChangeMeanwhile(t *testing.T, d *database) {
	proxy := testserver.NewProxy(t, d.server.Addr())
	dialect := d.dialect()
	db := d.pool(t, d.server.Addr(), "")
	mustExec(t, db, "CREATE TABLE unfit (name VARCHAR(10) PRIMARY KEY, value VARCHAR(10))")
	dialect.Checks = append(dialect.Checks, sqlstore.Check{Query: "SELECT name, value FROM unfit", Want: "a fit one", Loss: true})
	s := openDialect(t, d.pool(t, proxy.Addr(), ""), dialect, sqlstore.Options{Prefix: d.newPrefix()})
	teststore.MustWrite(t, s, "k", "old")
	mustExec(t, db, "INSERT INTO unfit VALUES ('setting', 'bad')")
	proxy.Break()
	for range 2 {
		err := teststore.Write(t.Context(), s, "k", "new")
		const want = "it would lose commits that it has acknowledged: setting is bad: want a fit one, or Options.AllowLoss"
		if !errors.Is(err, store.ErrNotWritten) || !strings.Contains(err.Error(), want) {
			t.Errorf("Write: %v, want ErrNotWritten and %q", err, want)
		}
	}
	teststore.WantValue(t, s, "k", "old")
	mustExec(t, db, "DELETE FROM unfit")
	teststore.MustWrite(t, s, "k", "new")
}
