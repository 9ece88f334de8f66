package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector/middleware"
)

// Client speaks to a Handler. Its methods return a *Problem as the error where
// the handler says what is wrong. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// ClientOptions are the parts of a Client. URL is needed.
type ClientOptions struct {
	// URL is where the handler is mounted, such as http://localhost:7780.
	URL string
	// Token is sent with each request; empty sends none.
	Token string
	// HTTP sends the requests; nil means http.DefaultClient.
	HTTP *http.Client
}

// NewClient makes a Client. It sends nothing.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("admin: ClientOptions.URL is %q: it must be such as http://localhost:7780", o.URL)
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	return &Client{base: base, token: o.Token, http: o.HTTP}, nil
}

// Page is the part of a list that is asked for. The zero value is all of it.
type Page struct {
	// After is where the last part ended: its Next.
	After string
	// Limit is the most that there may be; 0 means everything.
	Limit int
}

func (p Page) query() url.Values {
	query := make(url.Values)
	if p.After != "" {
		query.Set("after", p.After)
	}
	if p.Limit > 0 {
		query.Set("limit", strconv.Itoa(p.Limit))
	}
	return query
}

// Status gives an overview.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, nil, "status")
}

// Routing gives the routing tables, and what is exchanged with neighbors.
func (c *Client) Routing(ctx context.Context) (Routing, error) {
	return get[Routing](ctx, c, nil, "routing")
}

// Accounts lists accounts with their state.
func (c *Client) Accounts(ctx context.Context, p Page) (Accounts, error) {
	return get[Accounts](ctx, c, p.query(), "accounts")
}

// Account gives all that is known of an account.
func (c *Client) Account(ctx context.Context, id string) (AccountDetail, error) {
	return get[AccountDetail](ctx, c, nil, "accounts", id)
}

// PutAccount adds an account, or replaces the one of this id: packets in
// flight on that are waited for. record is what the host's configuration has
// for an account.
func (c *Client) PutAccount(ctx context.Context, id string, record json.RawMessage) (Added, error) {
	return send[Added](ctx, c, http.MethodPut, record, "accounts", id)
}

// RemoveAccount waits for the packets of an account that are in flight, at
// most for drain (0: as the connector is configured), and removes it. Its
// balance is kept.
func (c *Client) RemoveAccount(ctx context.Context, id string, drain time.Duration) error {
	query := make(url.Values)
	if drain > 0 {
		query.Set("drain", drain.String())
	}
	return c.do(ctx, http.MethodDelete, query, nil, nil, "accounts", id)
}

// PauseAccount takes no new packets from an account and sends it none.
func (c *Client) PauseAccount(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, nil, nil, nil, "accounts", id, "pause")
}

// ResumeAccount ends a pause.
func (c *Client) ResumeAccount(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, nil, nil, nil, "accounts", id, "resume")
}

// Instruct gives a JSON object to the plugin of an account.
func (c *Client) Instruct(ctx context.Context, id string, message json.RawMessage) (Instructed, error) {
	return send[Instructed](ctx, c, http.MethodPost, message, "accounts", id)
}

// Balances lists balances with their limits.
func (c *Client) Balances(ctx context.Context, p Page) (Balances, error) {
	return get[Balances](ctx, c, p.query(), "balance")
}

// AdjustBalance adds diff to the balance of an account. Doing it again adds it
// again.
func (c *Client) AdjustBalance(ctx context.Context, id string, diff int64) error {
	body := Adjustment{AccountID: id, AmountDiff: decimal(diff)}
	return c.do(ctx, http.MethodPost, nil, body, nil, "balance")
}

// Rates gives the rates between accounts.
func (c *Client) Rates(ctx context.Context, p Page) (Rates, error) {
	return get[Rates](ctx, c, p.query(), "rates")
}

// Stats gives the metrics of the reference.
func (c *Client) Stats(ctx context.Context) ([]Metric, error) {
	return get[[]Metric](ctx, c, nil, "stats")
}

// Alerts lists what an operator should look at.
func (c *Client) Alerts(ctx context.Context, p Page) (Alerts, error) {
	return get[Alerts](ctx, c, p.query(), "alerts")
}

// DismissAlert removes an alert, if it is there.
func (c *Client) DismissAlert(ctx context.Context, id uint64) error {
	return c.do(ctx, http.MethodDelete, nil, nil, nil, "alerts", decimal(id))
}

// ConfirmRate has the backend believe the price of a currency that has jumped
// and waits.
func (c *Client) ConfirmRate(ctx context.Context, currency string) error {
	return c.do(ctx, http.MethodPost, nil, nil, nil, "rates", currency, "confirm")
}

// Settlements lists the settlements that have no answer yet.
func (c *Client) Settlements(ctx context.Context, p Page) (Settlements, error) {
	return get[Settlements](ctx, c, p.query(), "settlements")
}

// Settle makes a settlement of amount with an account, and gives its key.
// Doing it again makes another.
func (c *Client) Settle(ctx context.Context, id string, amount uint64) (key string, err error) {
	made, err := send[SettlementKey](ctx, c, http.MethodPost, SettlementRequest{AccountID: id, Amount: decimal(amount)}, "settlements")
	return made.Key, err
}

