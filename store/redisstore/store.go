package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

// DefaultPrefix is what the names of the keys in Redis begin with unless
// [Options.Prefix] says otherwise.
const DefaultPrefix = "connector"

// DefaultGrace is the grace of a write unless [Options.Grace] says otherwise.
const DefaultGrace = 5 * time.Second

// keysVersion is the version of the keys that this package makes and knows.
const keysVersion = 1

// Options are the choices that a host has. The zero value is a good one.
type Options struct {
	// Prefix is what the names of the store's three keys in Redis begin with:
	// 1 to 64 of the ASCII characters A-Z, a-z, 0-9 and . _ - ~ and the colon.
	// It stands in braces, which makes it their hash tag: in a cluster, all of
	// them are on one node. Stores with different prefixes share nothing.
	// Empty stands for DefaultPrefix.
	Prefix string

	// AllowLoss opens the store even if the settings of the server are such
	// that it may lose writes which it has acknowledged, or cannot be known.
	// What a connector has told its peers may then not be true after a crash.
	// A store that finds such a loss while it is open still closes itself.
	AllowLoss bool

	// Grace is how long a Write waits for the reply to what it has sent when
	// its context is done already. It leaves the outcome unknown if none
	// comes. 0 stands for DefaultGrace.
	Grace time.Duration
}

// Store is a [store.Store] in Redis. Its methods may be called concurrently.
type Store struct {
	client  rueidis.Client
	opts    Options
	keys    []string // of meta, values and index
	scripts scripts
	// owner is in meta as long as nobody else has opened the store.
	owner string

	calls groupcommit.Calls
	queue *groupcommit.Queue
	// acknowledged is the number of the last batch that has been.
	acknowledged atomic.Int64
	// last is the greatest number that has been used. It belongs to whoever
	// has the turn of the queue.
	last int64
}

var _ store.Store = (*Store)(nil)

// Open opens the store that client leads to, and takes it over: another
// process that has it open finds out when it next calls the server, and closes
// its own.
//
// client belongs to the host, which closes it after the store. Open refuses a
// server that may lose writes which it has acknowledged, and keys that a later
// version of this package has made. ctx is for opening alone.
func Open(ctx context.Context, client rueidis.Client, opts Options) (*Store, error) {
	if opts.Prefix == "" {
		opts.Prefix = DefaultPrefix
	}
	if !regexp.MustCompile(`^[A-Za-z0-9._~:-]{1,64}$`).MatchString(opts.Prefix) {
		return nil, fmt.Errorf("redisstore: prefix %.100q: want 1 to 64 letters, digits and characters out of .:_~- only", opts.Prefix)
	}
	if opts.Grace == 0 {
		opts.Grace = DefaultGrace
	}
	if opts.Grace < 0 {
		return nil, fmt.Errorf("redisstore: grace of %v: want more than 0, or 0 for %v", opts.Grace, DefaultGrace)
	}
	if !opts.AllowLoss {
		if err := checkDurability(ctx, client); err != nil {
			return nil, fmt.Errorf("redisstore: open: %w", err)
		}
	}
	tag := "{" + opts.Prefix + "}"
	s := &Store{
		client:  client,
		opts:    opts,
		keys:    []string{tag + ":meta", tag + ":values", tag + ":index"},
		scripts: newScripts(),
		owner:   rand.Text(),
	}
	s.queue = groupcommit.NewQueue(s.commit)
	if err := s.takeOver(ctx); err != nil {
		return nil, fmt.Errorf("redisstore: open: %w", err)
	}
	return s, nil
}

// takeOver makes this store the owner of the keys.
func (s *Store) takeOver(ctx context.Context) error {
	r, err := s.exec(ctx, s.scripts.open, strconv.Itoa(keysVersion))
	if err != nil {
		return err
	}
	switch r.status {
	case "ok":
		s.last = r.batch
		s.acknowledged.Store(r.batch)
		return nil
	case "newer":
		return fmt.Errorf("the keys %s* are of version %d, which a later version of this program has made: want version %d at most, or another Options.Prefix",
			s.keys[0], r.batch, keysVersion)
	default:
		return fmt.Errorf("the keys %s do not belong together: something else has changed them", s.keys)
	}
}

// Get returns the value of key.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.calls.Begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	r, err := s.read(ctx, s.scripts.get, key)
	if err != nil {
		return nil, failed("get", err)
	}
	if r.rest[0].IsNil() {
		return nil, store.ErrNotFound
	}
	value, err := r.rest[0].ToString()
	if err != nil {
		return nil, failed("get", err)
	}
	return []byte(value), nil
}

// Write writes b. Batches that are written while others are on their way share
// the next command.
func (s *Store) Write(ctx context.Context, b *store.Batch) error {
	if err := s.calls.Begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	if err := b.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return failed("write", fmt.Errorf("%w: %w", store.ErrNotWritten, err))
	}
	if b.Len() == 0 {
		return nil
	}
	return s.queue.Write(ctx, b)
}

// commit writes a group of batches with one script. It has the turn of the
// queue.
func (s *Store) commit(ctx context.Context, group []*store.Batch) error {
	s.last++
	number := s.last
	args := chunks([]string{
		strconv.FormatInt(s.acknowledged.Load(), 10),
		strconv.FormatInt(number, 10),
	}, group)
	graced, cancel := groupcommit.Grace(ctx, s.opts.Grace)
	defer cancel()
	r, err := s.exec(graced, s.scripts.write, args...)
	if err == nil {
		err = s.checkState(r)
	}
	switch {
	case err == nil:
		s.acknowledged.Store(number)
		return nil
	case errors.Is(err, store.ErrClosed):
		return failed("write", err)
	case refused(err):
		return failed("write", fmt.Errorf("%w: %w", store.ErrNotWritten, err))
	default:
		return failed("write", fmt.Errorf("the outcome is unknown: %w", err))
	}
}

// Close waits for the calls that are under way. The client, and what is in
// Redis, it leaves alone.
func (s *Store) Close() error {
	s.calls.Close(func() {})
	return nil
}

// failed says in what call of the store an error came.
func failed(call string, err error) error { return fmt.Errorf("redisstore: %s: %w", call, err) }
