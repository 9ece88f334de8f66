package btp

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/internal/wsconn"
)

// run keeps a connection until ctx ends. It is the client's goroutine.
func (c *Client) run(ctx context.Context) {
	delay, refusals := c.options.MinBackoff, 0
	var logged string
	for {
		started := time.Now()
		connected, err := c.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if connected && time.Since(started) >= c.options.StableAfter {
			delay = c.options.MinBackoff
		}
		if refused, ok := errors.AsType[*btplink.RefusedError](err); !ok {
			refusals = 0
		} else if !refused.Reply.Code.Temporary() {
			refusals++
		}
		if refusals >= maxRefusals {
			delay = c.options.MaxBackoff
		}
		// The same failure over and over is said once.
		if text := err.Error(); connected || text != logged {
			logged = text
			c.link.Log.LogAttrs(ctx, slog.LevelWarn, "btp: not connected",
				slog.String("account", c.link.Name), slog.String("error", text))
		}
		c.state.Store(int32(StateWaiting))
		if !sleep(ctx, jitter(delay)) {
			return
		}
		delay = min(2*delay, c.options.MaxBackoff)
	}
}

// maxRefusals is how often in a row a client is refused until it believes that
// it will be, until somebody changes something. A server that is about to
// stop has taken its accounts out already, and refuses those that come back.
const maxRefusals = 3

// jitter gives a time between half of d and d, so that the clients of a
// server that comes back do not come all at once.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}

// sleep waits for d, and reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// session makes one connection and serves it until it ends. It returns why it
// did, and whether it had been authenticated.
func (c *Client) session(ctx context.Context) (connected bool, err error) {
	c.state.Store(int32(StateConnecting))
	s, err := c.connect(ctx)
	if err != nil {
		return false, err
	}
	if !c.adopt(s) {
		s.Close()
		return false, btplink.ErrClosed
	}
	defer c.adopt(nil)
	c.state.Store(int32(StateAuthenticating))
	if err := s.Authenticate(&c.auth); err != nil {
		s.Close()
		return false, err
	}
	c.state.Store(int32(StateConnected))
	c.live.Store(s)
	c.link.Log.LogAttrs(ctx, slog.LevelInfo, "btp: connected", slog.String("account", c.link.Name))
	c.link.Tell(c.Connected, nil)
	err = s.Serve()
	c.live.Store(nil)
	c.link.Tell(c.Connected, err)
	return true, err
}

// adopt makes s the socket that Close ends. It reports false if Close was
// called before.
func (c *Client) adopt(s *btplink.Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = s
	return !c.closed
}

// connect makes a connection.
func (c *Client) connect(ctx context.Context) (*btplink.Socket, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	return btplink.Dial(ctx, &c.link, c.target.url, wsconn.Options{TLS: c.options.TLS, NetDial: c.options.NetDial})
}
