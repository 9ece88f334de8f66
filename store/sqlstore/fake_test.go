package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/sqlstore"
)

// fakeServer is a database in memory, with a language of its own, that fails
// as it is told to. It stands for the databases that this package has no
// dialect for, and holds every statement to what Dialect says of it.
type fakeServer struct {
	t testing.TB
	// locked holds an element while a transaction has the row of meta.
	locked chan struct{}

	mu      sync.Mutex
	created map[string]bool
	entries map[string][]byte
	meta    *fakeMeta
	unfit   [][]driver.Value
	faults  []fault
	// before is called before a step of this name, if it is there.
	before  map[string]func()
	largest int // the most rows that a statement has had
}

type fakeMeta struct {
	version, batch int64
	owner          string
}

// fault is what goes wrong with the next step of that name.
type fault struct {
	step string
	// kind is one of fails, breaksBefore and breaksAfter.
	kind string
}

const (
	fails        = "fails" // with an error of the server
	breaksBefore = "breaks the connection before"
	breaksAfter  = "breaks the connection after" // The server has done it.
)

var (
	errFails  = errors.New("the server refuses")
	errBreaks = errors.New("the connection breaks")
)

func newFakeServer(t testing.TB) *fakeServer {
	return &fakeServer{
		t: t, locked: make(chan struct{}, 1),
		created: make(map[string]bool), entries: make(map[string][]byte),
	}
}

func fakeDialect() sqlstore.Dialect {
	rows := func(verb string) func(int) string {
		return func(rows int) string { return verb + " {prefix} " + strconv.Itoa(rows) }
	}
	return sqlstore.Dialect{
		Name:    "Fake",
		Create:  []string{"create {prefix} entries", "create {prefix} meta"},
		Insert:  "insert {prefix}",
		Meta:    "meta {prefix}",
		Own:     "own {prefix}",
		Advance: "advance {prefix}",
		Get:     "get {prefix}",
		Scan:    "scan {prefix}",
		Put:     rows("put"),
		Delete:  rows("delete"),
		MaxRows: 16,
		Session: []string{"session"},
		Checks:  []sqlstore.Check{{Query: "check {prefix}", Want: "what is fit"}},
		RolledBack: func(err error) bool {
			return errors.Is(err, errFails)
		},
	}
}

