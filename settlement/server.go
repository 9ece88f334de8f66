package settlement

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

const (
	// maxQuantity is the longest JSON of a settlement that is read, in bytes.
	maxQuantity = 4 << 10
	// maxKey is the longest key, in bytes, that a ledger takes.
	maxKey = 200
	// bodyTimeout is for the body of a request, and answerTimeout for what it is
	// answered, where the server can tell.
	bodyTimeout   = 10 * time.Second
	answerTimeout = 10 * time.Second
)

// ServeHTTP serves the engine: POST /accounts/ID/settlements says that money
// has arrived (SE-30), POST /accounts/ID/messages sends a message to the
// counterparty's engine (SE-31). The host strips what it has in front of these
// paths, and bounds with its http.Server how long headers are and take. A body
// has ten seconds to come, and an answer as long to be read.
//
// A settlement is booked when the answer is 201; its body is the quantity that
// was asked for, of which nothing is left over. After a 4xx it is not, and the
// request was wrong. As long as it is not known, there is no answer, and the
// connection is closed in the end (by http.ErrAbortHandler): then every engine
// asks again with the same key (SE-51). There is no 5xx, because engines built
// on ilp-settlement-core take one for a no, and bring the amount once more
// under another key.
//
// The answer to a key that stands for another amount is 409, whose body is the
// quantity that is booked under it. Those engines bring what that leaves of the
// amount under another key: all of it is credited, once. An engine that does
// not read the body asks again for ever, and nothing is credited by mistake.
//
// The answer to a message is 201 with the reply; 502 if the peer rejected it or
// its answer was lost, 503 if it was not sent, and 504 if there was none in
// time.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		// Proxies and servers have disagreed on where such requests end: what
		// follows on this connection may be nobody's.
		w.Header().Set("Connection", "close")
	}
	control := http.NewResponseController(w)
	if r.ContentLength != 0 { // also for a body that is refused: net/http reads it before the answer leaves
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	if err := e.guard.check(r); err != nil {
		e.refuse(w, r, err)
		return
	}
	// A message may wait for its reply for longer than the server lets an
	// answer take.
	_ = control.SetWriteDeadline(time.Now().Add(bodyTimeout + e.timeout + answerTimeout))
	id, what, ok := splitPath(r.URL)
	if !ok {
		fail(w, http.StatusNotFound, "there is no such resource")
		return
	}
	a := e.account(id)
	switch {
	case a == nil:
		fail(w, http.StatusNotFound, "there is no such account")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed, "the method must be POST")
	case what == pathSettlements:
		if !e.enter() {
			panic(http.ErrAbortHandler)
		}
		defer e.leave()
		e.serveSettlement(w, r, a)
	case !e.enter():
		fail(w, http.StatusServiceUnavailable, "too many requests at once")
	default:
		defer e.leave()
		e.serveMessage(w, r, a)
	}
}

// enter reports whether another request of the engine may be served.
func (e *Engine) enter() bool {
	select {
	case e.requests <- struct{}{}:
		return true
	default:
		return false
	}
}

func (e *Engine) leave() { <-e.requests }

const (
	pathAccounts    = "accounts"
	pathSettlements = "settlements"
	pathMessages    = "messages"
)

// splitPath reads /accounts/ID/settlements or /accounts/ID/messages. An id
// that only looks like one when it is decoded, such as "a%2Fb", is none.
func splitPath(u *url.URL) (id, what string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if len(parts) != 3 || parts[0] != pathAccounts || parts[2] != pathSettlements && parts[2] != pathMessages {
		return "", "", false
	}
	id, err := url.PathUnescape(parts[1])
	return id, parts[2], err == nil && validID(id)
}

// refuse answers somebody who is not the engine.
func (e *Engine) refuse(w http.ResponseWriter, r *http.Request, reason error) {
	e.refused.warn(e.log, "a request was refused that is not the settlement engine's", slog.String("from", r.RemoteAddr), slog.Any("error", reason))
	w.Header().Add("WWW-Authenticate", `Bearer realm="settlement"`)
	w.Header().Add("WWW-Authenticate", `Basic realm="settlement"`)
	fail(w, http.StatusUnauthorized, "only the settlement engine is served here")
}

