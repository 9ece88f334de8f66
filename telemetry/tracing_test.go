package telemetry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/middleware/middlewaretest"
	"github.com/interledger-go/connector/telemetry"
)

// recorder is a tracer that keeps its spans, or samples none of them.
type recorder struct {
	embedded.Tracer
	refuse bool

	mu    sync.Mutex
	spans []*recorded
}

type recorded struct {
	noop.Span
	recording  bool
	name       string
	parent     trace.SpanContext
	begin, end time.Time
	status     string
	attributes map[string]string
}

func (r *recorder) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	s := &recorded{
		recording: !r.refuse, name: name, begin: config.Timestamp(), parent: trace.SpanContextFromContext(ctx), attributes: make(map[string]string),
	}
	s.SetAttributes(config.Attributes()...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, s)
	return ctx, s
}

func (s *recorded) IsRecording() bool                   { return s.recording }
func (s *recorded) SetStatus(c codes.Code, text string) { s.status = fmt.Sprint(c, " ", text) }
func (s *recorded) End(options ...trace.SpanEndOption) {
	config := trace.NewSpanEndConfig(options...)
	s.end = config.Timestamp()
}
func (s *recorded) SetAttributes(all ...attribute.KeyValue) {
	for _, a := range all {
		s.attributes[string(a.Key)] = a.Value.AsString()
	}
}

func traced(o telemetry.TracingOptions) []middleware.Middleware {
	return append([]middleware.Middleware{telemetry.Tracing(o)}, middleware.Standard()...)
}

func TestTracingMakesASpanOfEachPacket(t *testing.T) {
	r := &recorder{}
	w := newWorld(t, traced(telemetry.TracingOptions{Tracer: r}))
	w.add(connector.Account{ID: "a", Relation: connector.Child})
	w.add(connector.Account{ID: "b", Relation: connector.Child})
	w.run()
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	w.send(trace.ContextWithSpanContext(t.Context(), parent), "a", 1<<63+1, "test.connie.b.secret")
	w.links["b"].answer = func(*ilp.Prepare) ilp.Reply { return &ilp.Reject{Code: "X01", Message: "secret"} }
	w.send(t.Context(), "a", 7, "test.connie.b.secret")
	w.send(t.Context(), "a", 7, "test.connie.nobody")
	if len(r.spans) != 3 {
		t.Fatalf("there are %d spans, want 3", len(r.spans))
	}
	for i, want := range []map[string]string{
		{"ilp.amount": "9223372036854775809", "ilp.outcome": "refused", "ilp.code": "T04"},
		{"ilp.amount": "7", "ilp.outcome": "rejected", "ilp.code": "other", "ilp.next_hop.account": "b", "ilp.next_hop.asset": "USD/4", "ilp.next_hop.amount": "7"},
		{"ilp.amount": "7", "ilp.outcome": "refused", "ilp.code": "F02"},
	} {
		s := r.spans[i]
		want["ilp.account"], want["ilp.asset"] = "a", "USD/4"
		if fmt.Sprint(s.attributes) != fmt.Sprint(want) {
			t.Errorf("span %d has %v, want %v", i, s.attributes, want)
		}
		if s.name != "ilp.packet" || s.begin.IsZero() || s.end.Before(s.begin) || !strings.HasPrefix(s.status, "Error") {
			t.Errorf("span %d is %+v", i, s)
		}
	}
	if r.spans[0].parent.TraceID() != parent.TraceID() || r.spans[1].parent.IsValid() {
		t.Errorf("the parents are %v and %v, want that of the link and none", r.spans[0].parent, r.spans[1].parent)
	}
}

// A span that the tracer does not sample is told nothing.
func TestTracingRespectsTheSampler(t *testing.T) {
	r := &recorder{refuse: true}
	w := newWorld(t, traced(telemetry.TracingOptions{Tracer: r}))
	w.add(connector.Account{ID: "a", Relation: connector.Child})
	w.run()
	w.send(t.Context(), "a", 7, "test.connie.nobody")
	if len(r.spans) != 1 || r.spans[0].attributes["ilp.outcome"] != "" || r.spans[0].end.IsZero() {
		t.Errorf("the spans are %+v, want one that was ended and told nothing", r.spans)
	}
}

