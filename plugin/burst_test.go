package plugin_test

import (
	"context"
	"slices"
	"testing"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// frames is a link that keeps frames back until the burst ends.
type frames struct {
	held    []string
	written [][]string // what each write joined
	onFlush func()
}

func (f *frames) send(ctx context.Context, frame string) {
	burst := plugin.BurstFrom(ctx)
	if burst == nil {
		f.written = append(f.written, []string{frame})
		return
	}
	if len(f.held) == 0 {
		burst.Defer(f)
	}
	f.held = append(f.held, frame)
}

func (f *frames) Flush() {
	f.written = append(f.written, f.held)
	f.held = nil
	if f.onFlush != nil {
		f.onFlush()
	}
}

func (f *frames) want(t *testing.T, writes ...[]string) {
	t.Helper()
	if !slices.EqualFunc(f.written, writes, slices.Equal) {
		t.Errorf("the writes are %q, want %q", f.written, writes)
	}
}

func TestBurstJoinsFrames(t *testing.T) {
	burst := plugin.NewBurst(t.Context())
	var a, b frames
	a.send(burst.Context(), "1")
	b.send(burst.Context(), "2")
	a.send(burst.Context(), "3")
	a.want(t)
	b.want(t)
	burst.Flush()
	a.want(t, []string{"1", "3"})
	b.want(t, []string{"2"})

	burst.Flush() // nothing has gathered
	a.send(burst.Context(), "4")
	burst.Flush()
	a.want(t, []string{"1", "3"}, []string{"4"})
	b.want(t, []string{"2"})
}

func TestWithoutBurst(t *testing.T) {
	var a frames
	a.send(t.Context(), "1")
	a.send(t.Context(), "2")
	a.want(t, []string{"1"}, []string{"2"})
}

// What a flush leads to on the same goroutine leaves with the same burst.
func TestBurstGrowsWhileItIsFlushed(t *testing.T) {
	burst := plugin.NewBurst(t.Context())
	var a, b frames
	a.onFlush = func() {
		a.onFlush = nil
		b.send(burst.Context(), "2")
		a.send(burst.Context(), "3")
	}
	a.send(burst.Context(), "1")
	burst.Flush()
	a.want(t, []string{"1"}, []string{"3"})
	b.want(t, []string{"2"})
}

func TestBurstInDerivedContexts(t *testing.T) {
	type key struct{}
	burst := plugin.NewBurst(context.WithValue(t.Context(), key{}, "outside"))
	if got := burst.Context().Value(key{}); got != "outside" {
		t.Errorf("the burst hides a value of the context that it is derived from: %v", got)
	}
	cancelled, cancel := context.WithCancel(burst.Context())
	cancel()
	for name, ctx := range map[string]context.Context{
		"its own":    burst.Context(),
		"with value": context.WithValue(burst.Context(), key{}, 1),
		"cancelled":  cancelled,
		"deeper":     context.WithoutCancel(context.WithValue(cancelled, key{}, 2)),
	} {
		if plugin.BurstFrom(ctx) != burst {
			t.Errorf("%s: the burst is not found", name)
		}
	}
	if got := plugin.BurstFrom(context.WithValue(t.Context(), key{}, 1)); got != nil {
		t.Errorf("a burst is found where there is none: %v", got)
	}
}

func TestBurstWithinBurst(t *testing.T) {
	outer := plugin.NewBurst(t.Context())
	inner := plugin.NewBurst(outer.Context())
	if plugin.BurstFrom(inner.Context()) != inner {
		t.Error("the inner burst is not found")
	}
	if plugin.BurstFrom(outer.Context()) != outer {
		t.Error("the outer burst is lost")
	}
	var a frames
	a.send(inner.Context(), "1")
	outer.Flush()
	a.want(t)
	inner.Flush()
	a.want(t, []string{"1"})
}

func TestDetach(t *testing.T) {
	type key struct{}
	type other struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "trace"))
	burst := plugin.NewBurst(ctx)
	for name, in := range map[string]context.Context{
		"no burst":              ctx,
		"a burst":               burst.Context(),
		"around a burst":        context.WithValue(burst.Context(), other{}, 1),
		"detached before":       plugin.Detach(burst.Context()),
		"around a detached one": context.WithValue(plugin.Detach(burst.Context()), other{}, 1),
	} {
		out := plugin.Detach(in)
		if plugin.BurstFrom(out) != nil || plugin.BurstFrom(context.WithValue(out, other{}, 2)) != nil {
			t.Errorf("%s: the burst is still found", name)
		}
		if out.Value(key{}) != "trace" {
			t.Errorf("%s: the values are lost", name)
		}
		if out.Done() != nil {
			t.Errorf("%s: the context can end", name)
		}
	}
	cancel()
	if plugin.BurstFrom(burst.Context()) != burst {
		t.Error("Detach took the burst away from others")
	}
	// A burst that begins on the other goroutine is its own.
	again := plugin.NewBurst(plugin.Detach(burst.Context()))
	if plugin.BurstFrom(again.Context()) != again {
		t.Error("a burst in a detached context is not found")
	}
}

// counter is a link that does nothing but count.
type counter struct {
	asked  bool
	writes int
}

func (c *counter) Flush() { c.asked, c.writes = false, c.writes+1 }

func TestBurstAllocatesNothing(t *testing.T) {
	burst := plugin.NewBurst(t.Context())
	ctx := burst.Context()
	links := []*counter{{}, {}, {}}
	if n := testing.AllocsPerRun(100, func() { sendBurst(ctx, links); burst.Flush() }); n > 0 {
		t.Errorf("a burst allocates %v times", n)
	}
	if want := 101; links[0].writes != want { // AllocsPerRun warms up with one more
		t.Errorf("%d writes, want %d", links[0].writes, want)
	}
	background := t.Context()
	if n := testing.AllocsPerRun(100, func() { _ = plugin.BurstFrom(background) }); n > 0 {
		t.Errorf("looking for a burst in vain allocates %v times", n)
	}
}

// sendBurst sends ten packets over each link.
func sendBurst(ctx context.Context, links []*counter) {
	for range 10 {
		for _, l := range links {
			if b := plugin.BurstFrom(ctx); b != nil && !l.asked {
				l.asked = true
				b.Defer(l)
			}
		}
	}
}

func BenchmarkBurst(b *testing.B) {
	burst := plugin.NewBurst(context.Background())
	links := []*counter{{}, {}, {}}
	b.ReportAllocs()
	for b.Loop() {
		sendBurst(burst.Context(), links) // 30 packets
		burst.Flush()
	}
}

func BenchmarkAsync(b *testing.B) {
	a := plugin.NewAsync(64, func(context.Context, *ilp.Prepare) (ilp.Reply, error) {
		return &ilp.Fulfill{Fulfillment: fulfillment}, nil
	})
	defer a.Close()
	prepare := newPrepare()
	answered := make(chan struct{})
	r := plugin.NewResponder(plugin.ReplyFunc(func(context.Context, ilp.Reply, error) { answered <- struct{}{} }), 0)
	b.ReportAllocs()
	for b.Loop() {
		a.SendPrepare(context.Background(), prepare, r)
		<-answered
	}
}
