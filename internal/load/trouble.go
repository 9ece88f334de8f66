package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/wsconn"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
)

// troubles are the users that make trouble, each in a process of its own.
var troubles = map[string]func(ctx context.Context, t *trouble) error{
	"flood": flood,
	"deaf":  deaf,
	"stuck": stuck,
}

// trouble is one of them.
type trouble struct {
	address string // of the connector
	data    int    // length of a packet's data
	ready   chan<- struct{}

	mu       sync.Mutex
	outcomes map[string]int // how often what has become of a packet, or of a socket
}

// runTrouble is the child: it makes trouble, writes a line when it has begun,
// and answers every line it reads with the outcomes since the last one, until
// the end of its input.
func runTrouble(kind, address string, data int, in io.Reader, out io.Writer) error {
	run, ok := troubles[kind]
	if !ok {
		return fmt.Errorf("-trouble: there is no %q", kind)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	t := &trouble{address: address, data: data, ready: ready, outcomes: make(map[string]int)}
	go func() { ended <- run(ctx, t) }()
	select {
	case <-ready:
		fmt.Fprintln(out, "ready")
	case err := <-ended:
		cancel()
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := json.NewEncoder(out).Encode(t.take()); err != nil {
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (t *trouble) count(outcome string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.outcomes[outcome]++
}

func (t *trouble) take() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.outcomes
	t.outcomes = make(map[string]int)
	return taken
}

// flood sends as many packets as the connection takes: each answer leads to
// the next one, and ten times as many are on their way as a user may have.
func flood(ctx context.Context, t *trouble) error {
	return t.insist(ctx, 10*miniaccounts.DefaultMaxInFlight, sink, 0)
}

// stuck has all packets that a user may have in flight, and as many again that
// try to be, with a next hop that never answers.
func stuck(ctx context.Context, t *trouble) error {
	never, err := account(ctx, t.address, silent, silence{sender})
	if err != nil {
		return err
	}
	defer never.Close()
	return t.insist(ctx, 2*miniaccounts.DefaultMaxInFlight, silent, 20*time.Millisecond)
}

// silence is a handler that answers no packet.
type silence struct{ plugin.Handler }

func (silence) HandlePrepare(context.Context, *ilp.Prepare, plugin.Responder) {}

// insist keeps a window of packets to an account on their way, with a pause
// between an answer and the next packet.
func (t *trouble) insist(ctx context.Context, window int, to string, pause time.Duration) error {
	u, err := user(ctx, t.address, t.String())
	if err != nil {
		return err
	}
	defer u.Close()
	r := &insistence{trouble: t, user: u, to: to, pause: pause, data: make([][]byte, window)}
	burst := plugin.NewBurst(ctx)
	for slot := range r.data {
		r.data[slot] = make([]byte, t.data)
		r.send(burst.Context(), uint64(slot))
	}
	burst.Flush()
	close(t.ready)
	<-ctx.Done()
	return ctx.Err()
}

// String is the token of the user.
func (t *trouble) String() string { return fmt.Sprintf("trouble %p", t) }

// insistence is what insist does.
type insistence struct {
	*trouble
	user  *btp.Client
	to    string
	pause time.Duration
	data  [][]byte // by slot
}

// packetLife is the time until a packet that makes trouble expires.
const packetLife = 3 * time.Second

func (i *insistence) send(ctx context.Context, slot uint64) {
	prepare := prepareTo(i.to, packetLife)
	prepare.Data = i.data[slot]
	mark(prepare.Data)
	i.user.SendPrepare(ctx, &prepare, plugin.NewResponder(i, slot))
}

// Reply counts what has become of a packet, and sends another one.
func (i *insistence) Reply(ctx context.Context, slot uint64, reply ilp.Reply, err error) {
	switch r := reply.(type) {
	case *ilp.Fulfill:
		i.count("fulfilled")
	case *ilp.Reject:
		i.count(string(r.Code))
	default:
		i.count("lost")
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
	if i.pause > 0 {
		time.AfterFunc(i.pause, func() { i.send(context.Background(), slot) })
		return
	}
	i.send(ctx, slot)
}

// deaf sends as many packets as the connection takes, reads no answer, and
// comes again when its socket is closed for that.
func deaf(ctx context.Context, t *trouble) error {
	for begun := false; ctx.Err() == nil; begun = true {
		c, err := t.dial(ctx)
		if err != nil {
			return err
		}
		if !begun {
			close(t.ready)
		}
		err = t.talk(ctx, c)
		c.Close()
		if ctx.Err() == nil {
			t.count("closed: " + err.Error())
		}
	}
	return ctx.Err()
}

// dial gives a connection of an authenticated user.
func (t *trouble) dial(ctx context.Context) (*wsconn.Conn, error) {
	c, err := wsconn.Dial(ctx, "ws://"+t.address+usersPath, wsconn.Options{PingInterval: -1})
	if err != nil {
		return nil, err
	}
	err = write(c, &btp.Packet{Type: btp.TypeMessage, Entries: []btp.Entry{
		{Name: "auth"}, {Name: "auth_token", ContentType: btp.TextPlain, Data: []byte(t.String())},
	}})
	if err == nil {
		c.Flush()
		_, err = c.ReadMessage()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// talk sends until the connection ends.
func (t *trouble) talk(ctx context.Context, c *wsconn.Conn) error {
	data := make([]byte, t.data)
	for id := uint32(0); ctx.Err() == nil; id++ {
		prepare := prepareTo(sink, packetLife)
		prepare.Data = data
		mark(data)
		body, err := prepare.AppendBinary(nil)
		if err != nil {
			return err
		}
		err = write(c, &btp.Packet{Type: btp.TypeMessage, RequestID: id, Entries: []btp.Entry{{Name: "ilp", Data: body}}})
		switch {
		case errors.Is(err, wsconn.ErrBacklog):
			time.Sleep(time.Millisecond) // the connector does not take more
		case err != nil:
			return err
		default:
			t.count("sent")
		}
		if id%100 == 0 {
			c.Flush()
		}
	}
	return ctx.Err()
}

// write adds p to what c is to send.
func write(c *wsconn.Conn, p *btp.Packet) error {
	buf, err := c.Begin(p.Size())
	if err != nil {
		return err
	}
	if buf, err = p.AppendBinary(buf); err != nil {
		c.Cancel()
		return err
	}
	return c.End(buf)
}
