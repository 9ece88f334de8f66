package telemetry

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// TracingOptions say which packets become spans. Tracer is needed.
type TracingOptions struct {
	// Tracer makes the spans, and samples them as it likes.
	Tracer trace.Tracer

	// Want is asked before the tracer is, when the packet has been answered
	// and all of it is known; nil wants all. A tracer that will not sample a
	// span takes as long to say so as the connector takes for a third of a
	// packet, so where there are many Want should say no to most: it may want
	// those that failed, or took long, or a few by chance. It is called
	// concurrently, must not block, and keeps nothing of p.
	Want func(p *middleware.Packet, outcome middleware.Outcome, took time.Duration) bool
}

// Tracing makes a span of each packet, "ilp.packet", from when it was received
// until its answer was ready to go back. It names the accounts, the assets,
// the amounts, the outcome and the code; never the destination, the condition
// or the data. Its parent is the span that the link had in its context, if it
// had one: ILP carries none from hop to hop.
//
// Spans are made when packets are answered, and nothing is kept for those that
// are in flight. A chain without it is not slowed down by it.
//
// Its name is "tracing". It stands outermost. Without a Tracer it refuses
// every account.
func Tracing(o TracingOptions) middleware.Middleware { return tracing{o} }

type tracing struct{ options TracingOptions }

func (tracing) Name() string { return "tracing" }

func (t tracing) Attach(host middleware.Host, a *account.Account) (middleware.Stages, error) {
	if t.options.Tracer == nil {
		return middleware.Stages{}, errors.New("telemetry: TracingOptions.Tracer is nil: give one, or leave Tracing out of the chain")
	}
	return middleware.Stages{Incoming: &tracingStage{
		options: t.options,
		since:   middleware.Since(host),
		source:  trace.WithAttributes(attribute.String("ilp.account", a.ID), attribute.String("ilp.asset", a.Asset.String())),
	}}, nil
}

// tracingStage is the outermost incoming Stage.
type tracingStage struct {
	options TracingOptions
	since   func(time.Time) time.Duration
	source  trace.SpanStartOption
}

type tracingKey struct{}

// Prepare keeps the span of the link, if there is one: the reply comes in the
// context of another.
func (s *tracingStage) Prepare(ctx context.Context, p *middleware.Packet) ilp.Reply {
	if span := trace.SpanFromContext(ctx); span.SpanContext().IsValid() {
		p.Set(tracingKey{}, span)
	}
	return nil
}

func (s *tracingStage) Reply(_ context.Context, p *middleware.Packet, reply ilp.Reply) ilp.Reply {
	outcome, took := middleware.OutcomeOf(p, reply), p.Took(s.since)
	if s.options.Want == nil || s.options.Want(p, outcome, took) {
		s.span(p, reply, outcome, took)
	}
	return reply
}

func (s *tracingStage) span(p *middleware.Packet, reply ilp.Reply, outcome middleware.Outcome, took time.Duration) {
	ctx := context.Background()
	if parent, ok := p.Value(tracingKey{}).(trace.Span); ok {
		ctx = trace.ContextWithSpan(ctx, parent)
	}
	_, span := s.options.Tracer.Start(ctx, "ilp.packet", trace.WithTimestamp(p.Received), trace.WithSpanKind(trace.SpanKindServer), s.source)
	if span.IsRecording() {
		describe(span, p, reply, outcome)
	}
	span.End(trace.WithTimestamp(p.Received.Add(took)))
}

// describe says what became of p. Amounts are text: they are up to 64 bits,
// and an attribute is not.
func describe(span trace.Span, p *middleware.Packet, reply ilp.Reply, outcome middleware.Outcome) {
	span.SetAttributes(
		attribute.String("ilp.amount", strconv.FormatUint(p.Prepare.Amount, 10)),
		attribute.String("ilp.outcome", outcome.String()),
	)
	if p.Destination != nil {
		span.SetAttributes(
			attribute.String("ilp.next_hop.account", p.Destination.ID),
			attribute.String("ilp.next_hop.asset", p.Destination.Asset.String()),
			attribute.String("ilp.next_hop.amount", strconv.FormatUint(p.DestinationAmount, 10)),
		)
	}
	if reject, ok := reply.(*ilp.Reject); ok {
		code := known(reject.Code)
		span.SetAttributes(attribute.String("ilp.code", codeLabel(code)))
		span.SetStatus(codes.Error, code.Name())
	}
}

// known gives code, or "" if no RFC names it: a counterparty may choose it,
// and it lies in the memory of the packet.
func known(code ilp.Code) ilp.Code {
	if code.Name() == "" {
		return ""
	}
	return ilp.Code([]byte(code))
}
