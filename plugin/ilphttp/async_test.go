package ilphttp_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// script is a counterparty that answers requests as a test tells it.
type script struct {
	mu       sync.Mutex
	requests []taken
	answer   func(n int, w http.ResponseWriter, r *http.Request) // n counts from 1
}

type taken struct {
	header http.Header
	path   string
	body   []byte
	at     time.Time
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, taken{r.Header, r.URL.Path, body, time.Now()})
	n := len(s.requests)
	s.mu.Unlock()
	s.answer(n, w, r)
}

func (s *script) all() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// asyncPair is an account of a server, and the script that it sends to.
type asyncPair struct {
	srv  *ilphttp.Server
	link *ilphttp.Peer
	far  *script
}

func newAsyncPair(t *testing.T, h plugin.Handler, change func(o *ilphttp.AccountOptions)) (p asyncPair, stop func()) {
	t.Helper()
	p.far = &script{answer: func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }}
	l, stopFar := servePipes(p.far)
	o := tokens(token)
	o.Outgoing = ilphttp.ClientOptions{
		URL: "http://far/ilp", Token: "ours", NetDial: l.Dial,
		Async: true, CallbackURL: "http://us/ilp", Limits: ilphttp.Limits{LateWindow: 2 * time.Second},
	}
	if change != nil {
		change(&o)
	}
	p.srv = ilphttp.NewServer(ilphttp.ServerOptions{})
	p.link = account(t, p.srv, o, h)
	return p, func() {
		p.link.Close()
		stopFar()
	}
}

// callback brings a reply to a packet of ours, and gives the status.
func (p asyncPair) callback(t *testing.T, id string, body []byte) int {
	t.Helper()
	r := request(t, newPrepare())
	setBody(r, body, int64(len(body)))
	r.Header.Set("Request-Id", id)
	return serve(p.srv, r).StatusCode
}

// HTTP-02 to HTTP-08, HTTP-11, for packets to the counterparty.
func TestAsyncOutgoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := newAsyncPair(t, fulfiller, nil)
		defer stop()
		prepare := newPrepare()
		answered := send(p.link, prepare)
		synctest.Wait()
		sent := p.far.all()[0]
		uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
		id := sent.header.Get("Request-Id")
		if !uuid.MatchString(id) || sent.header.Get("Callback-Url") != "http://us/ilp" || sent.header.Get("Authorization") != "Bearer ours" ||
			sent.header.Get("Content-Type") != "application/octet-stream" || sent.header.Get("Accept") != "application/octet-stream" ||
			!bytes.Equal(sent.body, encode(t, prepare)) {
			t.Errorf("the request is %+v", sent)
		}
		if len(answered) > 0 {
			t.Fatal("the packet is answered before its reply has come")
		}
		reject := ilp.Rejectf(ilp.F00BadRequest, "another reply")
		for _, test := range []struct {
			name, id string
			body     []byte
			want     int
		}{
			{"a reply to another request", ilphttp.NewRequestID(), encode(t, fulfill), 400},
			{"half a reply", id, encode(t, fulfill)[:10], 400},
			{"the reply", id, encode(t, fulfill), 200},
			{"the reply again", id, encode(t, fulfill), 400},
			{"another reply", id, encode(t, reject), 400},
		} {
			if got := p.callback(t, test.id, test.body); got != test.want {
				t.Errorf("%s: status %d, want %d", test.name, got, test.want)
			}
		}
		if a := <-answered; !a.fulfilled() {
			t.Errorf("the answer is %v, %v; want the fulfill", a.reply, a.err)
		}
		synctest.Wait()
		if s := p.link.Stats(); len(answered) > 0 || s.Unexpected != 3 || s.Outstanding != 0 {
			t.Errorf("%d more answers; the counts are %+v, want three unexpected replies", len(answered), s)
		}
	})
}

// The reply of an account is that account's to give.
func TestAsyncReplyOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := newAsyncPair(t, fulfiller, nil)
		defer stop()
		account(t, p.srv, tokens("eve"), fulfiller)
		answered := send(p.link, newPrepare())
		synctest.Wait()
		r := request(t, newPrepare())
		body := encode(t, fulfill)
		setBody(r, body, int64(len(body)))
		r.Header.Set("Request-Id", p.far.all()[0].header.Get("Request-Id"))
		r.Header.Set("Authorization", "Bearer eve")
		if got := serve(p.srv, r).StatusCode; got != 400 || len(answered) > 0 {
			t.Errorf("status %d, want 400, and no answer", got)
		}
	})
}