// Routes lists the routes in use whose prefix or next hop contains search, or
// whose origin it is.
func (c *Client) Routes(ctx context.Context, search string, p Page) (Routes, error) {
	query := p.query()
	if search != "" {
		query.Set("q", search)
	}
	return get[Routes](ctx, c, query, "routes")
}

// StaticRoutes gives the configured routes.
func (c *Client) StaticRoutes(ctx context.Context) (StaticRoutes, error) {
	return get[StaticRoutes](ctx, c, nil, "routes", "static")
}

// SetStaticRoutes replaces the configured routes.
func (c *Client) SetStaticRoutes(ctx context.Context, routes []StaticRoute) error {
	body := StaticRoutes{Routes: append([]StaticRoute{}, routes...)}
	return c.do(ctx, http.MethodPut, nil, body, nil, "routes", "static")
}

// PutStaticRoute configures a route, in the place of that for the same prefix.
func (c *Client) PutStaticRoute(ctx context.Context, prefix, nextHop string) error {
	body := map[string]string{"nextHop": nextHop}
	return c.do(ctx, http.MethodPut, nil, body, nil, "routes", "static", prefix)
}

// RemoveStaticRoute removes a configured route.
func (c *Client) RemoveStaticRoute(ctx context.Context, prefix string) error {
	return c.do(ctx, http.MethodDelete, nil, nil, nil, "routes", "static", prefix)
}

// Explain says which way packets for an address go, and why.
func (c *Client) Explain(ctx context.Context, address string) (Explanation, error) {
	return get[Explanation](ctx, c, url.Values{"address": {address}}, "explain")
}

// Ping finds out whether an address can be reached. The amount is spent.
func (c *Client) Ping(ctx context.Context, address string, amount uint64) (PingResult, error) {
	return send[PingResult](ctx, c, http.MethodPost, PingRequest{Address: address, Amount: decimal(amount)}, "ping")
}

// Trace finds the nodes on the way to an address.
func (c *Client) Trace(ctx context.Context, address string) (TraceResult, error) {
	return send[TraceResult](ctx, c, http.MethodPost, TraceRequest{Address: address}, "trace")
}

// Send sends a packet of the connector's own, and waits for what becomes of it.
// Doing it again pays again. Where ctx ends, or the connector is lost
// meanwhile, the packet may yet be fulfilled until it expires: the log of the
// connector has the outcome.
func (c *Client) Send(ctx context.Context, r SendRequest) (SendResult, error) {
	return send[SendResult](ctx, c, http.MethodPost, r, "send")
}

// Packets gives the logged packets that f wants, the last received first, at
// most limit of them; 0 means middleware.DefaultPacketLimit, and
// MaxPacketLimit is the most.
func (c *Client) Packets(ctx context.Context, f middleware.PacketFilter, limit int) (Packets, error) {
	query := filterQuery(f)
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return get[Packets](ctx, c, query, "packets")
}

// Session says what the token may do.
func (c *Client) Session(ctx context.Context) (Session, error) {
	return get[Session](ctx, c, nil, "session")
}

// Health gives nil while the connector runs.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, nil, nil, nil, "healthz")
}

func get[T any](ctx context.Context, c *Client, query url.Values, path ...string) (T, error) {
	var v T
	err := c.do(ctx, http.MethodGet, query, nil, &v, path...)
	return v, err
}

func send[T any](ctx context.Context, c *Client, method string, body any, path ...string) (T, error) {
	var v T
	err := c.do(ctx, method, nil, body, &v, path...)
	return v, err
}

// do sends a request and reads the answer into v, if it is not nil.
func (c *Client) do(ctx context.Context, method string, query url.Values, body, v any, path ...string) error {
	response, err := c.request(ctx, method, query, body, path...)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if v == nil {
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	if err := json.NewDecoder(response.Body).Decode(v); err != nil {
		return fmt.Errorf("admin: %s %s: the answer is not what is expected: %w", method, response.Request.URL.Path, err)
	}
	return nil
}

// request sends a request and gives an answer that is no error. path is given
// by its elements, which may contain anything.
func (c *Client) request(ctx context.Context, method string, query url.Values, body any, path ...string) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
		content = bytes.NewReader(text)
	}
	escaped := make([]string, len(path))
	for i, element := range path {
		escaped[i] = url.PathEscape(element)
	}
	target := *c.base
	target.RawQuery = query.Encode()
	joined := strings.TrimRight(target.EscapedPath(), "/") + "/" + strings.Join(escaped, "/")
	var err error
	if target.Path, err = url.PathUnescape(joined); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	target.RawPath = joined
	r, err := http.NewRequestWithContext(ctx, method, target.String(), content)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if response.StatusCode >= 300 {
		defer response.Body.Close()
		return nil, problemFrom(response)
	}
	return response, nil
}

// problemFrom reads the problem of an answer; where it has none, the server is
// another, or something in between has answered.
func problemFrom(response *http.Response) error {
	const most = 64 << 10
	text, _ := io.ReadAll(io.LimitReader(response.Body, most)) // what is there will do
	p := new(Problem)
	if err := json.Unmarshal(text, p); err != nil || p.Status == 0 {
		return problemf(response.StatusCode, "no problem document: %.200s", text)
	}
	return p
}
