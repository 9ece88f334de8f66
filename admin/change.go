package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/plugin"
)

// Instructed is what POST /accounts/{id} answers.
type Instructed struct {
	Account string `json:"account"`
	Plugin  string `json:"plugin"`
	// Result is what the plugin has answered.
	Result any `json:"result"`
}

func (h *Handler) instruct(r *http.Request) (any, error) {
	a, err := h.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	var message map[string]json.RawMessage
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, problemf(http.StatusBadRequest, "no json body provided to set admin info.")
	}
	if err := json.Unmarshal(body, &message); err != nil || message == nil {
		return nil, problemf(http.StatusBadRequest, "the body must be a JSON object")
	}
	instructor, ok := plugin.As[plugin.Instructor](a.Plugin)
	if !ok {
		return nil, problemf(http.StatusNotImplemented, "plugin does not support sending admin info. account=%s", a.ID)
	}
	ctx, cancel := timeout(r, infoTimeout)
	defer cancel()
	result, err := instructor.SendAdminInfo(ctx, body)
	if err != nil {
		return nil, fmt.Errorf("the plugin of account %q: %w", a.ID, err)
	}
	return Instructed{Account: a.ID, Plugin: h.pluginName(&a), Result: result}, nil
}

// Added is what is answered when an account was added or replaced.
type Added struct {
	// Plugin is the id of the account, as in the reference.
	Plugin string `json:"plugin"`
	// Connected says whether the link is up already.
	Connected bool `json:"connected"`
	// Replaced says that there was an account of this id before.
	Replaced bool `json:"replaced"`
}

func (h *Handler) addAccount(r *http.Request) (any, error) {
	var body struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	}
	if err := readJSON(r, &body, "no json body provided to make plugin."); err != nil {
		return nil, err
	}
	done, err := h.change(r.Context())
	if err != nil {
		return nil, err
	}
	defer done()
	if _, taken := h.c.Account(body.ID); taken { // before its link is made, which may listen
		return nil, problemf(http.StatusConflict, "account %q is there already: PUT /accounts/{id} replaces it", body.ID)
	}
	a, err := h.newAccount(r.Context(), body.ID, body.Options)
	if err != nil {
		return nil, err
	}
	if err := h.add(r.Context(), a); err != nil {
		return nil, err
	}
	return Added{Plugin: a.ID, Connected: a.Plugin.Connected()}, nil
}

// add adds an account that was made for it. One that cannot be added leaves no
// link behind, whether that was opened or not.
func (h *Handler) add(ctx context.Context, a connector.Account) error {
	err := h.c.AddAccount(ctx, a)
	if err != nil {
		h.discard(a)
	}
	return err
}

// newAccount has the host make an account, and says what is wrong with it.
func (h *Handler) newAccount(ctx context.Context, id string, record json.RawMessage) (connector.Account, error) {
	none := connector.Account{}
	if h.o.NewAccount == nil {
		return none, problemf(http.StatusNotImplemented, "accounts cannot be added here: the host must set Options.NewAccount")
	}
	if !validID(id) {
		return none, problemf(http.StatusBadRequest, "invalid account.")
	}
	if len(record) == 0 {
		return none, problemf(http.StatusBadRequest, "options is missing: it must be the record of the account")
	}
	a, err := h.o.NewAccount(ctx, id, record)
	if err != nil {
		return none, problemf(http.StatusBadRequest, "account %q: %v", id, err)
	}
	if a.ID != id {
		err = fmt.Errorf("admin: Options.NewAccount has made account %q in place of %q", a.ID, id)
	} else if fault := a.Validate(); fault != nil {
		err = problemf(http.StatusBadRequest, "%v", fault)
	}
	if err != nil {
		h.discard(a)
		return none, err
	}
	return a, nil
}

// discard closes the link of an account that is not added.
func (h *Handler) discard(a connector.Account) {
	if a.Plugin == nil {
		return
	}
	if err := a.Plugin.Close(); err != nil {
		h.c.Logger().Warn("the link of an account that was not added was not closed well", slog.String("account", a.ID), slog.Any("error", err))
	}
}