// What is not wanted never gets to the tracer, by outcome as well.
func TestTracingAsksFirst(t *testing.T) {
	r := &recorder{}
	var asked []middleware.Outcome
	w := newWorld(t, traced(telemetry.TracingOptions{Tracer: r, Want: func(_ *middleware.Packet, o middleware.Outcome, took time.Duration) bool {
		asked = append(asked, o)
		return o != middleware.OutcomeFulfilled && took >= 0
	}}))
	w.add(connector.Account{ID: "a", Relation: connector.Child})
	w.add(connector.Account{ID: "b", Relation: connector.Child})
	w.run()
	w.send(t.Context(), "a", 7, "test.connie.b")
	w.send(t.Context(), "a", 7, "test.connie.nobody")
	if !slices.Equal(asked, []middleware.Outcome{middleware.OutcomeFulfilled, middleware.OutcomeRefused}) || len(r.spans) != 1 {
		t.Errorf("asked about %v, and there are %d spans", asked, len(r.spans))
	}
}

func TestTracingWithoutTracerIsRefused(t *testing.T) {
	a := &connector.Account{ID: "a", Relation: connector.Child, Asset: usd4}
	if _, err := middlewaretest.Attach(new(middlewaretest.Host), a, telemetry.Tracing(telemetry.TracingOptions{})); err == nil {
		t.Error("it was not refused")
	}
}

// Packets that nobody wants to be traced cost no allocation.
func TestTracingConformance(t *testing.T) {
	never := func(*middleware.Packet, middleware.Outcome, time.Duration) bool { return false }
	middlewaretest.Run(t, middlewaretest.Options{New: func() middleware.Middleware {
		return telemetry.Tracing(telemetry.TracingOptions{Tracer: noop.NewTracerProvider().Tracer(""), Want: never})
	}})
}

// BenchmarkTracing is what a packet costs more with the middleware in the
// chain: if nothing is wanted, and if all is and the tracer samples nothing. A
// chain without it has nothing of it.
func BenchmarkTracing(b *testing.B) {
	tracer := noop.NewTracerProvider().Tracer("")
	never := func(*middleware.Packet, middleware.Outcome, time.Duration) bool { return false }
	for _, c := range []struct {
		name string
		list []middleware.Middleware
	}{
		{"absent", middleware.NewMeter().Around(nil)},
		{"not wanted", append([]middleware.Middleware{telemetry.Tracing(telemetry.TracingOptions{Tracer: tracer, Want: never})}, middleware.NewMeter().Around(nil)...)},
		{"not sampled", append([]middleware.Middleware{telemetry.Tracing(telemetry.TracingOptions{Tracer: tracer})}, middleware.NewMeter().Around(nil)...)},
	} {
		b.Run(c.name, func(b *testing.B) {
			a := &connector.Account{ID: "a", Relation: connector.Child, Asset: usd4}
			p, err := middleware.Attach(c.list, new(middlewaretest.Host), a)
			if err != nil {
				b.Fatal(err)
			}
			e := &end{reply: &ilp.Fulfill{Fulfillment: fulfillment1}}
			received := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				e.packet.Prepare.Amount, e.packet.Received, e.packet.Latency = 100, received, 0
				e.packet.Destination, e.packet.NextHopReply = a, e.reply
				e.packet.Run(context.Background(), p.Incoming, e)
			}
		})
	}
}

// end stands behind the last stage and fulfills.
type end struct {
	packet middleware.Packet
	reply  ilp.Reply
}

func (e *end) Pass(ctx context.Context, p *middleware.Packet)      { p.Answer(ctx, e.reply) }
func (e *end) Done(context.Context, *middleware.Packet, ilp.Reply) {}