// HTTP-22, and what else may come instead of a 202.
func TestAsyncOutgoingWithout202(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter)
		reply  bool // comes to the server all the same
		check  func(a answer) bool
	}{
		"200 with the reply":    {func(w http.ResponseWriter) { b, _ := fulfill.AppendBinary(nil); _, _ = w.Write(b) }, false, answer.fulfilled},
		"400":                   {func(w http.ResponseWriter) { w.WriteHeader(400) }, false, func(a answer) bool { return a.code() == "F00" }},
		"503":                   {func(w http.ResponseWriter) { w.WriteHeader(503) }, false, func(a answer) bool { return a.code() == "T00" }},
		"no response":           {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, false, func(a answer) bool { return errors.Is(a.err, plugin.ErrUnknownOutcome) }},
		"no response, a reply":  {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, true, answer.fulfilled},
		"202, and never a word": {func(w http.ResponseWriter) { w.WriteHeader(202) }, false, func(a answer) bool { return errors.Is(a.err, plugin.ErrUnknownOutcome) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := newAsyncPair(t, fulfiller, nil)
				defer stop()
				p.far.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { test.answer(w) }
				answered := send(p.link, newPrepare())
				synctest.Wait()
				if test.reply {
					if got := p.callback(t, p.far.all()[0].header.Get("Request-Id"), encode(t, fulfill)); got != 200 {
						t.Errorf("the reply got status %d, want 200", got)
					}
				}
				a := <-answered
				if !test.check(a) || errors.Is(a.err, plugin.ErrNotSent) {
					t.Errorf("the answer is %v, %v", a.reply, a.err)
				}
			})
		})
	}
}

// asyncRequest is a request for an asynchronous reply.
func asyncRequest(t *testing.T, id string) *http.Request {
	r := request(t, newPrepare())
	r.Header.Set("Request-Id", id)
	r.Header.Set("Callback-Url", "http://far/replies")
	return r
}

// HTTP-05 and HTTP-06, for packets from the counterparty; a request that is
// sent again is one packet.
func TestAsyncIncoming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newSilent()
		p, stop := newAsyncPair(t, h, nil)
		defer stop()
		for range 3 {
			if got := serve(p.srv, asyncRequest(t, "first")).StatusCode; got != 202 {
				t.Errorf("status %d, want 202", got)
			}
		}
		r := <-h.got
		if len(h.got) > 0 {
			t.Fatalf("the packet was taken %d times", 1+len(h.got))
		}
		if got := p.link.Stats().Unanswered; got != 1 {
			t.Errorf("%d packets are unanswered, want 1", got)
		}
		for range 2 {
			r.Reply(t.Context(), fulfill)
		}
		synctest.Wait()
		all := p.far.all()
		if len(all) != 1 || all[0].path != "/replies" || all[0].header.Get("Request-Id") != "first" || all[0].header.Get("Authorization") != "Bearer ours" ||
			all[0].header.Get("Content-Type") != "application/octet-stream" || !bytes.Equal(all[0].body, encode(t, fulfill)) {
			t.Errorf("%d replies were delivered: %+v", len(all), all)
		}
		if got := serve(p.srv, asyncRequest(t, "first")).StatusCode; got != 202 || len(h.got) > 0 {
			t.Errorf("sent again after its reply: status %d, and %d packets; want 202, and none", got, len(h.got))
		}
		if got := p.link.Stats().Unanswered; got != 0 {
			t.Errorf("%d packets are unanswered, want none", got)
		}
	})
}

// HTTP-09, HTTP-10: a reply is delivered again after 5xx or no response, and
// never after anything else.
func TestAsyncReplyIsRetried(t *testing.T) {
	for name, test := range map[string]struct {
		answers   []int // 0: the connection breaks
		delivered bool
	}{
		"at once":    {[]int{200}, true},
		"202":        {[]int{202}, true},
		"later":      {[]int{503, 0, 500, 200}, true},
		"400":        {[]int{400}, false},
		"later, 400": {[]int{502, 400}, false},
		"moved":      {[]int{301}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := newAsyncPair(t, fulfiller, nil)
				defer stop()
				p.far.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
					status := test.answers[min(n, len(test.answers))-1]
					if status == 0 {
						panic(http.ErrAbortHandler)
					}
					w.Header().Set("Location", "http://elsewhere/")
					w.WriteHeader(status)
				}
				if got := serve(p.srv, asyncRequest(t, "1")).StatusCode; got != 202 {
					t.Fatalf("status %d, want 202", got)
				}
				time.Sleep(time.Minute)
				if got := len(p.far.all()); got != len(test.answers) {
					t.Errorf("%d attempts were made, want %d", got, len(test.answers))
				}
				if s := p.link.Stats(); (s.Undelivered == 0) != test.delivered || s.Unanswered != 0 {
					t.Errorf("the counts are %+v; delivered should be %t", s, test.delivered)
				}
			})
		})
	}
}

