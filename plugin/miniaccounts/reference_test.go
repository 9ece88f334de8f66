package miniaccounts_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btptest"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// The cases of the reference's suite (ilp-plugin-mini-accounts, test/), by
// their names there. Those about the port are the host's business here.

const (
	secretToken = "secret_token"
	secretHash  = "JtFByacgSQYSHbleiS0si1AMPbRAwG0-qmcV8Mv4dj8"
)

// storeWith is a store that holds these keys.
func storeWith(t testing.TB, values map[string]string) store.Store {
	t.Helper()
	s := memstore.New()
	var b store.Batch
	for key, value := range values {
		b.Put(key, []byte(value))
	}
	if err := s.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantStored checks what a store holds, all of it.
func wantStored(t testing.TB, s store.Store, want map[string]string) {
	t.Helper()
	got := make(map[string]string)
	err := s.Scan(t.Context(), "", func(key string, value []byte) error {
		got[key] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("the store has %q under %q, want %q", got[key], key, value)
		}
		delete(got, key)
	}
	for key, value := range got {
		t.Errorf("the store has %q under %q, want nothing", value, key)
	}
}

func TestReference(t *testing.T) {
	named := func(s store.Store) miniaccounts.Options {
		return miniaccounts.Options{Identity: miniaccounts.ByUsername, Store: s}
	}
	t.Run("new account: stores hashed token if account does not exist", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := storeWith(t, nil)
			n := start(t, named(s))
			n.user(t, "acc", secretToken)
			wantStored(t, s, map[string]string{"acc:hashed-token": secretHash})
		})
	})
	t.Run("new account: race", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSlowStore(memstore.New())
			n := start(t, named(s))
			first, second := n.raw(t), n.raw(t)
			first.Send(btptest.Auth(1, "acc", secretToken))
			synctest.Wait()
			second.Send(btptest.Auth(1, "acc", "2nd_secret_token"))
			// The one that comes second is refused at once; there the first is.
			if p := second.Read(); p.Type != btp.TypeError || string(p.Error.Data) != "incorrect token for account. account=acc" {
				t.Errorf("the second is answered %+v", p)
			}
			close(s.release)
			if p := first.Read(); p.Type != btp.TypeResponse {
				t.Errorf("the first is answered %+v", p)
			}
			wantStored(t, s.Store, map[string]string{"acc:hashed-token": secretHash})
		})
	})
	t.Run("existing account: fails if received token does not match stored token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, named(storeWith(t, map[string]string{"acc:hashed-token": secretHash})))
			n.refused(t, "acc", "wrong_token", btp.F00NotAcceptedError, "incorrect token for account. account=acc")
		})
	})
	t.Run("existing account: succeeds if received token matches stored token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, named(storeWith(t, map[string]string{"acc:hashed-token": secretHash})))
			n.user(t, "acc", secretToken)
		})
	})
	t.Run("existing account: migrates unhashed tokens", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := storeWith(t, map[string]string{"other_acc:token": secretToken, "acc:token": "old", "acc:hashed-token": secretHash})
			n := start(t, named(s))
			wantStored(t, s, map[string]string{"other_acc:hashed-token": secretHash, "acc:hashed-token": secretHash})
			n.user(t, "other_acc", secretToken)
			n.user(t, "acc", secretToken)
			n.refused(t, "acc", "old", btp.F00NotAcceptedError, "incorrect token for account. account=acc")
		})
	})
	t.Run("generateAccount=true: rejects a user name", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, miniaccounts.Options{})
			n.refused(t, "foobar", secretToken, btp.F00NotAcceptedError, "auth_username subprotocol is not available")
			n.user(t, "", secretToken)
			n.user(t, secretHash, secretToken)
		})
	})
	t.Run("generateAccount=false: requires a user name", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, named(memstore.New()))
			n.refused(t, "", secretToken, btp.F00NotAcceptedError, "auth_username subprotocol is required")
		})
	})
	t.Run("generateAccount=false: requires a store", func(t *testing.T) {
		if _, err := miniaccounts.NewServer(miniaccounts.Options{Identity: miniaccounts.ByUsername}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("sendData: condition and fulfillment don't match", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, miniaccounts.Options{Ledger: newLedger(t, memstore.New())}) // else it is the connector that looks
			u := n.user(t, "", secretToken)
			result := ask(n, prepareTo("test.connie.mini."+secretHash))
			_, id := u.ReadPrepare()
			u.SendILP(btp.TypeResponse, id, &ilp.Fulfill{})
			get(t, result).wantReject(t, ilp.F05WrongCondition, "fulfillment did not match expected value.")
		})
	})
	t.Run("sendData: packet expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := start(t, miniaccounts.Options{HandoverWindow: -1})
			u := n.user(t, "", secretToken)
			p := prepareTo("test.connie.mini." + secretHash)
			p.ExpiresAt = time.Now().Add(50 * time.Millisecond)
			begin := time.Now()
			result := ask(n, p)
			u.ReadPrepare()
			get(t, result).wantReject(t, ilp.R00TransferTimedOut, "Packet expired")
			if d := time.Since(begin); d != 50*time.Millisecond {
				t.Errorf("answered after %v", d)
			}
		})
	})
	t.Run("server: GET / is answered 426", func(t *testing.T) {
		w := httptest.NewRecorder()
		newServer(t, miniaccounts.Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusUpgradeRequired {
			t.Errorf("the status is %d", w.Code)
		}
	})
}
