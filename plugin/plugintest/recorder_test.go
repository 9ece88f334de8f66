package plugintest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
)

func newPrepare(data string) *ilp.Prepare {
	return &ilp.Prepare{
		Amount:      10,
		ExpiresAt:   time.Now().Add(time.Minute),
		Condition:   ilp.PeerCondition,
		Destination: ilp.MustParseAddress("test.bob"),
		Data:        []byte(data),
	}
}

// result keeps the answer to one prepare.
type result struct {
	reply ilp.Reply
	err   error
	times int
}

func (r *result) Reply(_ context.Context, _ uint64, reply ilp.Reply, err error) {
	r.reply, r.err, r.times = reply, err, r.times+1
}

func TestRecorderLeavesPreparesToTheTest(t *testing.T) {
	for name, r := range map[string]*plugintest.Recorder{
		"no Answer":      {},
		"Answer of none": {Answer: func(*ilp.Prepare) ilp.Reply { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			var got result
			prepare := newPrepare("hello")
			r.HandlePrepare(t.Context(), prepare, plugin.NewResponder(&got, 0))
			*prepare = ilp.Prepare{} // the caller's again
			if got.times != 0 {
				t.Fatalf("got %v, want no answer yet", got)
			}
			prepares := r.Prepares()
			if len(prepares) != 1 || string(prepares[0].Prepare.Data) != "hello" {
				t.Fatalf("got %v, want the prepare", prepares)
			}
			prepares[0].Responder.Fail(t.Context(), plugin.ErrBusy)
			if got.times != 1 || got.err != plugin.ErrBusy {
				t.Errorf("got %v, want ErrBusy, once", got)
			}
		})
	}
}

func TestRecorderAnswers(t *testing.T) {
	reply := &ilp.Fulfill{}
	r := &plugintest.Recorder{Answer: func(*ilp.Prepare) ilp.Reply { return reply }}
	var got result
	r.HandlePrepare(t.Context(), newPrepare("hello"), plugin.NewResponder(&got, 0))
	if got.times != 1 || got.reply != ilp.Reply(reply) {
		t.Errorf("got %v, want the reply, once", got)
	}
	if n := len(r.Prepares()); n != 1 {
		t.Errorf("%d prepares are kept, want 1", n)
	}
}

func TestRecorderKeepsTheRest(t *testing.T) {
	r := &plugintest.Recorder{}
	var got result
	malformed, lost := errors.New("no packet"), errors.New("connection reset")
	r.HandleMalformed(t.Context(), malformed, plugin.NewResponder(&got, 0))
	if reject, ok := got.reply.(*ilp.Reject); !ok || reject.Code != ilp.F01InvalidPacket {
		t.Errorf("got %v for malformed bytes, want F01", got)
	}
	if !slices.Equal(r.Malformed(), []error{malformed}) {
		t.Errorf("got %v, want the error", r.Malformed())
	}
	r.HandleState(true, nil)
	r.HandleState(false, lost)
	if want := []plugintest.State{{Connected: true}, {Err: lost}}; !slices.Equal(r.States(), want) {
		t.Errorf("got %v, want %v", r.States(), want)
	}
	m := plugin.Money{Amount: 3, Key: "k"}
	if err := r.HandleMoney(t.Context(), m); err != nil {
		t.Errorf("without Book: %v", err)
	}
	refused := errors.New("refused")
	r.Book = func(got plugin.Money) error {
		if got != m {
			t.Errorf("Book was given %v, want %v", got, m)
		}
		return refused
	}
	if err := r.HandleMoney(t.Context(), m); err != refused {
		t.Errorf("got %v, want what Book returns", err)
	}
	if want := []plugin.Money{m, m}; !slices.Equal(r.Money(), want) {
		t.Errorf("got %v, want %v", r.Money(), want)
	}
}

func TestRecorderAwaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &plugintest.Recorder{}
		var ignored result
		for i := range 3 {
			time.AfterFunc(time.Duration(i+1)*time.Second, func() {
				r.HandleState(i%2 == 0, nil)
				r.HandlePrepare(t.Context(), newPrepare(fmt.Sprint(i)), plugin.NewResponder(&ignored, 0))
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		since := func() time.Duration { return time.Since(begin).Truncate(time.Second) }

		if err := r.AwaitState(ctx, true); err != nil || since() != time.Second {
			t.Errorf("connected: got %v after %v, want 1s", err, since())
		}
		prepares, err := r.Await(ctx, 2)
		if err != nil || len(prepares) != 2 || string(prepares[1].Prepare.Data) != "1" || since() != 2*time.Second {
			t.Errorf("got %d prepares and %v after %v, want 2 after 2s", len(prepares), err, since())
		}
		if err := r.AwaitState(ctx, false); err != nil || since() != 2*time.Second {
			t.Errorf("disconnected: got %v after %v, want 2s", err, since())
		}
		prepares, err = r.Await(ctx, 3)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 of 3") || len(prepares) != 2 {
			t.Errorf("got %d prepares and %v, want those that came and that one is missing", len(prepares), err)
		}
		if err := r.AwaitState(ctx, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		time.Sleep(time.Second) // for the third
	})
}

// A Recorder at the other end of a pipe is a counterparty whose answers the
// test decides on, one by one.
func ExampleRecorder() {
	app, end := inproc.Pipe()
	defer app.Close()
	var shop plugintest.Recorder
	ctx := context.Background()
	if err := end.Open(ctx, &shop); err != nil {
		fmt.Println(err)
		return
	}

	outcome := make(chan error, 1)
	go func() {
		_, err := app.Send(ctx, newPrepare("an ice cream, please"))
		outcome <- err
	}()
	prepares, err := shop.Await(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", prepares[0].Prepare.Data)
	prepares[0].Responder.Reply(ctx, ilp.Rejectf(ilp.F99ApplicationError, "sold out"))
	fmt.Println(<-outcome)
	// Output:
	// an ice cream, please
	// F99 Application Error: sold out
}
