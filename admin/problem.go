package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// Problem is an error of the API, as application/problem+json (RFC 9457). A
// [Client] returns it as an error.
type Problem struct {
	// Type is "about:blank": Status says which class of problem it is.
	Type string `json:"type"`
	// Title is the text of Status.
	Title string `json:"title"`
	// Status is that of HTTP.
	Status int `json:"status"`
	// Detail says what is wrong, and what would be right.
	Detail string `json:"detail"`
}

// Error gives the detail, with the status.
func (p *Problem) Error() string { return fmt.Sprintf("%s (%d %s)", p.Detail, p.Status, p.Title) }

func problemf(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// problemOf gives the problem that err is to whoever has asked.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	status := http.StatusInternalServerError
	for _, class := range []struct {
		err    error
		status int
	}{
		{connector.ErrUnknownAccount, http.StatusNotFound},
		{plugin.ErrInstruction, http.StatusBadRequest},
		{connector.ErrDuplicateAccount, http.StatusConflict},
		{connector.ErrStopped, http.StatusServiceUnavailable},
		{ledger.ErrLimit, http.StatusConflict},
		{ledger.ErrUnavailable, http.StatusServiceUnavailable},
		{ledger.ErrClosed, http.StatusServiceUnavailable},
		{context.DeadlineExceeded, http.StatusGatewayTimeout},
	} {
		if errors.Is(err, class.err) {
			status = class.status
			break
		}
	}
	return problemf(status, "%v", err)
}

func writeProblem(w http.ResponseWriter, err error) {
	p := problemOf(err)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="connector"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever has asked is gone, if that fails
}
