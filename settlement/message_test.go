package settlement_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/settlement"
)

// packetVectors are the packets of messages between engines.
type packetVectors struct {
	Prepare, Fulfill, Reject struct {
		Hex    string
		Fields struct{ ExpiresAt, Data string }
	}
	RFCCondition      string `json:"rfc_text_condition"`
	DeployedCondition string `json:"deployed_condition"`
}

func readPacketVectors(t *testing.T) packetVectors {
	t.Helper()
	text, err := os.ReadFile("testdata/settlement.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Packets packetVectors `json:"peer_settle_packets"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v.Packets
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}

func (f *fixture) message(data string) (status int, reply string, header http.Header) {
	return f.does(report{path: "/accounts/bob/messages", contentType: "application/octet-stream", body: data})
}

// SE-40, SE-41: what an engine says to the other one, byte for byte.
func TestMessageToThePeer(t *testing.T) {
	v := readPacketVectors(t)
	f := join(t, newEngine(t, answers(201)))
	var sent ilp.Prepare
	err := f.peer.Handle(func(_ context.Context, p *ilp.Prepare) ilp.Reply {
		sent = *p
		return &ilp.Fulfill{Data: []byte("ok")}
	})
	if err != nil {
		t.Fatal(err)
	}
	data := unhex(t, v.Prepare.Fields.Data)
	status, reply, header := f.message(string(data))
	if status != 201 || reply != "ok" || header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d %q %v", status, reply, header)
	}
	if left := time.Until(sent.ExpiresAt); left < time.Second || left > settlement.DefaultTimeout {
		t.Errorf("the message expires in %v", left)
	}
	if sent.ExpiresAt, err = time.Parse(time.RFC3339, v.Prepare.Fields.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	if got, err := sent.AppendBinary(nil); err != nil || !bytes.Equal(got, unhex(t, v.Prepare.Hex)) {
		t.Errorf("the packet is %x, %v, want %s", got, err, v.Prepare.Hex)
	}
}

// peerMessage decodes the message of the vectors, not expired.
func peerMessage(t *testing.T) ilp.Prepare {
	t.Helper()
	var p ilp.Prepare
	if err := p.Decode(unhex(t, readPacketVectors(t).Prepare.Hex)); err != nil {
		t.Fatal(err)
	}
	p.ExpiresAt = time.Now().Add(time.Minute)
	return p
}

// SE-23, SE-40: what the other engine says to ours, and the packet that its
// reply goes back in. The connector never sees it (SE-42).
func TestMessageOfThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := readPacketVectors(t)
		engine := answers(201)
		f := join(t, newEngine(t, engine))
		synctest.Wait()
		engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "ok")
		})
		p := peerMessage(t)
		fulfill, err := f.peer.Send(t.Context(), &p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := fulfill.AppendBinary(nil); err != nil || !bytes.Equal(got, unhex(t, v.Fulfill.Hex)) {
			t.Errorf("the fulfill is %x, %v, want %s", got, err, v.Fulfill.Hex)
		}
		got := engine.at("/messages")
		want := asked{"POST", "/accounts/bob/messages", "", "application/octet-stream", "", string(unhex(t, v.Prepare.Fields.Data))}
		if len(got) != 1 || got[0] != want {
			t.Errorf("the engine was asked %+v, want %+v", got, want)
		}
		if n := len(f.connector.Prepares()); n != 0 {
			t.Errorf("the connector saw %d packets", n)
		}
	})
}