// change waits until nobody else changes accounts: an account is replaced in
// two steps.
func (h *Handler) change(ctx context.Context) (done func(), err error) {
	select {
	case h.changes <- struct{}{}:
		return func() { <-h.changes }, nil
	case <-ctx.Done():
		return nil, problemf(http.StatusServiceUnavailable, "somebody else is changing accounts")
	}
}

// replaceTimeout bounds how long an account may take to be replaced: its last
// packets are waited for.
const replaceTimeout = 2 * time.Minute

func (h *Handler) putAccount(r *http.Request) (any, error) {
	record, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if !json.Valid(record) {
		return nil, problemf(http.StatusBadRequest, "no json body provided to make plugin.")
	}
	if bytes.TrimSpace(record)[0] != '{' {
		return nil, problemf(http.StatusBadRequest, "the body must be a JSON object, the record of the account")
	}
	done, err := h.change(r.Context())
	if err != nil {
		return nil, err
	}
	defer done()
	if h.o.ReplaceAccount != nil {
		return h.replaceAccount(r, record)
	}
	a, err := h.newAccount(r.Context(), r.PathValue("id"), record)
	if err != nil {
		return nil, err
	}
	// From here on it is done to the end: half of it would be an account less.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), replaceTimeout)
	defer cancel()
	former := h.c.RemoveAccount(ctx, a.ID)
	switch {
	case former == nil || errors.Is(former, connector.ErrUnknownAccount):
	case errors.Is(former, connector.ErrStopped):
		return nil, former
	default: // its plugin could not be closed; it is removed all the same
		h.c.Logger().Warn("replacing an account", slog.String("account", a.ID), slog.Any("error", former))
	}
	added := Added{Plugin: a.ID, Replaced: !errors.Is(former, connector.ErrUnknownAccount)}
	if err := h.add(ctx, a); err != nil {
		if added.Replaced {
			err = fmt.Errorf("the former account was removed, and the new one could not be added: %w", err)
		}
		return nil, err
	}
	added.Connected = a.Plugin.Connected()
	if !added.Replaced {
		return created{added}, nil
	}
	return added, nil
}

// replaceAccount has the host put an account in the place of another.
func (h *Handler) replaceAccount(r *http.Request, record json.RawMessage) (any, error) {
	id := r.PathValue("id")
	if !validID(id) {
		return nil, problemf(http.StatusBadRequest, "invalid account.")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), replaceTimeout)
	defer cancel()
	replaced, err := h.o.ReplaceAccount(ctx, id, record)
	switch {
	case errors.Is(err, connector.ErrStopped):
		return nil, err
	case err != nil:
		return nil, problemf(http.StatusBadRequest, "account %q: %v", id, err)
	}
	added := Added{Plugin: id, Replaced: replaced}
	if a, ok := h.c.Account(id); ok {
		added.Connected = a.Plugin.Connected()
	}
	if !replaced {
		return created{added}, nil
	}
	return added, nil
}

// maxDrain is the longest that a removal may be told to wait for packets.
const maxDrain = 5 * time.Minute

func (h *Handler) removeAccount(r *http.Request) (any, error) {
	a, err := h.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	drain, err := parseDuration(r, "drain", maxDrain, 0, maxDrain)
	if err != nil {
		return nil, err
	}
	done, err := h.change(r.Context())
	if err != nil {
		return nil, err
	}
	defer done()
	// Whoever has asked may go meanwhile: packets in flight are waited for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), drain)
	defer cancel()
	return nil, h.c.RemoveAccount(ctx, a.ID)
}

func (h *Handler) pauseAccount(r *http.Request) (any, error) {
	return nil, h.c.PauseAccount(r.PathValue("id"))
}

func (h *Handler) resumeAccount(r *http.Request) (any, error) {
	return nil, h.c.ResumeAccount(r.PathValue("id"))
}
