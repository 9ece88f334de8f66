package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/settlement"
)

// SE-20, SE-22, SE-50: what the engine is asked, and with which key.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := answers(http.StatusCreated)
		f := join(t, newEngine(t, engine, func(o *settlement.Options) { o.BearerToken = "token" }))
		for range 2 { // again, with the same key
			if err := f.pay(1<<64-1, "the key"); err != nil {
				t.Fatal(err)
			}
		}
		settle := asked{"POST", "/accounts/bob/settlements", "the key", "application/json", "Bearer token", `{"amount":"18446744073709551615","scale":9}`}
		want := []asked{{"POST", "/accounts", "", "application/json", "Bearer token", `{"id":"bob"}`}, settle, settle}
		if got := engine.at(""); !slices.Equal(got, want) {
			t.Errorf("the engine was asked %+v, want %+v", got, want)
		}
		if err := f.account.SendMoney(t.Context(), plugin.Money{Amount: 1, Fraction: 1, Key: "k"}); err == nil || len(engine.at("")) != 3 {
			t.Errorf("a fraction is sent: %v", err)
		}
	})
}

// SE-04, SE-51: a 2xx is a yes; nothing else is a no, for an earlier request
// with the key may have been taken.
func TestAnswersToASettlement(t *testing.T) {
	for _, test := range []struct {
		status            int
		contentType, body string
		yes               bool
	}{
		{201, "application/json", `{"amount":"1","scale":9}`, true},
		{201, "", "", true},
		{201, "text/html", "Created", true},
		{201, "application/json", `{"amount":"0","scale":9}`, true}, // less: it owes us the rest
		{201, "", "\x00garbage", true},
		{201, "", strings.Repeat("x", 1<<20), true},
		{200, "text/plain", "EXECUTED", true},
		{202, "", "", true},
		{204, "", "", true},
		{200, "text/html; charset=utf-8", "<html>please log in", false},
		{301, "", "", false}, {302, "", "", false}, {303, "", "", false}, {307, "", "", false}, {308, "", "", false},
		{400, "", "", false}, {401, "", "", false}, {403, "", "", false}, {404, "", "", false}, {408, "", "", false},
		{409, "", "", false}, {410, "", "", false}, {413, "", "", false}, {422, "", "", false}, {429, "", "", false},
		{500, "text/html", strings.Repeat("x", 1<<20), false}, {502, "", "", false}, {503, "", "", false}, {504, "", "", false}, {999, "", "", false},
	} {
		t.Run(fmt.Sprint(test.status, " ", test.contentType), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := answers(http.StatusCreated)
				f := join(t, newEngine(t, engine))
				synctest.Wait()
				engine.answers(func(q asked, w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", "http://engine/api/elsewhere")
					w.Header().Set("Content-Type", test.contentType)
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body)
				})
				err := f.pay(1, "k")
				if (err == nil) != test.yes {
					t.Errorf("got %v, want a yes: %t", err, test.yes)
				}
				if errors.Is(err, plugin.ErrNotSent) {
					t.Errorf("%v is a definite no", err)
				}
				if err != nil && len(err.Error()) > 2000 {
					t.Errorf("the error has %d bytes", len(err.Error()))
				}
				if len(engine.at("/elsewhere")) > 0 {
					t.Error("a redirect was followed")
				}
			})
		})
	}
}

// A host that knows its engine may say what a definite no is; it is not asked
// about a yes.
func TestRefusedByTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := answers(http.StatusCreated)
		f := join(t, newEngine(t, engine, func(o *settlement.Options) {
			o.Refused = func(status int, body []byte) bool {
				if status < 300 {
					t.Errorf("asked about %d", status)
				}
				return status == 422 && string(body) == "never"
			}
		}))
		synctest.Wait()
		for _, test := range []struct {
			status    int
			body      string
			yes, gone bool
		}{{201, "never", true, false}, {422, "never", false, true}, {422, "not now", false, false}, {400, "never", false, false}} {
			engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			err := f.pay(1, "k")
			if (err == nil) != test.yes || errors.Is(err, plugin.ErrNotSent) != test.gone {
				t.Errorf("%d %s: %v", test.status, test.body, err)
			}
		}
	})
}