// SE-43: the engine's status decides the code.
func TestMessageOfThePeerFails(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   ilp.Code
	}{
		{400, "secret", ilp.F00BadRequest}, {401, "", ilp.F00BadRequest}, {404, "", ilp.F00BadRequest}, {409, "", ilp.F00BadRequest}, {499, "", ilp.F00BadRequest},
		{500, "secret", ilp.T00InternalError}, {502, "", ilp.T00InternalError}, {503, "", ilp.T00InternalError}, {599, "", ilp.T00InternalError},
		{301, "", ilp.T00InternalError}, {307, "", ilp.T00InternalError}, {304, "", ilp.T00InternalError},
		{201, strings.Repeat("x", ilp.MaxDataLength+1), ilp.T00InternalError},
		{aborted, "", ilp.T00InternalError},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := answers(201)
				f := join(t, newEngine(t, engine))
				synctest.Wait()
				engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) {
					if test.status == aborted {
						panic(http.ErrAbortHandler)
					}
					w.Header().Set("Location", "http://engine/api/elsewhere")
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body)
				})
				p := peerMessage(t)
				_, err := f.peer.Send(t.Context(), &p)
				reject, ok := errors.AsType[*ilp.Reject](err)
				if !ok || reject.Code != test.want || reject.TriggeredBy.String() != "peer.settle" || reject.Cause != nil || strings.Contains(reject.Message, "secret") {
					t.Fatalf("got %v, want %s by peer.settle, and no word of the engine's", err, test.want)
				}
				if test.status == 400 {
					if got, err := reject.AppendBinary(nil); err != nil || !bytes.Equal(got, unhex(t, readPacketVectors(t).Reject.Hex)) {
						t.Errorf("the reject is %x, %v", got, err)
					}
				}
			})
		})
	}
}

func TestLongestMessages(t *testing.T) {
	engine := answers(201)
	f := join(t, newEngine(t, engine))
	longest := strings.Repeat("x", ilp.MaxDataLength)
	engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, longest)
	})
	p := peerMessage(t)
	p.Data = []byte(longest)
	if fulfill, err := f.peer.Send(t.Context(), &p); err != nil || string(fulfill.Data) != longest {
		t.Errorf("of the peer: %v", err)
	}
	if err := f.peer.Handle(func(_ context.Context, p *ilp.Prepare) ilp.Reply { return &ilp.Fulfill{Data: p.Data} }); err != nil {
		t.Fatal(err)
	}
	if status, reply, _ := f.message(longest); status != 201 || reply != longest {
		t.Errorf("to the peer: %d", status)
	}
	if status, _, _ := f.message(longest + "x"); status != 413 {
		t.Errorf("a longer one: %d, want 413", status)
	}
	if status, _, _ := f.message(""); status != 201 {
		t.Errorf("an empty one: %d, want 201", status)
	}
}

