package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/store"
)

// A page of a scan has this many keys at most, and no more of them when it has
// this many bytes. It holds up the server for a few milliseconds.
const (
	pageKeys  = 1000
	pageBytes = 1 << 20
)

// Scan visits the keys that begin with prefix. Those that fit in a page are
// read by one script. More of them are read page by page, and writers wait
// until the last one has been visited: memory is needed for one page alone.
func (s *Store) Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	if err := s.calls.Begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	if err := store.CheckPrefix(prefix); err != nil {
		return err
	}
	from, to := "["+prefix, before(prefix)
	p, err := s.readPage(ctx, from, to)
	if err != nil {
		return failed("scan", err)
	}
	if p.more {
		release, err := s.queue.Hold(ctx)
		if err != nil {
			return failed("scan", err)
		}
		defer release()
		// The first page may be older than those that follow.
		if p, err = s.readPage(ctx, from, to); err != nil {
			return failed("scan", err)
		}
	}
	for batch := p.batch; ; {
		last, err := p.visit(ctx, visit)
		if err != nil || !p.more {
			return err
		}
		if p, err = s.readPage(ctx, "("+last, to); err != nil {
			return failed("scan", err)
		}
		if p.batch != batch {
			return failed("scan", errors.New("a write whose outcome was unknown has come into force meanwhile"))
		}
	}
}

// page is what a scan shows at a time.
type page struct {
	batch   int64 // the last that had been written
	more    bool  // there may be another page
	entries []rueidis.RedisMessage
}

func (s *Store) readPage(ctx context.Context, from, to string) (page, error) {
	r, err := s.read(ctx, s.scripts.page, from, to, strconv.Itoa(pageKeys), strconv.Itoa(pageBytes))
	if err != nil {
		return page{}, err
	}
	if len(r.rest)%2 != 1 {
		return page{}, fmt.Errorf("the script returns a page of %d parts", len(r.rest))
	}
	more, err := r.rest[0].AsInt64()
	if err != nil {
		return page{}, err
	}
	return page{batch: r.batch, more: more == 1, entries: r.rest[1:]}, nil
}

// visit returns the last key of the page.
func (p page) visit(ctx context.Context, visit func(key string, value []byte) error) (last string, err error) {
	for i := 0; i < len(p.entries); i += 2 {
		if err := ctx.Err(); err != nil {
			return "", failed("scan", err)
		}
		key, err := p.entries[i].ToString()
		if err != nil {
			return "", failed("scan", err)
		}
		value, err := p.entries[i+1].ToString()
		if err != nil {
			return "", failed("scan", err)
		}
		if err := visit(key, []byte(value)); err != nil {
			return "", err
		}
		last = key
	}
	return last, nil
}

// before returns the end of the range of keys that begin with prefix, as ZRANGE
// BYLEX has it.
func before(prefix string) string {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return "(" + string(b[:i+1])
		}
	}
	return "+"
}
