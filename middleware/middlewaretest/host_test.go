package middlewaretest_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware/middlewaretest"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

func TestHostZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(middlewaretest.Host)
		if !h.Address().IsZero() {
			t.Errorf("the address is %s, want none", h.Address())
		}
		time.Sleep(time.Minute)
		if !h.Now().Equal(time.Now()) {
			t.Errorf("the time is %v, want that of time.Now", h.Now())
		}
		h.Logger().Error("discarded") // must not panic
	})
}

func TestHostSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(middlewaretest.Host)
		h.SetAddress(ilp.MustParseAddress("test.alice"))
		if h.Address().String() != "test.alice" {
			t.Errorf("the address is %s", h.Address())
		}
		start := time.Unix(1e9, 0)
		h.SetNow(start)
		time.Sleep(time.Minute)
		if !h.Now().Equal(start) {
			t.Errorf("the time is %v, want %v: it stands", h.Now(), start)
		}
		h.Advance(time.Hour)
		h.Advance(-time.Minute)
		if want := start.Add(59 * time.Minute); !h.Now().Equal(want) {
			t.Errorf("the time is %v, want %v", h.Now(), want)
		}
		h.SetNow(time.Time{})
		if !h.Now().Equal(time.Now()) {
			t.Errorf("the time is %v, want that of time.Now again", h.Now())
		}
		h.Advance(time.Second)
		if want := time.Now().Add(time.Second); !h.Now().Equal(want) {
			t.Errorf("the time is %v, want %v", h.Now(), want)
		}
		var log bytes.Buffer
		h.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
		h.Logger().Warn("heard")
		if !strings.Contains(log.String(), "heard") {
			t.Errorf("the log is %q", log.String())
		}
	})
}

func TestHostStore(t *testing.T) {
	h := new(middlewaretest.Host)
	own, err := h.Store("own")
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	b.Put("key", []byte("value"))
	if err := own.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	again, err := h.Store("own")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := again.Get(t.Context(), "key"); err != nil || string(v) != "value" {
		t.Errorf("Get = %q, %v in the store of the same name", v, err)
	}
	other, err := h.Store("other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Get(t.Context(), "key"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get = %v in the store of another name, want ErrNotFound", err)
	}
	if s, err := h.Store("no name"); err == nil {
		t.Errorf("Store = %v with a name that is none, want an error", s)
	}
	under := memstore.New()
	h.SetStore(under)
	if s, err := h.Store("own"); err != nil {
		t.Error(err)
	} else if _, err := s.Get(t.Context(), "key"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get = %v in another store", err)
	}
}

func TestHostBooks(t *testing.T) {
	h := new(middlewaretest.Host)
	a := &account.Account{ID: "alice", Balance: &account.BalanceLimits{Maximum: 10, Minimum: account.NoMinimum}}
	if b := h.Book(a); b != nil {
		t.Errorf("without a ledger the account has the book %v", b)
	}
	h.SetBooks(middlewaretest.MemoryBooks())
	b := h.Book(a)
	if err := b.Reserve(t.Context(), ledger.Incoming, 10, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Reserve(t.Context(), ledger.Incoming, 1, nil); !errors.Is(err, ledger.ErrLimit) {
		t.Errorf("Reserve beyond the limit of the account = %v, want ErrLimit", err)
	}
	if err := b.Post(t.Context(), ledger.Incoming, 10, nil); err != nil {
		t.Errorf("Post = %v, want it durable at once", err)
	}
	again := *a
	if got := h.Book(&again).State().Balance; got != 10 {
		t.Errorf("the balance of the account is %d when asked for again, want 10", got)
	}
	if got := h.Book(&account.Account{ID: "bob"}).State().Balance; got != 0 {
		t.Errorf("the balance of another account is %d, want 0", got)
	}
	if b := h.Book(&account.Account{}); b != nil {
		t.Errorf("an account without an id has the book %v", b)
	}
}