// Packets that only look like messages, or that are not ours to answer.
func TestPacketsThatAreNoMessages(t *testing.T) {
	v := readPacketVectors(t)
	engine := answers(201)
	f := join(t, newEngine(t, engine))
	f.connector.Answer = func(*ilp.Prepare) ilp.Reply { return ilp.Rejectf(ilp.F02Unreachable, "the connector's") }
	for name, test := range map[string]struct {
		change    func(*ilp.Prepare)
		want      ilp.Code
		connector bool
	}{
		"an amount":           {func(p *ilp.Prepare) { p.Amount = 1 }, ilp.F00BadRequest, false},
		"another condition":   {func(p *ilp.Prepare) { p.Condition[0]++ }, ilp.F01InvalidPacket, false},
		"the RFC's condition": {func(p *ilp.Prepare) { p.Condition = ilp.Condition(unhex(t, v.RFCCondition)) }, ilp.F01InvalidPacket, false},
		"below peer.settle":   {func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.settle.x") }, ilp.F02Unreachable, true},
		"peer.settlement":     {func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.settlement") }, ilp.F02Unreachable, true},
		"peer.Settle":         {func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.Settle") }, ilp.F02Unreachable, true},
		"peer.config":         {func(p *ilp.Prepare) { p.Destination = ilp.MustParseAddress("peer.config") }, ilp.F02Unreachable, true},
	} {
		seen := len(f.connector.Prepares())
		p := peerMessage(t)
		test.change(&p)
		_, err := f.peer.Send(t.Context(), &p)
		reject, ok := errors.AsType[*ilp.Reject](err)
		if !ok || reject.Code != test.want || (len(f.connector.Prepares()) > seen) != test.connector {
			t.Errorf("%s: %v, want %s of the connector: %t", name, err, test.want, test.connector)
		}
	}
	if n := len(engine.at("/messages")); n != 0 {
		t.Errorf("the engine got %d messages", n)
	}
	if got := ilp.PeerCondition.String(); got != v.DeployedCondition {
		t.Errorf("the condition of peers is %s", got)
	}
}

// One counterparty's messages keep nobody else waiting, and no more of them
// are under way than there is room for.
func TestTooManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := answers(201)
		f := join(t, newEngine(t, engine, func(o *settlement.Options) { o.MaxMessages = 3 }))
		synctest.Wait()
		release := make(chan struct{})
		engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) { <-release; w.WriteHeader(201) })
		var sent sync.WaitGroup
		for range 3 {
			sent.Go(func() {
				p := peerMessage(t)
				if _, err := f.peer.Send(t.Context(), &p); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		p := peerMessage(t)
		_, err := f.peer.Send(t.Context(), &p)
		if reject, ok := errors.AsType[*ilp.Reject](err); !ok || reject.Code != ilp.T03ConnectorBusy {
			t.Errorf("the fourth: %v, want T03", err)
		}
		close(release)
		sent.Wait()
		if _, err := f.peer.Send(t.Context(), &p); err != nil {
			t.Errorf("once there is room: %v", err)
		}
	})
}

// A counterparty cannot keep the engine busy with messages: as many as are let
// in reach it in a second, whatever they are, and the others are T05, which
// slows the link down that they come by (not T03, which speaks of the engine).
func TestMessageRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := answers(201)
		f := join(t, newEngine(t, engine, func(o *settlement.Options) { o.MaxMessageRate = 4 }))
		send := func(taken, times int, change func(*ilp.Prepare)) {
			t.Helper()
			for i := range times {
				p := peerMessage(t)
				change(&p)
				_, err := f.peer.Send(t.Context(), &p)
				reject, _ := errors.AsType[*ilp.Reject](err)
				if limited := reject != nil && reject.Code == ilp.T05RateLimited; limited != (i >= taken) {
					t.Errorf("message %d of %d: %v", i+1, times, err)
				}
			}
		}
		good := func(*ilp.Prepare) {}
		send(4, 6, good)
		time.Sleep(250 * time.Millisecond)
		send(1, 2, good)
		time.Sleep(time.Hour)
		send(4, 6, func(p *ilp.Prepare) { p.Condition[0]++ })
		time.Sleep(time.Second)
		send(4, 5, good)
		if n := len(engine.at("/messages")); n != 9 {
			t.Errorf("the engine was asked %d times, want 9", n)
		}
	})
}