// An engine that never answers is given up on, by its own deadline, by that of
// the call, or when the account is closed; the outcome is unknown each time.
func TestEngineNeverAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(cancel, closeAccount func())
		want time.Duration
	}{
		"the timeout":           {func(func(), func()) {}, 20 * time.Second},
		"the call's context":    {func(cancel, _ func()) { time.Sleep(time.Second); cancel() }, time.Second},
		"the account is closed": {func(_, closeAccount func()) { time.Sleep(2 * time.Second); closeAccount() }, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := answers(http.StatusCreated)
				f := join(t, newEngine(t, engine, func(o *settlement.Options) { o.Timeout = 20 * time.Second }))
				synctest.Wait()
				engine.answers(func(_ asked, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go test.end(cancel, func() { _ = f.account.Close() })
				begin := time.Now()
				err := f.account.SendMoney(ctx, plugin.Money{Amount: 1, Key: "k"})
				if took := time.Since(begin); err == nil || errors.Is(err, plugin.ErrNotSent) || took != test.want {
					t.Errorf("after %v: %v, want an error of unknown outcome after %v", took, err, test.want)
				}
			})
		})
	}
}

// Over a real socket: an engine whose answer has a beginning and no end has
// said yes all the same.
func TestAnswerWithoutEnd(t *testing.T) {
	engine := answers(http.StatusCreated)
	server := httptest.NewServer(engine)
	defer server.Close()
	f := join(t, newEngine(t, nil, func(o *settlement.Options) { o.URL, o.Client = server.URL, nil }))
	if err := f.pay(1, "k"); err != nil {
		t.Fatal(err)
	}
	engine.answers(func(_ asked, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if err := f.pay(1, "k"); err != nil {
		t.Errorf("a 201 that is cut off: %v", err)
	}
	engine.answers(func(asked, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if err := f.pay(1, "k"); err == nil || errors.Is(err, plugin.ErrNotSent) {
		t.Errorf("no answer: %v", err)
	}
}

// The engine is told of the account until it has heard. What it is asked
// meanwhile waits for the first attempt alone: it may know the account already.
func TestAccountIsCreatedUntilItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := answers(http.StatusCreated)
		begin := time.Now()
		attempts := make(chan time.Duration, 1000)
		engine.answers(func(q asked, w http.ResponseWriter, _ *http.Request) {
			if q.path == "/accounts" {
				attempts <- time.Since(begin)
				if time.Since(begin) == 0 { // the first
					time.Sleep(3 * time.Second)
				}
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.WriteHeader(http.StatusCreated)
		})
		f := join(t, newEngine(t, engine))
		if err := f.pay(1, "k"); err != nil {
			t.Error(err)
		}
		if waited := time.Since(begin); waited != 3*time.Second {
			t.Errorf("the settlement waited %v, want until the first attempt has ended", waited)
		}
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		at := make([]time.Duration, len(attempts))
		for i := range at {
			at[i] = <-attempts
		}
		if len(at) < 24 || len(at) > 60 {
			t.Errorf("%d attempts in 6 hours", len(at))
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap < 500*time.Millisecond || gap > 15*time.Minute {
				t.Errorf("attempt %d comes %v after the one before (SE-52)", i, gap)
			}
		}
		engine.answers(answers(http.StatusCreated).answer)
		time.Sleep(15 * time.Minute)
		n := len(engine.at("/accounts"))
		time.Sleep(6 * time.Hour)
		if got := len(engine.at("/accounts")); got != n {
			t.Errorf("an account that is created is created %d times more", got-n)
		}
	})
}

func TestAccountIsThereAlready(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusConflict} {
		synctest.Test(t, func(t *testing.T) {
			engine := &scripted{answer: func(_ asked, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }}
			join(t, newEngine(t, engine))
			time.Sleep(6 * time.Hour)
			if n := len(engine.at("/accounts")); n != 1 {
				t.Errorf("%d: told %d times, want once", status, n)
			}
		})
	}
}

// An engine that has lost its memory is told of the account again; what was
// asked of it is tried again under its key.
func TestEngineForgetsTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := answers(http.StatusNotFound)
		f := join(t, newEngine(t, engine))
		synctest.Wait()
		if err := f.pay(1, "k"); err == nil || errors.Is(err, plugin.ErrNotSent) {
			t.Errorf("got %v", err)
		}
		time.Sleep(2 * time.Second)
		if n := len(engine.at("/accounts")); n != 2 {
			t.Errorf("told of the account %d times, want twice", n)
		}
	})
}

func TestCloseWhileTheEngineIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := join(t, newEngine(t, nil, func(o *settlement.Options) { o.URL = "http://nowhere" }))
		time.Sleep(time.Minute)
		begin := time.Now()
		if err := f.account.Close(); err != nil || time.Since(begin) != 0 {
			t.Errorf("Close: %v after %v", err, time.Since(begin))
		}
	})
}