func (s *fakeServer) pool(t testing.TB) *sql.DB {
	db := sql.OpenDB(fakeConnector{s})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fail makes the next steps fail.
func (s *fakeServer) fail(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// pending returns the faults that have not come yet.
func (s *fakeServer) pending() []fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

type fakeConnector struct{ server *fakeServer }

func (c fakeConnector) Driver() driver.Driver { return nil }

func (c fakeConnector) Connect(context.Context) (driver.Conn, error) {
	conn := &fakeConn{server: c.server}
	if err := conn.step("connect", func() {}); err != nil {
		return nil, err
	}
	return conn, nil
}

type fakeConn struct {
	server *fakeServer
	broken bool
	locks  bool // it has the row of meta
	tx     *fakeTx
}

// step does one thing, unless it goes wrong.
func (c *fakeConn) step(name string, do func()) error {
	if c.broken {
		return driver.ErrBadConn
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.before[name]; before != nil {
		before()
	}
	kind := ""
	if i := slices.IndexFunc(s.faults, func(f fault) bool { return f.step == name }); i == 0 {
		kind = s.faults[0].kind
		s.faults = s.faults[1:]
	}
	if kind == fails {
		return errFails
	}
	if kind != breaksBefore {
		do()
	}
	if kind != "" {
		c.broken = true
		return errBreaks
	}
	return nil
}

func (c *fakeConn) Prepare(query string) (driver.Stmt, error) {
	verb, _, _ := strings.Cut(query, " ")
	if err := c.step("prepare "+verb, func() {}); err != nil {
		return nil, err
	}
	return &fakeStmt{c, query}, nil
}

func (c *fakeConn) Begin() (driver.Tx, error) {
	err := c.step("begin", func() {
		c.tx = &fakeTx{conn: c, entries: make(map[string][]byte)}
		if c.server.meta != nil {
			c.tx.meta = *c.server.meta
		}
	})
	return c.tx, err
}

// Close ends a transaction: a server does so when its client has gone.
func (c *fakeConn) Close() error {
	c.end()
	return nil
}

func (c *fakeConn) end() {
	c.tx = nil
	if c.locks {
		c.locks = false
		<-c.server.locked
	}
}

// fakeTx is a transaction: what it has changed. A nil entry is a deletion.
type fakeTx struct {
	conn    *fakeConn
	meta    fakeMeta
	entries map[string][]byte
}

func (t *fakeTx) Commit() error {
	err := t.conn.step("commit", func() {
		s := t.conn.server
		if t.conn.locks {
			*s.meta = t.meta
		}
		for key, value := range t.entries {
			if value == nil {
				delete(s.entries, key)
			} else {
				s.entries[key] = value
			}
		}
	})
	t.conn.end()
	return err
}

func (t *fakeTx) Rollback() error {
	err := t.conn.step("rollback", func() {})
	t.conn.end()
	return err
}

type fakeStmt struct {
	conn  *fakeConn
	query string
}

func (s *fakeStmt) Close() error  { return nil }
func (s *fakeStmt) NumInput() int { return -1 }

func (s *fakeStmt) Exec(args []driver.Value) (driver.Result, error) {
	words := strings.Fields(s.query)
	if words[0] == "own" || words[0] == "advance" {
		s.conn.lock()
	}
	affected := 0
	err := s.conn.step(words[0], func() { affected = s.conn.exec(words, args) })
	return driver.RowsAffected(affected), err
}

// lock takes the row of meta, as it is now.
func (c *fakeConn) lock() {
	if c.locks || c.broken {
		return
	}
	c.server.locked <- struct{}{}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.locks = true
	c.tx.meta = *c.server.meta
}

func (c *fakeConn) exec(words []string, args []driver.Value) (affected int) {
	s := c.server
	switch words[0] {
	case "session":
	case "create":
		s.created[words[1]+words[2]] = true
	case "insert":
		if s.meta == nil {
			s.meta = &fakeMeta{version: args[0].(int64)}
		}
	case "own":
		c.tx.meta.owner = args[0].(string)
	case "advance":
		if m := &c.tx.meta; m.owner == args[1].(string) && m.batch >= args[2].(int64) && m.batch < args[3].(int64) {
			m.batch = args[0].(int64)
			return 1
		}
	case "put", "delete":
		s.change(c.tx, words, args)
	default:
		s.t.Errorf("the server is asked to execute %v", words)
	}
	return 0
}

// change puts and deletes, and checks what Dialect says of the parameters.
func (s *fakeServer) change(tx *fakeTx, words []string, args []driver.Value) {
	rows, err := strconv.Atoi(words[2])
	step := 1
	if words[0] == "put" {
		step = 2
	}
	if err != nil || rows&(rows-1) != 0 || rows > fakeDialect().MaxRows || len(args) != rows*step || words[1] != sqlstore.DefaultPrefix {
		s.t.Errorf("%v with %d parameters: %v", words, len(args), err)
		return
	}
	s.largest = max(s.largest, rows)
	named, size := make(map[string]bool), 0
	for i := 0; i < len(args); i += step {
		key, value := args[i].([]byte), []byte(nil)
		if step == 2 {
			if value = args[i+1].([]byte); value == nil {
				s.t.Error("a value is NULL")
			}
			value = append([]byte{}, value...)
		}
		if named[string(key)] {
			s.t.Errorf("%v names key %q twice", words, key)
		}
		named[string(key)] = true
		size += len(key) + len(value)
		tx.entries[string(key)] = value
	}
	if size > 1<<20 && rows > 1 {
		s.t.Errorf("%v has %d bytes", words, size)
	}
}

func (s *fakeStmt) Query(args []driver.Value) (driver.Rows, error) {
	words := strings.Fields(s.query)
	var rows [][]driver.Value
	var missing error
	err := s.conn.step(words[0], func() { rows, missing = s.conn.query(words, args) })
	return &fakeRows{rows: rows}, errors.Join(err, missing)
}

func (c *fakeConn) query(words []string, args []driver.Value) (rows [][]driver.Value, missing error) {
	s := c.server
	switch words[0] {
	case "check":
		return s.unfit, nil
	case "meta":
		if !s.created[words[1]+"meta"] {
			return nil, errors.New("there is no such table")
		}
		m := s.meta
		if c.tx != nil {
			m = &c.tx.meta
		}
		if m == nil {
			return nil, nil
		}
		return [][]driver.Value{{m.version, m.owner, m.batch}}, nil
	case "get":
		if value, there := s.entries[string(args[0].([]byte))]; there {
			rows = append(rows, []driver.Value{slices.Clone(value)})
		}
	case "scan":
		for _, key := range slices.Sorted(maps.Keys(s.entries)) {
			if key >= string(args[0].([]byte)) && key < string(args[1].([]byte)) {
				rows = append(rows, []driver.Value{[]byte(key), slices.Clone(s.entries[key])})
			}
		}
	default:
		s.t.Errorf("the server is asked for the rows of %v", words)
	}
	return rows, nil
}

type fakeRows struct{ rows [][]driver.Value }

func (r *fakeRows) Columns() []string {
	if len(r.rows) == 0 {
		return nil
	}
	return make([]string, len(r.rows[0]))
}

func (r *fakeRows) Close() error { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

func (s *fakeServer) open(t testing.TB) *sqlstore.Store {
	t.Helper()
	return openDialect(t, s.pool(t), fakeDialect(), sqlstore.Options{})
}

func (f fault) String() string { return fmt.Sprintf("%s %s", f.step, f.kind) }

var _ store.Store = (*sqlstore.Store)(nil)
