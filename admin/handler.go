package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/interledger-go/connector"
)

// Options are the parts of a Handler. Connector is needed, and a token or
// LoopbackWithoutToken. Fields may be added; write them by name.
type Options struct {
	// Connector is what is operated.
	Connector *connector.Connector

	// Tokens may do everything, ReadTokens may look. Each has at least
	// MinTokenLength bytes; they are kept as hashes and compared in constant
	// time. Several of a kind let the host change one without a gap.
	Tokens, ReadTokens []string

	// LoopbackWithoutToken answers requests without a token that come from this
	// machine, as if they had one of Tokens. It is for a handler that is served
	// on a loopback address or a Unix socket, and must not be set where a proxy
	// on this machine hands on requests of others.
	LoopbackWithoutToken bool

	// Hosts are names for this machine besides localhost and its loopback
	// addresses that a request without a token may name, without a port.
	Hosts []string

	// NewAccount makes an account with its plugin from a JSON object, as POST
	// /addAccount and PUT /accounts/{id} bring one: the record that the
	// host's configuration has for an account. The account must have this id.
	// An error says what is wrong with the record, to whoever has sent it. nil
	// answers those requests 501.
	NewAccount func(ctx context.Context, id string, record json.RawMessage) (connector.Account, error)

	// ReplaceAccount puts the account of such a record in the place of the one
	// of this id, for PUT /accounts/{id}, and reports whether there was one. It
	// is for hosts whose links cannot be made while their former ones are there,
	// such as those that listen for the same token. nil: one is made by
	// NewAccount before the former one is removed.
	ReplaceAccount func(ctx context.Context, id string, record json.RawMessage) (replaced bool, err error)

	// AccountTemplates are records to begin with for whoever adds an account by
	// the page.
	AccountTemplates []AccountTemplate

	// PluginName names the plugin of an account, as the host's configuration
	// does; nil gives the name of its Go type.
	PluginName func(a connector.Account) string

	// Metrics serves GET /metrics; nil answers 501. With package telemetry it is
	// promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), where what
	// telemetry.NewCollector gives is registered with registry.
	Metrics http.Handler

	// MaxBody is the size of the largest body that is read, in bytes. 0 means
	// 1 MiB. It has ten seconds to come; how long heads may take, and be, the
	// http.Server says.
	MaxBody int64

	// MaxStreams is how many event streams there may be at once, of which a page
	// that somebody looks at has two. 0 means 16.
	MaxStreams int
}

// What the zeros of Options mean.
const (
	DefaultMaxBody    = 1 << 20
	DefaultMaxStreams = 16
)

// Handler serves the API and the page. It is safe for concurrent use.
type Handler struct {
	o       Options
	c       *connector.Connector
	guard   *guard
	mux     *http.ServeMux
	table   map[string]endpoint // by pattern of mux
	changes chan struct{}       // has a place for whoever changes accounts
	streams chan struct{}       // has a place for each event stream
	closing context.Context     // ends with Close
	close   func()
}

// New makes a Handler, or says everything that is wrong with o.
func New(o Options) (*Handler, error) {
	var faults []error
	fault := faultsOf(&faults)
	if o.Connector == nil {
		fault("Connector", "is nil: give the connector that is operated")
	}
	if o.MaxBody < 0 {
		fault("MaxBody", "is %d: it must be 0 (meaning %d) or more", o.MaxBody, DefaultMaxBody)
	}
	if o.MaxStreams < 0 {
		fault("MaxStreams", "is %d: it must be 0 (meaning %d) or more", o.MaxStreams, DefaultMaxStreams)
	}
	o.MaxBody = cmp.Or(o.MaxBody, DefaultMaxBody)
	o.MaxStreams = cmp.Or(o.MaxStreams, DefaultMaxStreams)
	g := newGuard(&o, fault)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	closing, closeStreams := context.WithCancel(context.Background())
	h := &Handler{
		o: o, c: o.Connector, guard: g, mux: http.NewServeMux(), table: make(map[string]endpoint),
		changes: make(chan struct{}, 1), streams: make(chan struct{}, o.MaxStreams),
		closing: closing, close: closeStreams,
	}
	for _, e := range h.endpoints() {
		pattern := e.method + " " + e.path
		h.table[pattern] = e
		h.mux.Handle(pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, e) }))
	}
	return h, nil
}

