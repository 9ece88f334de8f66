package settlement_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/settlement"
)

// SE-30, SE-12: all of it is booked, and all of it is answered.
func TestReceive(t *testing.T) {
	for _, test := range []struct {
		body string
		want plugin.Money
	}{
		{`{"amount":"254","scale":2}`, plugin.Money{Amount: 2_540_000_000}},
		{`{"amount":"0","scale":0}`, plugin.Money{}},
		{`{"amount":"18446744073709551615","scale":9}`, plugin.Money{Amount: 1<<64 - 1}},
		{`{"amount":"18446744073709551615999999999","scale":18}`, plugin.Money{Amount: 1<<64 - 1, Fraction: 999999999000000000}},
		{`{"amount":"905","scale":11}`, plugin.Money{Amount: 9, Fraction: 50000000000000000}},
		{`{"amount":"1","scale":27}`, plugin.Money{Fraction: 1}},
		{`{"amount":"100000000000000000","scale":9}`, plugin.Money{Amount: 1e17}}, // prints as 1e+17 elsewhere
		{`{"amount":"9007199254740993","scale":9}`, plugin.Money{Amount: 1<<53 + 1}},
	} {
		f := join(t, newEngine(t, answers(201)))
		test.want.Key = "k"
		status, body, header := f.does(settled("k", test.body))
		if status != http.StatusCreated || body != test.body || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", test.body, status, body)
		}
		if got := f.connector.Money(); !slices.Equal(got, []plugin.Money{test.want}) {
			t.Errorf("%s: %v is booked, want %v", test.body, got, test.want)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	good := settled("k", `{"amount":"1","scale":9}`)
	with := func(change func(*report)) report {
		r := good
		change(&r)
		return r
	}
	amount := func(json string) report { return settled("k", `{"amount":`+json+`,"scale":9}`) }
	at := func(path string) report { return with(func(r *report) { r.path = path }) }
	for name, test := range map[string]struct {
		report report
		want   int
	}{
		"a number":                  {amount(`1`), 400},
		"negative":                  {amount(`"-1"`), 400},
		"with a plus":               {amount(`"+1"`), 400},
		"a fraction":                {amount(`"1.5"`), 400},
		"an exponent":               {amount(`"1e9"`), 400},
		"hexadecimal":               {amount(`"0x1"`), 400},
		"beyond 64 bits":            {amount(`"18446744073709551616"`), 400},
		"beyond 64 bits, in units":  {settled("k", `{"amount":"18446744074","scale":0}`), 400},
		"finer than is kept":        {settled("k", `{"amount":"1","scale":28}`), 400},
		"too many digits":           {amount(`"` + strings.Repeat("9", 513) + `"`), 400},
		"a scale of 256":            {settled("k", `{"amount":"1","scale":256}`), 400},
		"no scale":                  {settled("k", `{"amount":"1"}`), 400},
		"no amount":                 {settled("k", `{"scale":1}`), 400},
		"two bodies":                {settled("k", good.body+good.body), 400},
		"no body":                   {settled("k", ``), 400},
		"no JSON":                   {settled("k", `amount=1`), 400},
		"a body that is too long":   {settled("k", good.body+strings.Repeat(" ", 4<<10)), 413},
		"no key (SE-55)":            {settled("", good.body), 400},
		"a key that is too long":    {settled(strings.Repeat("k", 201), good.body), 400},
		"two keys":                  {with(func(r *report) { r.header = http.Header{"Idempotency-Key": {"a", "b"}} }), 400},
		"an empty key":              {with(func(r *report) { r.header = http.Header{"Idempotency-Key": {""}} }), 400},
		"no type":                   {with(func(r *report) { r.contentType = "" }), 415},
		"a type that a form has":    {with(func(r *report) { r.contentType = "text/plain" }), 415},
		"no type at all":            {with(func(r *report) { r.contentType = ";" }), 415},
		"GET":                       {with(func(r *report) { r.method = http.MethodGet }), 405},
		"PUT":                       {with(func(r *report) { r.method = http.MethodPut }), 405},
		"an unknown account":        {at("/accounts/carol/settlements"), 404},
		"another case":              {at("/accounts/Bob/settlements"), 404},
		"a slash in the id":         {at("/accounts/bob%2F/settlements"), 404},
		"a slash that is a way out": {at("/accounts/..%2Fbob/settlements"), 404},
		"dots":                      {at("/accounts/../accounts/bob/settlements"), 404},
		"encoded dots":              {at("/accounts/%2e%2e/settlements"), 404},
		"encoded twice":             {at("/accounts/%2562ob/settlements"), 404},
		"an encoded zero":           {at("/accounts/bob%00/settlements"), 404},
		"no id":                     {at("/accounts//settlements"), 404},
		"more":                      {at("/accounts/bob/settlements/1"), 404},
		"a slash at the end":        {at("/accounts/bob/settlements/"), 404},
		"less":                      {at("/accounts/bob"), 404},
		"something else":            {at("/accounts/bob/settlement"), 404},
		"somewhere else":            {at("/account/bob/settlements"), 404},
		"the root":                  {at("/"), 404},
	} {
		t.Run(name, func(t *testing.T) {
			f := join(t, newEngine(t, answers(201)))
			status, body, header := f.does(test.report)
			if status != test.want || body == "" {
				t.Errorf("%d %s, want %d", status, body, test.want)
			}
			if status == 405 && header.Get("Allow") != "POST" {
				t.Errorf("Allow is %q", header.Get("Allow"))
			}
			if got := f.connector.Money(); len(got) > 0 {
				t.Errorf("%v is booked", got)
			}
		})
	}
}

func TestRequestsThatAreTaken(t *testing.T) {
	for name, r := range map[string]report{
		"a charset":                      {contentType: "application/json; charset=utf-8", key: "k"},
		"a type in capitals":             {contentType: "Application/JSON", key: "k"},
		"the longest key":                {contentType: "application/json", key: strings.Repeat("k", 200)},
		"an id that need not be encoded": {contentType: "application/json", key: "k", path: "/accounts/b%6Fb/settlements"},
	} {
		f := join(t, newEngine(t, answers(201)))
		if r.path == "" {
			r.path = "/accounts/bob/settlements"
		}
		r.body = `{"amount":"1","scale":9}`
		if status, body, _ := f.does(r); status != 201 || len(f.connector.Money()) != 1 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// books books settlements once, as a ledger does.
type books struct {
	mu     sync.Mutex
	booked map[string]plugin.Money
	sum    uint64
}

func (b *books) book(m plugin.Money) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if first, again := b.booked[m.Key]; again {
		if first != m {
			return fmt.Errorf("account: %w", &plugin.KeyReusedError{First: first})
		}
		return nil
	}
	if b.booked == nil {
		b.booked = make(map[string]plugin.Money)
	}
	b.booked[m.Key] = m
	b.sum += m.Amount
	return nil
}

// SE-53, SE-55: a repetition is answered as the first was; another amount
// under the key is refused with what the key stands for, and the same one in
// other words is the same.
func TestRepetitions(t *testing.T) {
	f := join(t, newEngine(t, answers(201)))
	b := &books{}
	f.connector.Book = b.book
	for _, test := range []struct {
		key, body string
		want      int
		answer    string // empty: the body
	}{
		{"a", `{"amount":"7","scale":9}`, 201, ""},
		{"a", `{"amount":"7","scale":9}`, 201, ""},
		{"a", `{"amount":"70","scale":10}`, 201, ""},
		{"a", `{"amount":"8","scale":9}`, 409, `{"amount":"7","scale":9}`},
		{"a", `{"amount":"7","scale":8}`, 409, `{"amount":"7","scale":9}`},
		{"a", `{"amount":"71","scale":10}`, 409, `{"amount":"7","scale":9}`},
		{"a", `{"amount":"0","scale":0}`, 409, `{"amount":"7","scale":9}`},
		{"b", `{"amount":"725","scale":11}`, 201, ""},
		{"b", `{"amount":"726","scale":11}`, 409, `{"amount":"725","scale":11}`},
		{"a", `{"amount":"7","scale":9}`, 201, ""},
		{"c", `{"amount":"0","scale":2}`, 201, ""},
		{"c", `{"amount":"0","scale":255}`, 201, ""},
		{"c", `{"amount":"1","scale":9}`, 409, `{"amount":"0","scale":9}`},
	} {
		if test.answer == "" {
			test.answer = test.body
		}
		status, body, header := f.does(settled(test.key, test.body))
		if status != test.want || body != test.answer || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s under %s: %d %s, want %d %s", test.body, test.key, status, body, test.want, test.answer)
		}
	}
	if b.sum != 14 {
		t.Errorf("%d is booked, want 14", b.sum)
	}
}

// An engine that heard no more than that the amount is not booked would bring
// all of it again, under another key.
func TestReusedKeyOfUnknownAmount(t *testing.T) {
	f := join(t, newEngine(t, answers(201)))
	f.connector.Book = func(plugin.Money) error { return fmt.Errorf("a ledger of somebody's: %w", plugin.ErrKeyReused) }
	if status, body, _ := f.does(settled("k", `{"amount":"1","scale":9}`)); status != aborted {
		t.Errorf("%d %s, want no answer", status, body)
	}
}

func TestEqualRequestsAtOnce(t *testing.T) {
	f := join(t, newEngine(t, answers(201)))
	b := &books{}
	f.connector.Book = b.book
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if status, _, _ := f.does(settled("k", `{"amount":"5","scale":9}`)); status != 201 {
				t.Errorf("got %d", status)
			}
		})
	}
	all.Wait()
	if b.sum != 5 {
		t.Errorf("%d is booked, want 5", b.sum)
	}
}