// A reply that nobody takes is given up when it is of no more use, after
// several attempts.
func TestAsyncReplyIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newSilent()
		p, stop := newAsyncPair(t, h, nil)
		defer stop()
		p.far.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
		start := time.Now()
		serve(p.srv, asyncRequest(t, "1"))
		(<-h.got).Reply(t.Context(), fulfill)
		for p.link.Stats().Unanswered > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		life := 30*time.Second + ilphttp.DefaultLateWindow // of the server
		if took := time.Since(start); took < life-time.Second || took > life+time.Second {
			t.Errorf("it was given up after %v, want %v", took, life)
		}
		if n := len(p.far.all()); n < 10 {
			t.Errorf("%d attempts were made, want several", n)
		}
	})
}

// A packet that its handler never answers does not count for ever.
func TestAsyncNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newSilent()
		p, stop := newAsyncPair(t, h, nil)
		defer stop()
		serve(p.srv, asyncRequest(t, "1"))
		time.Sleep(time.Minute)
		(<-h.got).Reply(t.Context(), fulfill)
		synctest.Wait()
		if s := p.link.Stats(); s.Unanswered != 0 || s.Abandoned != 1 || len(p.far.all()) != 0 {
			t.Errorf("the counts are %+v, and %d replies were sent; want one abandoned packet, and none", s, len(p.far.all()))
		}
	})
}

// Close ends the delivery of replies.
func TestAsyncClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := newAsyncPair(t, fulfiller, nil)
		p.far.answer = func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
		serve(p.srv, asyncRequest(t, "1"))
		time.Sleep(time.Second)
		stop()
		n := len(p.far.all())
		time.Sleep(time.Minute)
		if got := len(p.far.all()); got != n || p.link.Stats().Unanswered != 0 {
			t.Errorf("%d attempts were made after Close", got-n)
		}
	})
}

// Replies go to the host of the outgoing URL, and to that of ReplyURL.
func TestCallbackURL(t *testing.T) {
	for url, want := range map[string]int{
		"http://far/x": 202, "http://far:80/x": 202, "http://agreed:8080/other": 202,
		"https://far/x": 403, "http://far:81/x": 403, "http://agreed/": 403, "http://127.0.0.1/": 403, "http://far.eve/": 403,
		"ftp://far/": 400, "//far/": 400, "far": 400, "http://user@far/": 400,
		"http://far/x?a HTTP/1.1": 400, "http://far/x y": 202, // the latter is encoded
	} {
		t.Run(url, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newCounter()
				p, stop := newAsyncPair(t, h, func(o *ilphttp.AccountOptions) { o.ReplyURL = "http://agreed:8080/ilp" })
				defer stop()
				r := asyncRequest(t, "1")
				r.Header.Set("Callback-Url", url)
				if got := serve(p.srv, r).StatusCode; got != want || (h.prepares.Load() == 1) != (want == 202) {
					t.Errorf("status %d and %d packets, want %d", got, h.prepares.Load(), want)
				}
			})
		})
	}
}

// HTTP-04: without a Callback-Url the reply goes where it was agreed on.
func TestAgreedReplyURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := newAsyncPair(t, fulfiller, func(o *ilphttp.AccountOptions) { o.ReplyURL = "http://agreed/ilp" })
		defer stop()
		r := asyncRequest(t, "1")
		r.Header.Del("Callback-Url")
		if got := serve(p.srv, r).StatusCode; got != 202 {
			t.Errorf("status %d, want 202", got)
		}
		synctest.Wait()
		if all := p.far.all(); len(all) != 1 || all[0].path != "/ilp" {
			t.Errorf("the replies are %+v, want one", all)
		}
	})
}

// Past the bound of the account, a packet with an asynchronous reply is
// refused, may be sent again, and is taken then.
func TestAsyncInFlightBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newSilent()
		p, stop := newAsyncPair(t, h, nil)
		defer stop()
		l, stopFar := servePipes(p.far)
		defer stopFar()
		srv := ilphttp.NewServer(ilphttp.ServerOptions{Limits: ilphttp.Limits{MaxInFlight: 1}})
		o := tokens(token)
		o.Outgoing = ilphttp.ClientOptions{URL: "http://far/ilp", NetDial: l.Dial}
		defer account(t, srv, o, h).Close()
		ask := func(id string, want int) {
			t.Helper()
			if got := serve(srv, asyncRequest(t, id)).StatusCode; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		}
		ask("1", 202)
		ask("2", 429)
		(<-h.got).Reply(t.Context(), fulfill)
		synctest.Wait()
		ask("2", 202)
		if len(h.got) != 1 {
			t.Errorf("%d packets were taken, want the second", len(h.got))
		}
	})
}