// Close ends the event streams, which last as long as their clients like
// otherwise: give it to http.Server.RegisterOnShutdown. Everything else is
// served as before.
func (h *Handler) Close() { h.close() }

// endpoint is a method of a path, and who may use it.
type endpoint struct {
	method, path string // path is a pattern of http.ServeMux
	need         role
	// answer gives what is sent as JSON: nothing (204), a value (200), or a
	// created one (201).
	answer func(r *http.Request) (any, error)
	// raw serves what is not a JSON value; it is used if answer is nil.
	raw func(w http.ResponseWriter, r *http.Request) error
}

// created is an answer that is sent with the status 201.
type created struct{ body any }

func (h *Handler) endpoints() []endpoint {
	return []endpoint{
		// Those of the reference.
		{"GET", "/status", reader, h.status, nil},
		{"GET", "/routing", reader, h.routing, nil},
		{"GET", "/accounts", reader, h.accounts, nil},
		{"GET", "/accounts/{id}", reader, h.account, nil},
		{"POST", "/accounts/{id}", operator, h.instruct, nil},
		{"POST", "/addAccount", operator, h.addAccount, nil},
		{"GET", "/balance", reader, h.balances, nil},
		{"POST", "/balance", operator, h.adjustBalance, nil},
		{"GET", "/rates", reader, h.rates, nil},
		{"POST", "/rates/{currency}/confirm", operator, h.confirmRate, nil},
		{"GET", "/stats", reader, h.stats, nil},
		{"GET", "/alerts", reader, h.alerts, nil},
		{"DELETE", "/alerts/{id}", operator, h.dismissAlert, nil},
		{"GET", "/metrics", reader, nil, h.metrics},

		{"PUT", "/accounts/{id}", operator, h.putAccount, nil},
		{"DELETE", "/accounts/{id}", operator, h.removeAccount, nil},
		{"POST", "/accounts/{id}/pause", operator, h.pauseAccount, nil},
		{"POST", "/accounts/{id}/resume", operator, h.resumeAccount, nil},
		{"GET", "/settlements", reader, h.settlements, nil},
		{"POST", "/settlements", operator, h.settle, nil},
		{"GET", "/routes", reader, h.routes, nil},
		{"GET", "/routes/static", reader, h.staticRoutes, nil},
		{"PUT", "/routes/static", operator, h.setStaticRoutes, nil},
		{"PUT", "/routes/static/{prefix}", operator, h.putStaticRoute, nil},
		{"DELETE", "/routes/static/{prefix}", operator, h.removeStaticRoute, nil},
		{"GET", "/explain", reader, h.explain, nil},
		{"POST", "/ping", operator, h.ping, nil},
		{"POST", "/trace", operator, h.trace, nil},
		{"POST", "/send", operator, h.send, nil},
		{"GET", "/packets", reader, h.packets, nil},
		{"GET", "/packets/live", reader, nil, h.livePackets},
		{"GET", "/events", reader, nil, h.events},
		{"GET", "/session", reader, h.session, nil},

		// What has no secrets in it.
		{"GET", "/healthz", anyone, h.health, nil},
		{"GET", "/openapi.json", anyone, nil, h.openAPI},
		{"GET", "/{$}", anyone, nil, h.index},
		{"GET", "/page/{file}", anyone, nil, h.pageFile},
	}
}

// ServeHTTP answers a request of the API or of the page.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	beginBody(w, r)
	found, pattern := h.mux.Handler(r)
	e, known := h.table[pattern]
	if !known { // there is no such path, or no such method of it: for the eyes of readers alone
		e.need = reader
	}
	err := h.guard.admit(r, e.need)
	switch {
	case err != nil:
		beginAnswer(w)
		writeProblem(w, err)
	case known:
		h.mux.ServeHTTP(w, r)
	default:
		beginAnswer(w)
		h.notFound(w, r, found)
	}
}

