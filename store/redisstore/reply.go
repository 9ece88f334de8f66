package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/store"
)

// reply is what a script returns.
type reply struct {
	status string
	batch  int64 // or another number that belongs to the status
	rest   []rueidis.RedisMessage
}

// exec runs a script with the arguments that follow the owner.
func (s *Store) exec(ctx context.Context, script *rueidis.Lua, args ...string) (reply, error) {
	messages, err := script.Exec(ctx, s.client, s.keys, append([]string{s.owner}, args...)).ToArray()
	if err != nil {
		return reply{}, err
	}
	if len(messages) == 0 {
		return reply{}, errors.New("the script returns nothing")
	}
	var r reply
	if r.status, err = messages[0].ToString(); err != nil {
		return reply{}, err
	}
	if len(messages) > 1 {
		if r.batch, err = messages[1].AsInt64(); err != nil {
			return reply{}, err
		}
		r.rest = messages[2:]
	}
	return r, nil
}

// read runs a script that changes nothing.
func (s *Store) read(ctx context.Context, script *rueidis.Lua, args ...string) (reply, error) {
	acknowledged := strconv.FormatInt(s.acknowledged.Load(), 10)
	r, err := s.exec(ctx, script, append([]string{acknowledged}, args...)...)
	if err == nil {
		err = s.checkState(r)
	}
	return r, err
}

// errRefused is what a server says that has changed nothing.
var errRefused = errors.New("the server refuses")

// checkState makes the store end itself if Redis does not have what this store
// has left there.
func (s *Store) checkState(r reply) error {
	reason := ""
	switch r.status {
	case "ok":
		return nil
	case "owner":
		reason = "another process has opened it"
	case "gone":
		reason = fmt.Sprintf("the server has lost the key %s, and with it what it had acknowledged", s.keys[0])
	case "lost":
		reason = fmt.Sprintf("the server has lost what it had acknowledged: it is at batch %d, and was at batch %d or later",
			r.batch, s.acknowledged.Load())
	case "late":
		reason = fmt.Sprintf("something else writes with its name: the server is at batch %d", r.batch)
	case "torn":
		reason = fmt.Sprintf("the keys %s no longer belong together: something else has changed them", s.keys)
	case "refused":
		text := "no reason"
		if len(r.rest) > 0 {
			text, _ = r.rest[0].ToString()
		}
		return fmt.Errorf("%w: %s", errRefused, text)
	default:
		return fmt.Errorf("the script returns %.100q", r.status)
	}
	return s.calls.Fail(fmt.Errorf("%w: redisstore: %s", store.ErrClosed, reason))
}

// refused reports whether err says for certain that a script has changed
// nothing and never will.
func refused(err error) bool {
	if errors.Is(err, errRefused) {
		return true
	}
	if redisErr, ok := rueidis.IsRedisErr(err); ok {
		// What a server says in place of running a script. Others could come
		// from a proxy that does not know.
		code, _, _ := strings.Cut(redisErr.Error(), " ")
		return slices.Contains([]string{
			"NOSCRIPT", "OOM", "MISCONF", "READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "BUSY",
			"NOAUTH", "WRONGPASS", "NOPERM", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "CROSSSLOT",
		}, code)
	}
	// Without a connection nothing was sent.
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}
