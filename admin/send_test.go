package admin_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
)

// A packet is sent with what was asked for, and all that comes back is told.
func TestSend(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		var arrived ilp.Prepare
		f.links["test.eur-ledger"].answer = func(p *ilp.Prepare) ilp.Reply {
			arrived = p.Clone()
			if p.Condition != fulfillment.Condition() {
				return &ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.eur-ledger.bob"), Message: "no such invoice", Data: []byte{7}}
			}
			return &ilp.Fulfill{Fulfillment: fulfillment, Data: []byte("thanks")}
		}
		balance := func(want string) {
			t.Helper()
			f.ask(readToken, "GET", "/accounts/test.eur-ledger", nil).want(t, 200, `{"state": {"book": {"balance": "`+want+`", "reservedOut": "0"}}}`)
		}
		const before = -94 // by the fixture
		for name, text := range map[string]string{
			"hexadecimal": hex.EncodeToString(fulfillment[:]),
			"base64url":   base64.RawURLEncoding.EncodeToString(fulfillment[:]),
			"base64":      base64.StdEncoding.EncodeToString(fulfillment[:]),
		} {
			data := base64.StdEncoding.EncodeToString([]byte(name))
			a := f.ask(fullToken, "POST", "/send", `{"destination": "test.eur-ledger.bob", "amount": "30", "fulfillment": "`+text+`", "data": "`+data+`"}`)
			a.want(t, 200, fmt.Sprintf(`{"outcome": "fulfilled", "paid": "30", "account": "test.eur-ledger", "destination": "test.eur-ledger.bob", "amount": "30",
				"condition": "%s", "fulfillment": "%x", "data": "dGhhbmtz", "expiresAt": %q}`,
				fulfillment.Condition(), fulfillment, time.Now().Add(30*time.Second).UTC().Format(time.RFC3339Nano)))
			if string(arrived.Data) != name || arrived.Amount != 30 || !arrived.ExpiresAt.Equal(time.Now().Add(29*time.Second)) {
				t.Errorf("%s: what arrives is %+v", name, arrived)
			}
		}
		balance(fmt.Sprint(before - 3*30))

		// With no condition it is one that nobody has the fulfillment of.
		a := f.ask(fullToken, "POST", "/send", `{"destination": "test.eur-ledger.bob", "amount": "30", "expiresIn": "10s"}`)
		a.want(t, 200, `{"outcome": "rejected", "paid": "0", "account": "test.eur-ledger", "reject": {"code": "F99", "name": "Application Error",
			"triggeredBy": "test.eur-ledger.bob", "message": "no such invoice", "data": "Bw=="}}`)
		first := arrived
		f.ask(fullToken, "POST", "/send", `{"destination": "test.eur-ledger.bob", "amount": "30"}`)
		if arrived.Condition == first.Condition || !first.ExpiresAt.Equal(time.Now().Add(9*time.Second)) {
			t.Errorf("what arrives is %+v, and then %+v", first, arrived)
		}
		f.ask(fullToken, "POST", "/send", `{"destination": "test.eur-ledger.bob", "amount": "0", "condition": "`+fulfillment.Condition().String()+`"}`).
			want(t, 200, `{"outcome": "fulfilled", "paid": "0"}`)
		f.ask(fullToken, "POST", "/send", `{"destination": "test.nowhere", "amount": "1"}`).
			want(t, 200, `{"outcome": "rejected", "reject": {"code": "F02", "triggeredBy": "test.connie"}}`)
		balance(fmt.Sprint(before - 3*30))
	})
}

func TestSendRefuses(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		condition := fulfillment.Condition().String()
		for _, c := range []struct{ members, says string }{
			{`"destination": "nowhere", "amount": "1"`, "destination: "},
			{`"amount": "1"`, "destination: "},
			{`"destination": "peer.config", "amount": "1"`, "the scheme peer"},
			{`"destination": "test.x"`, "amount is"},
			{`"destination": "test.x", "amount": "-1"`, "amount is"},
			{`"destination": "test.x", "amount": 1`, "the body is not what is expected"},
			{`"destination": "test.x", "amount": "1", "condition": "00"`, "condition must be 32 bytes"},
			{`"destination": "test.x", "amount": "1", "fulfillment": "geheim"`, "fulfillment must be 32 bytes"},
			{`"destination": "test.x", "amount": "1", "condition": "` + condition + `", "fulfillment": "` + condition + `"`, "both there"},
			{`"destination": "test.x", "amount": "1", "data": "?"`, "the body is not what is expected"},
			{`"destination": "test.x", "amount": "1", "data": "` + strings.Repeat("AAAA", 11000) + `"`, "data"},
			{`"destination": "test.x", "amount": "1", "expiresIn": "6m"`, "at most 5m0s"},
			{`"destination": "test.x", "amount": "1", "expiresIn": "0s"`, "more than 0"},
			{`"destination": "test.x", "amount": "1", "expiresIn": "soon"`, "expiresIn is"},
			{`"destination": "test.x", "amount": "1", "expirySeconds": 1`, "expirySeconds"},
		} {
			a := f.ask(fullToken, "POST", "/send", "{"+c.members+"}")
			a.wantProblem(t, 400, c.says)
			if strings.Contains(a.Body.String(), "geheim") {
				t.Errorf("a fulfillment is quoted: %s", a.Body)
			}
		}
		f.ask(fullToken, "POST", "/send", nil).wantProblem(t, 400, "there is no body")
		f.ask(readToken, "POST", "/send", `{"destination": "test.x", "amount": "1"}`).wantProblem(t, 403, "this token may look")
		f.ask(fullToken, "POST", "/send", `"`+strings.Repeat("x", admin.DefaultMaxBody)+`"`).wantProblem(t, 413, "too large")
	})
}

// Whoever goes away before the answer is told nothing; the answer that is made
// for it says what is known.
func TestSendThatIsNotWaitedFor(t *testing.T) {
	inReference(t, func(t *testing.T, f *fixture) {
		f.links["test.eur-ledger"].answer = func(*ilp.Prepare) ilp.Reply { return nil }
		ctx, leave := context.WithCancel(t.Context())
		answered := make(chan answer, 1)
		go func() {
			r := request("POST", "/send", fullToken, `{"destination": "test.eur-ledger.bob", "amount": "30"}`)
			w := httptest.NewRecorder()
			f.h.ServeHTTP(w, r.WithContext(ctx))
			answered <- answer{w}
		}()
		synctest.Wait()
		leave()
		a := <-answered
		a.want(t, 200, `{"outcome": "unknown", "paid": "0", "account": "test.eur-ledger"}`)
		var result admin.SendResult
		if err := json.Unmarshal(a.Body.Bytes(), &result); err != nil || !strings.Contains(result.Error, "may be fulfilled until it expires, at ") {
			t.Errorf("it says %q, %v", result.Error, err)
		}
	})
}
