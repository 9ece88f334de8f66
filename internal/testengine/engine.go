package testengine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is a way to misbehave.
type Fault int

const (
	// None: the engine does what it should.
	None Fault = iota
	// Fails: nothing is done, and the answer is 500 and no sense.
	Fails
	// Ignores: nothing is done, and there is no answer.
	Ignores
	// Silent: it is done, and there is no answer.
	Silent
	// Late: it is done, and the answer comes after Options.Late.
	Late
	// Garbles: it is done, and the answer is 500 and no sense.
	Garbles
	// Refuses: it is done, and the answer is 400.
	Refuses
	// Redirects: nothing is done, and the answer leads to itself, which does.
	Redirects
	// Less: it is done, and the answer speaks of a part.
	Less
	// Huge: it is done, and the answer has a megabyte.
	Huge
	// Twice: what has arrived is told twice, at the same time.
	Twice
	// Dies: it is done, and Options.Die is called before the answer.
	Dies
)

// Orders and Reports are the faults of taking orders and of telling what has
// arrived. Dies is not among them.
var (
	Orders  = []Fault{None, Fails, Ignores, Silent, Late, Garbles, Refuses, Redirects, Less, Huge}
	Reports = []Fault{None, Twice, Silent}
)

// Options of an Engine.
type Options struct {
	// Path of the ledger's file, which the engine goes on with.
	Path string
	// Scale of the ledger's unit.
	Scale uint8
	// Pairs are the accounts that pay each other, each in one direction.
	Pairs map[Place]Place
	// Connectors are the URLs of the connectors' APIs, by name, with the token
	// as password of a user.
	Connectors map[string]string
	// Client makes the requests to them; nil: http.DefaultClient.
	Client *http.Client
	// OnOrder and OnReport choose a fault for an order that comes, and for
	// telling what has arrived; nil: none.
	OnOrder, OnReport func() Fault
	Late              time.Duration
	Die               func()
	// Reply answers a message; nil: the engine refuses messages.
	Reply func(to Place, message []byte) (status int, reply []byte)
}

// Engine is an http.Handler for the connectors, and works while Run does.
type Engine struct {
	options Options
	book    *Book
	wake    map[string]chan struct{} // by receiving connector
}

// Open makes an Engine that goes on with its ledger.
func Open(o Options) (*Engine, error) {
	book, err := openBook(o.Path, o.Scale)
	if err != nil {
		return nil, err
	}
	e := &Engine{options: o, book: book, wake: make(map[string]chan struct{})}
	for name := range o.Connectors {
		e.wake[name] = make(chan struct{}, 1)
	}
	return e, nil
}

// Book is the ledger.
func (e *Engine) Book() *Book { return e.book }

// Close closes the ledger.
func (e *Engine) Close() error { return e.book.file.Close() }

// Run pays what is ordered and reports it, until ctx ends.
func (e *Engine) Run(ctx context.Context) {
	var running sync.WaitGroup
	for name := range e.options.Connectors {
		running.Go(func() { e.serve(ctx, name) })
	}
	running.Wait()
}

