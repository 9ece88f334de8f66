package config

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/boltstore"
	"github.com/interledger-go/connector/store/memstore"
	"github.com/interledger-go/connector/store/redisstore"
	"github.com/interledger-go/connector/store/sqlstore"
)

func builtinStores() map[string]Driver[store.Store] {
	return map[string]Driver[store.Store]{
		"memory":    memoryStore,
		"memdown":   memoryStore,
		"bolt":      boltStore,
		"leveldown": boltStore,
		"postgres":  sqlStore("PostgreSQL", sqlstore.PostgreSQL, openPostgres),
		"mysql":     sqlStore("MySQL", sqlstore.MySQL, openMySQL),
		"redis":     redisStore,
	}
}

// memoryStore forgets everything when the process ends.
func memoryStore(o *DriverOptions) Made[store.Store] {
	var v struct {
		Path string `json:"path"`
	}
	o.Decode(&v)
	made := Made[store.Store]{
		Summary: "memory",
		Notes:   []string{"is in memory: all balances, and settlements under way, are forgotten when the process ends"},
		Build:   func(context.Context, *Parts) (store.Store, error) { return memstore.New(), nil },
	}
	if path := cmp.Or(v.Path, o.Config.StorePath); path != "" {
		made.Notes = append(made.Notes, "is in memory: storePath has no effect")
	}
	return made
}

// boltFile is the file in a directory that is given as a path.
const boltFile = "connector.db"

// boltStore is a file. The reference's leveldown was a directory, in which the
// file is then.
func boltStore(o *DriverOptions) Made[store.Store] {
	v := struct {
		Path        string   `json:"path"`
		MustExist   bool     `json:"mustExist"`
		LockTimeout Duration `json:"lockTimeout"`
	}{Path: o.Config.StorePath}
	o.Decode(&v)
	if v.Path == "" && o.Config.Store == "leveldown" {
		v.Path = "./data/" // as in the reference
	}
	if v.Path == "" && !o.Faulty() {
		o.Fault("path", "is missing: set it, or storePath, to a file such as /var/lib/ilp-connector/connector.db")
	}
	return Made[store.Store]{
		Summary: "the file " + v.Path,
		Build: func(context.Context, *Parts) (store.Store, error) {
			s, err := boltstore.OpenWith(storeFile(v.Path), boltstore.Options{LockTimeout: v.LockTimeout.std(), MustExist: v.MustExist})
			if err != nil {
				return nil, err
			}
			return s, nil
		},
	}
}

// storeFile is path, or a file in it if it is a directory.
func storeFile(path string) string {
	info, err := os.Stat(path)
	if os.IsPathSeparator(path[len(path)-1]) || err == nil && info.IsDir() {
		return filepath.Join(path, boltFile)
	}
	return path
}

// sqlOptions are those of sqlstore.Options, and where the database is.
type sqlOptions struct {
	DSN       Secret   `json:"dsn" config:"required"`
	Prefix    string   `json:"prefix"`
	AllowLoss bool     `json:"allowLoss"`
	Grace     Duration `json:"grace"`
}

// sqlStore gives the driver of a database. open parses a DSN, and says where
// it leads.
func sqlStore(name string, dialect func() sqlstore.Dialect, open func(dsn string) (db func() *sql.DB, where string, err error)) Driver[store.Store] {
	return func(o *DriverOptions) Made[store.Store] {
		var v sqlOptions
		o.Decode(&v)
		if o.Faulty() {
			return Made[store.Store]{}
		}
		db, where, err := open(string(v.DSN))
		if err != nil { // the error may quote the password
			o.Fault("dsn", "is not one that %s takes", name)
			return Made[store.Store]{}
		}
		made := Made[store.Store]{Summary: name + " at " + where, Notes: lossNotes(v.AllowLoss)}
		made.Build = func(ctx context.Context, _ *Parts) (store.Store, error) {
			pool := db()
			s, err := sqlstore.Open(ctx, pool, dialect(), sqlstore.Options{Prefix: v.Prefix, AllowLoss: v.AllowLoss, Grace: v.Grace.std()})
			if err != nil {
				return nil, errors.Join(err, pool.Close())
			}
			return &storeWithClient{s, pool.Close}, nil
		}
		return made
	}
}

func lossNotes(allowed bool) []string {
	if !allowed {
		return nil
	}
	return []string{"allowLoss: what peers were told may not be true after a crash of the server"}
}

func openPostgres(dsn string) (func() *sql.DB, string, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, "", err
	}
	return func() *sql.DB { return stdlib.OpenDB(*c) }, fmt.Sprintf("%s:%d, database %s", c.Host, c.Port, c.Database), nil
}

func openMySQL(dsn string) (func() *sql.DB, string, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, "", err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, "", err
	}
	return func() *sql.DB { return sql.OpenDB(connector) }, fmt.Sprintf("%s, database %s", c.Addr, c.DBName), nil
}

// redisStore is in Redis or Valkey.
func redisStore(o *DriverOptions) Made[store.Store] {
	var v struct {
		URL       Secret   `json:"url" config:"required"`
		Prefix    string   `json:"prefix"`
		AllowLoss bool     `json:"allowLoss"`
		Grace     Duration `json:"grace"`
	}
	o.Decode(&v)
	if o.Faulty() {
		return Made[store.Store]{}
	}
	options, err := rueidis.ParseURL(string(v.URL))
	if err != nil {
		o.Fault("url", `must be such as "redis://user:password@127.0.0.1:6379/0", or rediss for TLS`)
		return Made[store.Store]{}
	}
	where := "an address"
	if u, err := url.Parse(string(v.URL)); err == nil {
		where = shown(u)
	}
	made := Made[store.Store]{Summary: "Redis at " + where, Notes: lossNotes(v.AllowLoss)}
	made.Build = func(ctx context.Context, _ *Parts) (store.Store, error) {
		client, err := rueidis.NewClient(options)
		if err != nil {
			return nil, err
		}
		s, err := redisstore.Open(ctx, client, redisstore.Options{Prefix: v.Prefix, AllowLoss: v.AllowLoss, Grace: v.Grace.std()})
		if err != nil {
			client.Close()
			return nil, err
		}
		return &storeWithClient{s, func() error { client.Close(); return nil }}, nil
	}
	return made
}

// storeWithClient is a store whose client is closed after it.
type storeWithClient struct {
	store.Store
	closeClient func() error
}

func (s *storeWithClient) Close() error {
	return errors.Join(s.Store.Close(), s.closeClient())
}