// serveSettlement books what the engine has received.
func (e *Engine) serveSettlement(w http.ResponseWriter, r *http.Request, a *Account) {
	keys := r.Header.Values(headerKey)
	if len(keys) != 1 || keys[0] == "" || len(keys[0]) > maxKey {
		fail(w, http.StatusBadRequest, fmt.Sprintf("there must be one %s of 1 to %d bytes", headerKey, maxKey))
		return
	}
	body, ok := readBody(w, r, contentJSON, maxQuantity)
	if !ok {
		return
	}
	var q Quantity
	if err := json.Unmarshal(body, &q); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	m, err := q.Money(keys[0], a.asset)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	err = a.receive(r.Context(), m)
	first, reused := a.bookedFirst(err)
	switch {
	case err == nil:
		answerQuantity(w, http.StatusCreated, q)
	case reused:
		e.log.Error("a settlement has the key of another one", slog.String("account", a.id), slog.Any("error", err))
		answerQuantity(w, http.StatusConflict, first)
	default: // also that a key was used before, and nobody says for what
		a.unbooked.warn(e.log, "a settlement is not known to be booked, and not answered", slog.String("account", a.id),
			slog.String("money", m.String()), slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
}

// answerQuantity says that q is booked under the key of a request.
func answerQuantity(w http.ResponseWriter, status int, q Quantity) {
	text, err := json.Marshal(q)
	if err != nil {
		panic(http.ErrAbortHandler) // a quantity without amount
	}
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// serveMessage sends a message of the engine's to the counterparty's.
func (e *Engine) serveMessage(w http.ResponseWriter, r *http.Request, a *Account) {
	body, ok := readBody(w, r, contentOctets, ilp.MaxDataLength)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), e.timeout)
	defer cancel()
	reply, err := a.sendMessage(ctx, body)
	if err != nil {
		a.unanswered.warn(e.log, "a message of the settlement engine was not answered", slog.String("account", a.id), slog.Any("error", err))
		failMessage(w, err)
		return
	}
	w.Header().Set("Content-Type", contentOctets)
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(reply)
}

// failMessage answers a message that has no reply (SE-44).
func failMessage(w http.ResponseWriter, err error) {
	reject, rejected := errors.AsType[*ilp.Reject](err)
	switch {
	case errors.Is(err, plugin.ErrNotSent):
		fail(w, http.StatusServiceUnavailable, "the peer is not connected")
	case rejected && reject.Code == ilp.R00TransferTimedOut && reject.TriggeredBy.IsZero(), // by plugin.Call
		errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusGatewayTimeout, "the peer has not answered")
	case rejected:
		fail(w, http.StatusBadGateway, fmt.Sprintf("the peer rejected the message: %s %q", reject.Code, reject.Message))
	default:
		fail(w, http.StatusBadGateway, "the peer's answer is lost, or makes no sense")
	}
}

// readBody gives the body of a request, which must have a certain type and at
// most so many bytes; it answers the request itself if not. That the type is
// asked for keeps a page in somebody's browser from speaking as the engine.
func readBody(w http.ResponseWriter, r *http.Request, contentType string, limit int64) ([]byte, bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != contentType {
		fail(w, http.StatusUnsupportedMediaType, "the Content-Type must be "+contentType)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		if r.ContentLength != 0 { // net/http would take the deadline for the end of the client
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		}
		return body, true
	}
	switch _, tooLong := errors.AsType[*http.MaxBytesError](err); {
	case tooLong:
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body must have at most %d bytes", limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		fail(w, http.StatusRequestTimeout, fmt.Sprintf("the body has not come within %v", bodyTimeout))
	default:
		fail(w, http.StatusBadRequest, "the body is cut off")
	}
	return nil, false
}

func fail(w http.ResponseWriter, status int, text string) {
	http.Error(w, text, status)
}
