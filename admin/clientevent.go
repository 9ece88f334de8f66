package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/interledger-go/connector/middleware"
)

// Watch gives what moves, at once and then in each interval (0: one second),
// until ctx ends, the handler ends the stream or the loop is left. accounts are
// those to look at; none means all, up to 1000. An error is the last thing that
// it gives; the end of the stream is io.EOF.
func (c *Client) Watch(ctx context.Context, interval time.Duration, accounts ...string) iter.Seq2[Snapshot, error] {
	query := make(url.Values)
	if interval > 0 {
		query.Set("interval", interval.String())
	}
	if len(accounts) > 0 {
		query["account"] = accounts
	}
	return watch[Snapshot](ctx, c, query, "events")
}

// WatchPackets gives the packets that f wants as they are answered, from now
// on, several at a time and no more often than each interval (0: 250ms). Its
// first event comes at once, when the handler has begun to watch, and one
// without packets comes where there were none for a while. It ends as Watch
// does.
func (c *Client) WatchPackets(ctx context.Context, f middleware.PacketFilter, interval time.Duration) iter.Seq2[PacketEvent, error] {
	query := filterQuery(f)
	if interval > 0 {
		query.Set("interval", interval.String())
	}
	return watch[PacketEvent](ctx, c, query, "packets", "live")
}

// watch gives the events of a stream.
func watch[T any](ctx context.Context, c *Client, query url.Values, path ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		response, err := c.request(ctx, http.MethodGet, query, nil, path...)
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		defer response.Body.Close()
		lines := bufio.NewReader(response.Body)
		for {
			event, err := readEvent[T](lines)
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// maxEvent is the size of the largest event, in bytes.
const maxEvent = 4 << 20

// readEvent gives the data of the next event.
func readEvent[T any](lines *bufio.Reader) (data T, err error) {
	for {
		line, err := readLine(lines)
		if err != nil {
			return data, err
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(text), &data); err != nil {
				return data, fmt.Errorf("admin: an event is no %T: %w", data, err)
			}
			return data, nil
		}
	}
}

func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		case len(line) > maxEvent:
			return "", fmt.Errorf("admin: an event has more than %d bytes", maxEvent)
		}
	}
}