// serve pays the accounts of a connector, and tells it.
func (e *Engine) serve(ctx context.Context, name string) {
	for ctx.Err() == nil {
		for from, to := range e.options.Pairs {
			if to.Connector == name {
				if err := e.book.pay(from, to, rand.Text()); err != nil {
					panic(err) // the test's disk
				}
			}
		}
		wait := time.Hour
		for _, p := range e.book.Unreported(name) {
			if !e.report(ctx, p) {
				wait = 50 * time.Millisecond
				break
			}
		}
		select {
		case <-e.wake[name]:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// report tells a connector what has arrived, and whether it has booked it.
func (e *Engine) report(ctx context.Context, p Payment) bool {
	fault := None
	if e.options.OnReport != nil {
		fault = e.options.OnReport()
	}
	var other sync.WaitGroup
	if fault == Twice {
		other.Go(func() { e.tell(ctx, p) })
	}
	booked := e.tell(ctx, p)
	other.Wait()
	switch {
	case !booked, fault == Silent: // as if the answer were lost
		return false
	case fault == Dies:
		e.options.Die()
	}
	return e.book.report(p.Key) == nil
}

func (e *Engine) tell(ctx context.Context, p Payment) bool {
	body := quantity(p.Amount, e.options.Scale)
	status, _, err := e.Ask(ctx, p.To, "settlements", "application/json", p.Key, []byte(body))
	return err == nil && status >= 200 && status < 300
}

func quantity(amount *big.Int, scale uint8) string {
	return fmt.Sprintf(`{"amount":"%d","scale":%d}`, amount, scale)
}

// Ask makes a request to a connector's API.
func (e *Engine) Ask(ctx context.Context, to Place, what, contentType, key string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	url := e.options.Connectors[to.Connector] + "/accounts/" + to.Account + "/" + what
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", contentType)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	client := e.options.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// ServeHTTP serves the connectors.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(path) < 2 || path[1] != "accounts" || len(path) > 4 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	place := Place{Connector: path[0]}
	if len(path) == 2 {
		e.create(w, place, body)
		return
	}
	place.Account = path[2]
	switch what := strings.Join(path[3:], ""); {
	case !e.book.Has(place):
		http.Error(w, "no such account", http.StatusNotFound)
	case what == "" && r.Method == http.MethodDelete:
		if e.book.remove(place) == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	case what == "messages" && e.options.Reply != nil:
		status, reply := e.options.Reply(place, body)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(status)
		_, _ = w.Write(reply)
	case what == "settlements":
		e.takeOrder(w, r, place, body)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

func (e *Engine) create(w http.ResponseWriter, place Place, body []byte) {
	var account struct{ ID string }
	if json.Unmarshal(body, &account) != nil || account.ID == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	place.Account = account.ID
	if e.book.create(place) != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// takeOrder takes an order, and answers as its fault says.
func (e *Engine) takeOrder(w http.ResponseWriter, r *http.Request, from Place, body []byte) {
	fault := None
	if e.options.OnOrder != nil && r.URL.RawQuery == "" {
		fault = e.options.OnOrder()
	}
	switch fault {
	case Fails:
		garble(w)
		return
	case Ignores:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Redirects:
		http.Redirect(w, r, r.URL.Path+"?again", http.StatusTemporaryRedirect)
		return
	}
	if status := e.accept(r, from, body); status != http.StatusCreated {
		w.WriteHeader(status)
		return
	}
	e.answer(w, r, fault, body)
}

// accept makes an order durable.
func (e *Engine) accept(r *http.Request, from Place, body []byte) (status int) {
	var q struct {
		Amount string
		Scale  uint8
	}
	key := r.Header.Get("Idempotency-Key")
	amount, ok := new(big.Int), false
	if json.Unmarshal(body, &q) == nil {
		amount, ok = amount.SetString(q.Amount, 10)
	}
	if !ok || key == "" || q.Scale > orderScale {
		return http.StatusBadRequest
	}
	amount.Mul(amount, powerOfTen(orderScale-int(q.Scale)))
	if err := e.book.order(order{place: from, key: key, amount: amount}); err == errKeyReused {
		return http.StatusConflict
	} else if err != nil {
		return http.StatusInternalServerError
	}
	if wake := e.wake[e.options.Pairs[from].Connector]; wake != nil {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	return http.StatusCreated
}

func (e *Engine) answer(w http.ResponseWriter, r *http.Request, fault Fault, body []byte) {
	switch fault {
	case Dies:
		e.options.Die()
	case Silent:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Late:
		select {
		case <-time.After(e.options.Late):
		case <-r.Context().Done():
		}
	case Garbles:
		garble(w)
		return
	case Refuses:
		w.WriteHeader(http.StatusBadRequest)
		return
	case Less:
		body = []byte(quantity(big.NewInt(1), 9))
	case Huge:
		body = bytes.Repeat([]byte(strconv.Itoa(7)), 1<<20)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body)
}

func garble(w http.ResponseWriter) {
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, "\x00<html>{\"amount\":")
}
