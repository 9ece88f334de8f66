package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// schemaVersion is the version of the tables that this package makes and
// knows.
const schemaVersion = 1

// meta is the row of the table of that name.
type meta struct {
	version, batch int64
	owner          string
}

// A querier is a pool, a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *Store) readMeta(ctx context.Context, from querier) (meta, error) {
	var m meta
	err := from.QueryRowContext(ctx, s.dialect.Meta).Scan(&m.version, &m.owner, &m.batch)
	return m, err
}

// makeTables makes the tables, unless they are there, and checks their
// version. Several processes may do so at once: a statement that makes a table
// unless it is there is known to fail when another does so, which has then got
// further.
func (s *Store) makeTables(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return err
	}
	m, err := s.readMeta(ctx, s.db)
	const attempts = 10
	for attempt := 0; err != nil; attempt++ {
		if attempt == attempts || ctx.Err() != nil {
			return err
		}
		created := s.create(ctx)
		if m, err = s.readMeta(ctx, s.db); err != nil && created != nil {
			err = created // The reason why nothing can be read.
		}
	}
	if m.version > schemaVersion {
		return fmt.Errorf("the tables %s* are of version %d, which a later version of this program has made: want version %d at most, or another Options.Prefix",
			s.opts.Prefix, m.version, schemaVersion)
	}
	return nil
}

// create makes the tables. The row of meta comes last: whoever sees it finds
// everything there.
func (s *Store) create(ctx context.Context) error {
	for _, statement := range s.dialect.Create {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if _, err := s.db.ExecContext(ctx, s.dialect.Insert, int64(schemaVersion)); err != nil {
		return fmt.Errorf("%s: %w", s.dialect.Insert, err)
	}
	return nil
}