// secure sets what keeps browsers from doing what the page does not need.
func secure(header http.Header) {
	header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
		"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// serve answers a request that was admitted.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, e endpoint) {
	r.Body = http.MaxBytesReader(w, r.Body, h.o.MaxBody)
	var err error
	if e.answer == nil {
		beginAnswer(w)
		err = e.raw(w, r)
	} else {
		var body any
		body, err = e.answer(r)
		beginAnswer(w) // what was asked for may have taken long
		if err == nil {
			err = writeAnswer(w, body)
		}
	}
	if err != nil {
		writeProblem(w, err)
	}
	if e.need == operator {
		logChange(h.c.Logger(), r, err)
	}
}

func writeAnswer(w http.ResponseWriter, body any) error {
	status := http.StatusOK
	switch b := body.(type) {
	case nil:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case created:
		status, body = http.StatusCreated, b.body
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("admin: the answer is no JSON: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // whoever has asked is gone, if that fails
	return nil
}

// notFound answers what the mux has no endpoint for. found is its own answer:
// it knows whether the path has other methods.
func (h *Handler) notFound(w http.ResponseWriter, r *http.Request, found http.Handler) {
	probe := statusWriter{header: make(http.Header)}
	found.ServeHTTP(&probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		allowed := probe.header.Get("Allow")
		w.Header().Set("Allow", allowed)
		writeProblem(w, problemf(http.StatusMethodNotAllowed, "%s is no method of %s: it has %s", r.Method, r.URL.Path, allowed))
		return
	}
	writeProblem(w, problemf(http.StatusNotFound, "there is nothing at %s: /openapi.json tells what there is", r.URL.Path))
}

// statusWriter keeps the status and the headers of an answer alone.
type statusWriter struct {
	header http.Header
	status int
}

func (w *statusWriter) Header() http.Header         { return w.header }
func (w *statusWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *statusWriter) WriteHeader(status int)      { w.status = status }

// Health says whether the connector runs.
type Health struct {
	// Status is "ok", or "stopped" with the HTTP status 503.
	Status string `json:"status"`
}

func (h *Handler) health(*http.Request) (any, error) {
	if !h.c.Running() {
		return nil, problemf(http.StatusServiceUnavailable, "the connector does not run")
	}
	return Health{Status: "ok"}, nil
}

// Session says what whoever asks may do, and look at.
type Session struct {
	// Role is "read", or "operate" for who may do everything.
	Role string `json:"role"`
	// PacketLog says whether the connector keeps one: see GET /packets.
	PacketLog bool `json:"packetLog"`
	// AddAccounts says whether whoever asks may add accounts here, and Templates
	// are records to begin with then.
	AddAccounts bool              `json:"addAccounts"`
	Templates   []AccountTemplate `json:"templates,omitempty"`
}

// AccountTemplate is the record of an account that is to be filled in.
type AccountTemplate struct {
	Name   string          `json:"name"`
	Record json.RawMessage `json:"record"`
}

func (h *Handler) session(r *http.Request) (any, error) {
	granted, err := h.guard.role(r)
	if err != nil {
		return nil, err
	}
	answer := Session{Role: "read", PacketLog: h.c.PacketLog() != nil}
	if granted == operator {
		answer.Role = "operate"
		if answer.AddAccounts = h.o.NewAccount != nil; answer.AddAccounts {
			answer.Templates = h.o.AccountTemplates
		}
	}
	return answer, nil
}

func (h *Handler) metrics(w http.ResponseWriter, r *http.Request) error {
	if h.o.Metrics == nil {
		return problemf(http.StatusNotImplemented, "the host serves no metrics here: it must set Options.Metrics")
	}
	h.o.Metrics.ServeHTTP(w, r)
	return nil
}

// timeout bounds what a request may wait for.
func timeout(r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(r.Context(), d, fmt.Errorf("no answer within %v: %w", d, context.DeadlineExceeded))
}