// The key of another account's settlement is a key as any other: nobody can
// keep money from an account by using its keys up.
func TestKeyOfAnotherAccount(t *testing.T) {
	e := newEngine(t, answers(201))
	bob := join(t, e)
	_, end := inproc.Pipe()
	carol, err := e.Account(end, settlement.AccountOptions{ID: "carol", Asset: usd})
	if err != nil {
		t.Fatal(err)
	}
	b := &books{}
	if err := carol.Open(t.Context(), bookkeeper{b}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = carol.Close() }()
	for _, id := range []string{"bob", "carol", "bob", "carol"} {
		r := settled("k", `{"amount":"5","scale":9}`)
		r.path = "/accounts/" + id + "/settlements"
		if status, _, _ := bob.does(r); status != 201 {
			t.Errorf("%s: %d", id, status)
		}
	}
	if b.sum != 5 || len(bob.connector.Money()) != 2 {
		t.Errorf("carol has %d, want 5", b.sum)
	}
}

// What may be booked is not answered at all: deployed engines take a 5xx for a
// no, and bring the amount again under another key.
func TestNotKnownToBeBooked(t *testing.T) {
	f := join(t, newEngine(t, answers(201)))
	f.connector.Book = func(plugin.Money) error { return errors.New("the disk is full") }
	if status, body, _ := f.does(settled("k", `{"amount":"1","scale":9}`)); status != aborted {
		t.Errorf("%d %s, want no answer", status, body)
	}
}

