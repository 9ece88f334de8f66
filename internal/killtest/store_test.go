package killtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/internal/testserver"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
	"github.com/interledger-go/connector/store/redisstore"
	"github.com/interledger-go/connector/store/sqlstore"
)

// place is where a connector keeps its books: the kind of a store, and its
// path or address.
type place struct{ Kind, At string }

const (
	bolt       = "bolt"
	redis      = "redis"
	postgreSQL = "postgresql"
)

// open opens the store, and gives what closes it.
func (p place) open(ctx context.Context) (store.Store, func() error, error) {
	switch p.Kind {
	case bolt:
		s, err := boltstore.Open(p.At)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	case redis:
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{p.At}, DisableCache: true})
		if err != nil {
			return nil, nil, err
		}
		s, err := redisstore.Open(ctx, client, redisstore.Options{})
		if err != nil {
			client.Close()
			return nil, nil, err
		}
		return s, func() error { defer client.Close(); return s.Close() }, nil
	case postgreSQL:
		host, port, err := net.SplitHostPort(p.At)
		if err != nil {
			return nil, nil, err
		}
		db, err := sql.Open("pgx", fmt.Sprintf("host=%s port=%s user=%s database=%s sslmode=disable",
			host, port, testserver.PostgreSQLUser, testserver.PostgreSQLDatabase))
		if err != nil {
			return nil, nil, err
		}
		s, err := sqlstore.Open(ctx, db, sqlstore.PostgreSQL(), sqlstore.Options{})
		if err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
		return s, func() error { return errors.Join(s.Close(), db.Close()) }, nil
	}
	return nil, nil, fmt.Errorf("no store is of kind %q", p.Kind)
}
