package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ledger"
)

// Balances is what GET /balance answers.
type Balances struct {
	Accounts map[string]Balance `json:"accounts"`
	// Next is where to go on, with after; empty at the end.
	Next string `json:"next,omitempty"`
}

// Balance is that of an account, with its limits; "Infinity" and "-Infinity"
// are none.
type Balance struct {
	Balance string `json:"balance"`
	Minimum string `json:"minimum"`
	Maximum string `json:"maximum"`
}

func (h *Handler) balances(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	all, next := cut(p, h.c.Accounts(), accountID)
	answer := Balances{Accounts: make(map[string]Balance, len(all)), Next: next}
	for _, s := range all {
		b := Balance{Balance: decimal(s.Book.Balance), Minimum: bound(connector.NoMinimum), Maximum: bound(connector.NoMaximum)}
		if a, ok := h.c.Account(s.ID); ok && a.Balance != nil {
			b.Minimum, b.Maximum = bound(a.Balance.Minimum), bound(a.Balance.Maximum)
		}
		answer.Accounts[s.ID] = b
	}
	return answer, nil
}

// Adjustment is what POST /balance takes.
type Adjustment struct {
	AccountID string `json:"accountId"`
	// AmountDiff is added to the balance: "-34" takes from what the
	// counterparty owes.
	AmountDiff string `json:"amountDiff"`
}

// bookTimeout is how long an entry of the books may take to be durable.
const bookTimeout = 30 * time.Second

func (h *Handler) adjustBalance(r *http.Request) (any, error) {
	var body Adjustment
	if err := readJSON(r, &body, "there is no body: it must be an accountId and an amountDiff"); err != nil {
		return nil, err
	}
	diff, err := parseDifference("amountDiff", body.AmountDiff)
	if err != nil {
		return nil, err
	}
	if _, err := h.find(body.AccountID); err != nil {
		return nil, err
	}
	ctx, cancel := timeout(r, bookTimeout)
	defer cancel()
	err = h.c.AdjustBalance(ctx, body.AccountID, diff)
	if errors.Is(err, ledger.ErrLimit) {
		limit := "maximum"
		if diff < 0 {
			limit = "minimum"
		}
		return nil, problemf(http.StatusConflict, "exceeded %s balance.", limit)
	}
	return nil, err
}

// Settlements is what GET /settlements answers.
type Settlements struct {
	Settlements []Settlement `json:"settlements"`
	// Next is where to go on, with after; empty at the end.
	Next string `json:"next,omitempty"`
}

// Settlement is one that we are making, which has no answer yet.
type Settlement struct {
	AccountID string `json:"accountId"`
	// Key names it for ever and everywhere.
	Key string `json:"key"`
	// Amount is in the unit of the account, and in its balance already.
	Amount  string    `json:"amount"`
	Created time.Time `json:"createdAt"`
	// Attempts to pay it since the process has started, and the error of the
	// last.
	Attempts  int    `json:"attempts"`
	LastError string `json:"lastError,omitempty"`
}

func settlementsOf(s *ledger.State) []Settlement {
	all := make([]Settlement, len(s.Settlements))
	for i, made := range s.Settlements {
		all[i] = Settlement{AccountID: s.Account, Key: made.Key, Amount: decimal(made.Amount), Created: made.Created.UTC(), Attempts: made.Attempts}
		if made.LastError != nil {
			all[i].LastError = made.LastError.Error()
		}
	}
	return all
}

// settlements pages by account and key, which together are the order of the
// list.
func (h *Handler) settlements(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	all := []Settlement{}
	only := r.URL.Query().Get("accountId")
	for _, s := range h.c.Accounts() {
		if only == "" || only == s.ID {
			all = append(all, settlementsOf(&s.Book)...)
		}
	}
	key := func(s Settlement) string { return s.AccountID + "\x00" + s.Key }
	slices.SortFunc(all, func(a, b Settlement) int { return strings.Compare(key(a), key(b)) })
	all, next := cut(p, all, key)
	return Settlements{Settlements: all, Next: next}, nil
}

// SettlementRequest is what POST /settlements takes.
type SettlementRequest struct {
	AccountID string `json:"accountId"`
	// Amount is in the unit of the account.
	Amount string `json:"amount"`
}

// SettlementKey is what POST /settlements answers.
type SettlementKey struct {
	// Key names the settlement, which is in the books, and is paid from now on
	// until its outcome is known.
	Key string `json:"key"`
}

func (h *Handler) settle(r *http.Request) (any, error) {
	var body SettlementRequest
	if err := readJSON(r, &body, "there is no body: it must be an accountId and an amount"); err != nil {
		return nil, err
	}
	amount, err := parseAmount("amount", body.Amount)
	if err != nil {
		return nil, err
	}
	if amount == 0 {
		return nil, problemf(http.StatusBadRequest, "amount is 0: there is nothing to settle")
	}
	if _, err := h.find(body.AccountID); err != nil {
		return nil, err
	}
	ctx, cancel := timeout(r, bookTimeout)
	defer cancel()
	key, err := h.c.Settle(ctx, body.AccountID, amount)
	switch {
	case err != nil && key != "":
		return nil, problemf(http.StatusGatewayTimeout, "settlement %s may yet be made: look for it before trying again: %v", key, err)
	case errors.Is(err, connector.ErrCannotSettle):
		return nil, problemf(http.StatusConflict, "%v", err)
	case err != nil:
		return nil, err
	}
	return created{SettlementKey{Key: key}}, nil
}
