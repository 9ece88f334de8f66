package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/admin"
)

// stream is an event stream that a test reads.
type stream struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	header  http.Header
	status  int
	text    strings.Builder
	flushed int
}

func (s *stream) Header() http.Header { return s.header }
func (s *stream) WriteHeader(n int)   { s.status = n }
func (s *stream) Flush()              { s.mu.Lock(); s.flushed++; s.mu.Unlock() }
func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// events gives what was sent until now.
func (s *stream) events() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for line := range strings.Lines(s.text.String()) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			all = append(all, data)
		}
	}
	if len(all) != s.flushed {
		s.t.Errorf("%d events, of which %d have left", len(all), s.flushed)
	}
	return all
}

func (f *fixture) stream(t *testing.T, path string) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{t: t, cancel: cancel, ended: make(chan struct{}), header: make(http.Header)}
	r := request("GET", path, readToken, nil).WithContext(ctx)
	go func() {
		defer close(s.ended)
		f.h.ServeHTTP(s, r)
	}()
	synctest.Wait()
	return s
}

// The first event comes at once, then one in each interval, and the stream ends
// with the request: the bubble finds a goroutine that does not.
func TestEvents(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		s := f.stream(t, "/events?interval=250ms")
		if got := s.events(); len(got) != 1 || s.header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("the events are %v with %v, want one at once", got, s.header)
		}
		f.paid()
		time.Sleep(time.Second)
		synctest.Wait()
		got := s.events()
		if len(got) != 5 {
			t.Fatalf("there are %d events after a second, want 5", len(got))
		}
		doc := document(t, f.h)
		if err := doc.check(must(doc.at("#/components/schemas/Snapshot")), parse(t, []byte(got[4])), ""); err != nil {
			t.Error(err)
		}
		var first, last admin.Snapshot
		if err := errors.Join(json.Unmarshal([]byte(got[0]), &first), json.Unmarshal([]byte(got[4]), &last)); err != nil {
			t.Fatal(err)
		}
		if first.Packets.Fulfilled+1 != last.Packets.Fulfilled || last.Time.Sub(first.Time) != time.Second || !last.Running {
			t.Errorf("the events are %+v and %+v", first, last)
		}
		if eur := last.Accounts["test.eur-ledger"]; len(last.Accounts) != 4 || eur.Balance != "-188" || eur.Outgoing.Amount != "188" || eur.Outgoing.Fulfilled != 2 {
			t.Errorf("the accounts are %+v", last.Accounts)
		}
		if usd := last.Assets[3]; usd.AssetCode != "USD" || usd.AssetScale != 4 || usd.Incoming != "200" || usd.Outgoing != "0" {
			t.Errorf("the assets are %+v", last.Assets)
		}
		s.cancel()
		<-s.ended
	})
}

func TestEventsOfSomeAccounts(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		s := f.stream(t, "/events?account=test.eur-ledger&account=nobody")
		var snapshot admin.Snapshot
		if err := json.Unmarshal([]byte(s.events()[0]), &snapshot); err != nil {
			t.Fatal(err)
		}
		if len(snapshot.Accounts) != 1 || len(snapshot.Assets) != 4 {
			t.Errorf("the event is %+v, want one account", snapshot)
		}
		s.cancel()
		<-s.ended
	})
}

// The streams are bounded, and Close ends them all, those that come later too.
func TestEventStreamsAreBounded(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		var streams []*stream
		for range admin.DefaultMaxStreams {
			streams = append(streams, f.stream(t, "/events"))
		}
		f.ask(readToken, "GET", "/events", nil).wantProblem(t, 503, "there are 16 event streams already")
		streams[0].cancel()
		<-streams[0].ended
		streams[0] = f.stream(t, "/events") // there is room again
		f.h.Close()
		f.h.Close()
		for _, s := range streams {
			<-s.ended
		}
		s := f.stream(t, "/events")
		<-s.ended
		if len(s.events()) != 1 {
			t.Error("a stream after Close has no event, or several")
		}
	})
}

// Over a real socket, as a client has it.
func TestClientWatches(t *testing.T) {
	f := newFixture(t, nil)
	server := httptest.NewServer(f.h)
	defer server.Close()
	defer f.h.Close()
	client := must(admin.NewClient(admin.ClientOptions{URL: server.URL, Token: readToken}))
	events := 0
	for s, err := range client.Watch(t.Context(), 100*time.Millisecond) {
		if err != nil || len(s.Accounts) != 4 {
			t.Fatalf("%+v, %v", s, err)
		}
		if events++; events == 3 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range client.Watch(ctx, 0, "test.usd-ledger") {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the loop ends with %v", last)
	}
	for _, err := range client.Watch(t.Context(), time.Millisecond) {
		last = err
	}
	if p, ok := errors.AsType[*admin.Problem](last); !ok || p.Status != 400 {
		t.Errorf("a wrong interval gives %v", last)
	}
}