// A message that the engine does not answer ends with its packet, or with the
// account.
func TestMessageWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := answers(201)
		e := newEngine(t, engine)
		_, end := inproc.Pipe()
		peer := &direct{Plugin: end}
		account, err := e.Account(peer, settlement.AccountOptions{ID: "bob", Asset: usd})
		if err != nil {
			t.Fatal(err)
		}
		if err := account.Open(t.Context(), bookkeeper{&books{}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		engine.answers(func(_ asked, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		p := peerMessage(t)
		begin := time.Now()
		p.ExpiresAt = begin.Add(5 * time.Second)
		if reply := peer.send(&p); time.Since(begin) != 5*time.Second || !isReject(reply, ilp.T00InternalError) {
			t.Errorf("after %v: %v, want T00 when the packet expires", time.Since(begin), reply)
		}
		p.ExpiresAt = time.Now().Add(time.Hour)
		begin = time.Now()
		if reply := peer.send(&p); time.Since(begin) != settlement.DefaultTimeout || !isReject(reply, ilp.T00InternalError) {
			t.Errorf("after %v: %v, want T00 at the timeout", time.Since(begin), reply)
		}
		begin = time.Now()
		go func() { time.Sleep(time.Second); _ = account.Close() }()
		if reply := peer.send(&p); time.Since(begin) != time.Second || !isReject(reply, ilp.T00InternalError) {
			t.Errorf("after %v: %v, want T00 when the account is closed", time.Since(begin), reply)
		}
		if reply := peer.send(&p); !isReject(reply, ilp.T00InternalError) {
			t.Errorf("once it is closed: %v, want T00", reply)
		}
	})
}

func isReject(reply ilp.Reply, code ilp.Code) bool {
	reject, ok := reply.(*ilp.Reject)
	return ok && reject.Code == code
}

// direct is a link by which a test hands packets to the handler itself, even
// when it is closed.
type direct struct {
	plugin.Plugin
	handler plugin.Handler
}

func (d *direct) Open(ctx context.Context, h plugin.Handler) error {
	d.handler = h
	return d.Plugin.Open(ctx, h)
}

func (d *direct) send(p *ilp.Prepare) ilp.Reply {
	replies := make(chan ilp.Reply, 1)
	d.handler.HandlePrepare(context.Background(), p, plugin.NewResponder(plugin.ReplyFunc(func(_ context.Context, reply ilp.Reply, _ error) {
		replies <- reply
	}), 0))
	return <-replies
}

// SE-44, SE-31: what an engine is answered when the peer does not take its
// message.
func TestMessageToThePeerFails(t *testing.T) {
	reject := func(r *ilp.Reject) plugin.HandlerFunc {
		return func(context.Context, *ilp.Prepare) ilp.Reply { return r }
	}
	for name, test := range map[string]struct {
		peer plugin.HandlerFunc // nil: it is not there
		want int
	}{
		"it rejects":                {reject(ilp.Rejectf(ilp.F00BadRequest, "no")), 502},
		"it fails for now":          {reject(ilp.Rejectf(ilp.T00InternalError, "not now")), 502},
		"it has no engine":          {reject(ilp.Rejectf(ilp.F01InvalidPacket, "unknown peer protocol.")), 502},
		"it times out":              {reject(&ilp.Reject{Code: ilp.R00TransferTimedOut, TriggeredBy: ilp.MustParseAddress("peer.settle")}), 502},
		"it fulfils something else": {func(context.Context, *ilp.Prepare) ilp.Reply { return &ilp.Fulfill{Fulfillment: ilp.Fulfillment{1}} }, 502},
		"nobody is there":           {nil, 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := join(t, newEngine(t, answers(201)))
				if test.peer != nil {
					if err := f.peer.Handle(test.peer); err != nil {
						t.Fatal(err)
					}
				}
				if status, body, _ := f.message("hello"); status != test.want || body == "" {
					t.Errorf("%d %s, want %d", status, body, test.want)
				}
			})
		})
	}
}

func TestPeerDoesNotAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*fixture)
		want time.Duration
		code int
	}{
		"until the timeout":           {func(*fixture) {}, 10 * time.Second, 504},
		"until the account is closed": {func(f *fixture) { time.Sleep(time.Second); _ = f.account.Close() }, time.Second, 502},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := join(t, newEngine(t, answers(201), func(o *settlement.Options) { o.Timeout = 10 * time.Second }))
				if err := f.peer.Open(t.Context(), silent{}); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				go test.end(f)
				if status, _, _ := f.message("hello"); status != test.code || time.Since(begin) != test.want {
					t.Errorf("%d after %v, want %d after %v", status, time.Since(begin), test.code, test.want)
				}
			})
		})
	}
}

// silent is a counterparty that answers nothing.
type silent struct{ bookkeeper }

func (silent) HandlePrepare(context.Context, *ilp.Prepare, plugin.Responder) {}

// What others bring about is logged, but not as often as they like, and no
// token is.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := join(t, newEngine(t, answers(500), func(o *settlement.Options) {
			o.BearerToken, o.MaxMessageRate = "hunter2", 1000
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		}))
		f.connector.Book = func(plugin.Money) error { return errors.New("the disk is full") }
		wrong := settled("k", `{"amount":"1","scale":9}`)
		wrong.header = http.Header{"Authorization": {"Bearer hunter3"}}
		p := peerMessage(t)
		for range 1000 {
			_, _ = f.peer.Send(t.Context(), &p) // undelivered
			f.message("hello")                  // unanswered
			f.does(settled("k", `{"amount":"1","scale":9}`))
			f.does(wrong)
		}
		synctest.Wait()
		text := log.String()
		if n := strings.Count(text, "\n"); n != 4*10 || !strings.Contains(text, "account=bob") || !strings.Contains(text, "times=512") {
			t.Errorf("%d lines, want 10 of each kind:\n%s", n, text)
		}
		for _, token := range []string{"hunter2", "hunter3", "secret"} {
			if strings.Contains(text, token) {
				t.Errorf("%q is logged", token)
			}
		}
	})
}
