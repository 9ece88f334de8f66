package btp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// codeNormal is the close code of an orderly end.
const codeNormal = wsconn.CodeNormal

// refusedError says that the server did not accept the credentials.
type refusedError struct{ reply *Error }

func (e *refusedError) Error() string {
	return "btp: authentication refused: " + e.reply.Error()
}
func (e *refusedError) Unwrap() error { return e.reply }

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
		if refused, ok := errors.AsType[*refusedError](err); !ok {
			refusals = 0
		} else if !refused.reply.Code.Temporary() {
			refusals++
		}
		if refusals >= maxRefusals {
			delay = c.options.MaxBackoff
		}
		// The same failure over and over is said once.
		if text := err.Error(); connected || text != logged {
			logged = text
			c.log.LogAttrs(ctx, slog.LevelWarn, "btp: not connected",
				slog.String("account", c.name), slog.String("error", text))
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
	s := newSocket(c.limits)
	s.link = &c.link
	if err := c.connect(ctx, s); err != nil {
		return false, err
	}
	if !c.adopt(s) {
		s.conn.Close()
		return false, errClosed
	}
	defer c.adopt(nil)
	c.state.Store(int32(StateAuthenticating))
	if err := c.authenticate(s); err != nil {
		s.conn.Close()
		return false, err
	}
	c.state.Store(int32(StateConnected))
	c.live.Store(s)
	c.log.LogAttrs(ctx, slog.LevelInfo, "btp: connected", slog.String("account", c.name))
	c.tell(c.Connected, nil)
	err = s.read()
	c.live.Store(nil)
	c.tell(c.Connected, err)
	return true, err
}

// adopt makes s the socket that Close ends. It reports false if Close was
// called before.
func (c *Client) adopt(s *socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = s
	return !c.closed
}

// connect gives s its connection.
func (c *Client) connect(ctx context.Context, s *socket) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	o := c.limits.options()
	o.OnIdle, o.TLS, o.NetDial = s.onIdle, c.options.TLS, c.options.NetDial
	conn, err := wsconn.Dial(ctx, c.target.url, o)
	if err != nil {
		return fmt.Errorf("btp: %w", err)
	}
	s.conn = conn
	return nil
}

// authenticate sends the credentials (BTP-20) and waits for the answer
// (BTP-22, BTP-24).
func (c *Client) authenticate(s *socket) error {
	id := rand.Uint32()
	err := s.write(&Packet{Type: TypeMessage, RequestID: id, Entries: []Entry{
		{Name: protocolAuth, ContentType: OctetStream},
		{Name: protocolUsername, ContentType: TextPlain, Data: []byte(c.target.username)},
		{Name: protocolToken, ContentType: TextPlain, Data: []byte(c.target.token)},
	}})
	if err != nil {
		return err
	}
	s.conn.Flush()
	if err := s.conn.SetReadDeadline(time.Now().Add(c.limits.AuthTimeout)); err != nil {
		return err
	}
	for {
		message, err := s.conn.ReadMessage()
		if err != nil {
			return fmt.Errorf("btp: no answer to the authentication: %w", err)
		}
		if err := s.packet.Decode(message); err != nil {
			return err
		}
		switch p := &s.packet; {
		case p.RequestID != id: // a note that the server may send (BTP-23)
		case p.Type == TypeResponse:
			return s.conn.SetReadDeadline(time.Time{})
		case p.Type == TypeError:
			reply := p.Clone()
			return &refusedError{&reply.Error}
		}
	}
}
