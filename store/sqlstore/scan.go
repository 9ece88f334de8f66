package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"

	"github.com/interledger-go/connector/store"
)

// pageBytes is how much of a scan is read ahead of its visits.
const pageBytes = 1 << 20

// entry is a row of the table.
type entry struct {
	key   string
	value []byte
}

// Scan visits the keys that begin with prefix. It is one statement, whose
// result is read in pages of about a mebibyte: a scan of one page keeps its
// connection for no longer than reading takes, a longer one until its last
// page is read.
func (s *Store) Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	if err := s.calls.Begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	if err := store.CheckPrefix(prefix); err != nil {
		return err
	}
	rows, err := s.db.QueryContext(ctx, s.dialect.Scan, []byte(prefix), after(prefix))
	if err != nil {
		return s.readFailed(ctx, "scan", err)
	}
	defer func() { _ = rows.Close() }()
	var page []entry
	for more := true; more; {
		if page, more, err = readPage(rows, page[:0]); err != nil {
			return s.readFailed(ctx, "scan", err)
		}
		for _, e := range page {
			if err := ctx.Err(); err != nil {
				return s.failed("scan", err)
			}
			if err := visit(e.key, e.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPage appends rows to page. Without more, the rows are closed.
func readPage(rows *sql.Rows, page []entry) (_ []entry, more bool, err error) {
	for size := 0; size < pageBytes; {
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return nil, false, err
			}
			return page, false, rows.Close()
		}
		var e entry
		if err := rows.Scan(&e.key, &e.value); err != nil {
			return nil, false, fmt.Errorf("row %d of a page: %w", len(page), err)
		}
		size += len(e.key) + len(e.value)
		page = append(page, e)
	}
	return page, true, nil
}

// after returns what is greater than all keys that begin with prefix, and than
// no other that is greater than prefix.
func after(prefix string) []byte {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return b[:i+1]
		}
	}
	return bytes.Repeat([]byte{0xff}, store.MaxKeySize+1)
}