func TestNotOpen(t *testing.T) {
	e := newEngine(t, answers(201))
	_, end := inproc.Pipe()
	if _, err := e.Account(end, settlement.AccountOptions{ID: "bob", Asset: usd}); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := serve(t.Context(), e, settled("k", `{"amount":"1","scale":9}`)); status != aborted {
		t.Errorf("%d %s, want no answer", status, body)
	}
}

// More requests than are served at once get no answer; the next one does.
func TestTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := join(t, newEngine(t, answers(201), func(o *settlement.Options) { o.MaxRequests = 2 }))
		slow := make(chan struct{})
		f.connector.Book = func(plugin.Money) error { <-slow; return nil }
		var first sync.WaitGroup
		for i := range 2 {
			first.Go(func() {
				if status, _, _ := f.does(settled(fmt.Sprint(i), `{"amount":"1","scale":9}`)); status != 201 {
					t.Errorf("got %d", status)
				}
			})
		}
		synctest.Wait()
		if status, _, _ := f.does(settled("k", `{"amount":"1","scale":9}`)); status != aborted {
			t.Errorf("the third: %d, want no answer", status)
		}
		if status, _, _ := f.does(report{path: "/accounts/bob/messages", contentType: "application/octet-stream"}); status != 503 {
			t.Errorf("a message: %d, want 503", status)
		}
		close(slow)
		first.Wait()
		if status, _, _ := f.does(settled("k", `{"amount":"1","scale":9}`)); status != 201 {
			t.Errorf("once there is room: %d", status)
		}
	})
}

func FuzzSplitPath(f *testing.F) {
	for _, path := range []string{"/accounts/bob/settlements", "/accounts/b%2Fb/messages", "/accounts/%2e%2e/settlements", "//", "/accounts/bob/settlements?x=1"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		id, what, ok := settlement.SplitPath(path)
		if !ok {
			return
		}
		if what != "settlements" && what != "messages" || strings.ContainsAny(id, "/%?# \x00") || id == "" || id == "." || id == ".." {
			t.Errorf("%q is account %q, %q", path, id, what)
		}
	})
}
