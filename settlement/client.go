package settlement

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// client makes the requests to the engine's API.
type client struct {
	base    *url.URL
	http    *http.Client
	token   string
	timeout time.Duration
	refused func(status int, body []byte) bool
}

const (
	contentJSON   = "application/json"
	contentOctets = "application/octet-stream"

	headerKey = "Idempotency-Key"

	// maxAnswer is how much is read of an answer that is not a message.
	maxAnswer = 64 << 10
)

func newClient(o Options, timeout time.Duration) (*client, error) {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil: // the error would quote the URL, and a password in it
		return nil, errors.New(`settlement: Options.URL: does not parse: it must be such as "http://127.0.0.1:3000"`)
	case base.User != nil:
		return nil, errors.New("settlement: Options.URL: has a user in it: set BearerToken instead")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "", base.RawQuery != "", base.Fragment != "":
		return nil, fmt.Errorf(`settlement: Options.URL: %q must be such as "http://127.0.0.1:3000"`, o.URL)
	}
	ours := *cmp.Or(o.Client, http.DefaultClient)
	// A redirect would take the money, or the token, to somebody else.
	ours.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{base: base, http: &ours, token: o.BearerToken, timeout: timeout, refused: o.Refused}, nil
}

// request is one to the engine.
type request struct {
	method      string
	path        []string
	contentType string
	key         string
	body        []byte
	maxAnswer   int
}

// answer is what the engine says. bodyErr is why the body is not all of it.
type answer struct {
	status      int
	contentType string
	body        []byte
	bodyErr     error
}

// do makes a request. An error says that there is no answer.
func (c *client) do(ctx context.Context, q request) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %v", c.timeout))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, q.method, c.base.JoinPath(q.path...).String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if q.contentType != "" {
		r.Header.Set("Content-Type", q.contentType)
	}
	if q.key != "" {
		r.Header.Set(headerKey, q.key)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(r)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("asking the engine: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	a := &answer{status: response.StatusCode, contentType: response.Header.Get("Content-Type")}
	a.body, a.bodyErr = io.ReadAll(io.LimitReader(response.Body, int64(q.maxAnswer)+1))
	if len(a.body) > q.maxAnswer {
		a.body, a.bodyErr = a.body[:q.maxAnswer], fmt.Errorf("the engine's answer is longer than %d bytes", q.maxAnswer)
	}
	return a, nil
}

// accepted reports whether the engine says yes. A page of HTML under a mere
// 200 is no yes: it is that of some other server, or of a login in between.
func (a *answer) accepted() bool {
	if a.status == http.StatusOK {
		kind, _, _ := mime.ParseMediaType(a.contentType)
		return kind != "text/html"
	}
	return a.status >= 200 && a.status < 300
}

// statusError is an answer that is no yes.
type statusError struct {
	status int
	text   []byte // as much of the body as is good for a log
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the engine answers %d %s", e.status, http.StatusText(e.status))
	if len(e.text) > 0 {
		text += fmt.Sprintf(": %q", e.text)
	}
	return text
}

func (a *answer) err() error {
	return &statusError{status: a.status, text: a.body[:min(len(a.body), 200)]}
}

// hasStatus reports whether err is an answer with this status.
func hasStatus(err error, status int) bool {
	s, ok := errors.AsType[*statusError](err)
	return ok && s.status == status
}

// createAccount tells the engine of an account (SE-20). One that it knows
// already is no error, whichever way it says so.
func (c *client) createAccount(ctx context.Context, id string) error {
	body, err := json.Marshal(struct {
		ID string `json:"id"`
	}{id})
	if err != nil {
		return err
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: []string{"accounts"}, contentType: contentJSON, body: body, maxAnswer: maxAnswer})
	switch {
	case err != nil:
		return err
	case !a.accepted() && a.status != http.StatusConflict:
		return a.err()
	}
	return nil
}

// deleteAccount tells the engine to forget an account (SE-21).
func (c *client) deleteAccount(ctx context.Context, id string) error {
	a, err := c.do(ctx, request{method: http.MethodDelete, path: []string{"accounts", id}, maxAnswer: maxAnswer})
	switch {
	case err != nil:
		return err
	case !a.accepted() && a.status != http.StatusNotFound && a.status != http.StatusGone:
		return a.err()
	}
	return nil
}

// settle has the engine pay m (SE-22). nil: it owes it from now on. How much
// of it the engine says that it has paid does not matter: the rest is its debt
// (SE-12).
func (c *client) settle(ctx context.Context, id string, m plugin.Money, unit ilp.Asset) error {
	body, err := json.Marshal(Of(m, unit))
	if err != nil {
		return err
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: []string{"accounts", id, "settlements"},
		contentType: contentJSON, key: m.Key, body: body, maxAnswer: maxAnswer})
	switch {
	case err != nil:
		return err
	case a.accepted():
		return nil
	case c.refused != nil && (a.status < 200 || a.status >= 300) && c.refused(a.status, a.body):
		return fmt.Errorf("%w: %w", plugin.ErrNotSent, a.err())
	}
	return a.err()
}

// message gives the engine a message of the counterparty's and returns its
// reply (SE-23).
func (c *client) message(ctx context.Context, id string, data []byte) ([]byte, error) {
	a, err := c.do(ctx, request{method: http.MethodPost, path: []string{"accounts", id, "messages"},
		contentType: contentOctets, body: data, maxAnswer: ilp.MaxDataLength})
	switch {
	case err != nil:
		return nil, err
	case !a.accepted():
		return nil, a.err()
	}
	return a.body, a.bodyErr
}
