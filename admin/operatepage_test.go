//go:build unix

package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
)

// newHarborAccount makes an account from the little that it needs to be told.
func newHarborAccount(_ context.Context, id string, record json.RawMessage) (connector.Account, error) {
	var v struct {
		Asset   string      `json:"asset"`
		Maximum json.Number `json:"maximum"`
	}
	if err := json.Unmarshal(record, &v); err != nil {
		return connector.Account{}, err
	}
	if v.Asset == "" {
		return connector.Account{}, errors.New("asset is missing\nmaximum may be <b>any</b>")
	}
	most, err := v.Maximum.Int64()
	return connector.Account{
		ID: id, Relation: connector.Child, Asset: connector.Asset{Code: v.Asset, Scale: 6}, Plugin: &fakeLink{opened: make(chan struct{})},
		Balance: &connector.BalanceLimits{Maximum: most, Minimum: -1},
	}, err
}

var harborTemplates = []admin.AccountTemplate{
	{Name: "A child", Record: json.RawMessage(`{"asset": "", "maximum": 1}`)},
	{Name: "A rich child", Record: json.RawMessage(`{"asset": "", "maximum": 1000}`)},
}

// write puts a text into a field as if it were typed.
func (p *tab) write(selector, text string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`(() => { const field = document.querySelector(%q); field.value = %q; for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true })) })()`, selector, text))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.eval(fmt.Sprintf("document.querySelector(%q).click()", selector))
}

// press clicks the button with this text, of those in an element.
func (p *tab) press(within, text string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`[...document.querySelector(%q).querySelectorAll("button")].find((b) => b.innerText === %q).click()`, within, text))
}

// An operator adds an account from a template, is told what is wrong with it,
// pauses it and removes it, all of it by the page.
func TestPageAddsAndRemovesAccounts(t *testing.T) {
	b := newBrowser(t)
	f := harbor(t, admin.Options{LoopbackWithoutToken: true, NewAccount: newHarborAccount, AccountTemplates: harborTemplates})
	p := b.open(serveLoopback(t, f.h), 1280, 900)
	p.await(`document.documentElement.dataset.ready === "yes" && document.querySelectorAll("#account-rows tr").length === 7`)

	p.click("#add-button")
	p.await(`document.querySelector("#add-dialog").open && document.activeElement.name === "account"`)
	if got := p.eval(`document.querySelector("#add-form").record.value`); got != "{\n  \"asset\": \"\",\n  \"maximum\": 1\n}" {
		t.Errorf("it begins with %v", got)
	}
	p.write("#add-form select", "1")
	p.await(`document.querySelector("#add-form").record.value.includes("1000")`)
	p.write("#add-form textarea", `{"asset": }`)
	p.write("#add-form select", "0") // what was written is not lost
	p.await(`document.querySelector("#add-fault").innerText.startsWith("The record stays")`)
	p.write("#add-form input", "newcomer")
	p.eval(`document.querySelector("#add-form").requestSubmit()`)
	p.await(`document.querySelector("#add-fault").innerText.startsWith("The record is no JSON")`)
	p.write("#add-form textarea", `{"asset": ""}`)
	p.eval(`document.querySelector("#add-form").requestSubmit()`)
	p.await(`document.querySelector("#add-fault").innerText === 'account "newcomer": asset is missing\nmaximum may be <b>any</b>'`)
	p.write("#add-form textarea", `{"asset": "USD", "maximum": 9007199254740993}`) // no number of JavaScript
	p.eval(`document.querySelector("#add-form").requestSubmit()`)
	p.await(`!document.querySelector("#add-dialog").open && document.querySelector("#account-rows").innerText.includes("newcomer")`)
	if a, ok := f.c.Account("newcomer"); !ok || a.Balance.Maximum != 9007199254740993 {
		t.Errorf("the account is %+v", a)
	}
	if got := p.eval(`document.querySelector("#add-form").record.value + document.querySelector("#add-form").account.value`); strings.Contains(fmt.Sprint(got), "9007199254740993") || strings.Contains(fmt.Sprint(got), "newcomer") {
		t.Errorf("the form still has %v", got)
	}

	// Paused, it shows what is left in flight.
	link := must2(f.c.Account("newcomer")).Plugin.(*fakeLink)
	arrived, release := make(chan struct{}), make(chan struct{})
	<-link.opened
	link.answer = func(*ilp.Prepare) ilp.Reply {
		close(arrived)
		<-release
		return &ilp.Fulfill{Fulfillment: fulfillment}
	}
	paid := make(chan ilp.Reply, 1)
	go func() { paid <- f.pay("upstream", "test.harbor.newcomer", 1) }()
	<-arrived
	p.eval(`[...document.querySelectorAll("#account-rows button")].find((b) => b.innerText === "newcomer").click()`)
	p.await(`document.querySelector("#account-dialog").open`)
	p.press("#account-body", "Pause")
	p.await(`document.querySelector("#account-body").innerText.includes("paused, 1 in flight")`)
	close(release)
	p.await(`document.querySelector("#account-body").innerText.includes("paused, nothing in flight")`)
	if reply, ok := (<-paid).(*ilp.Fulfill); !ok {
		t.Errorf("the packet in flight is answered %v", reply)
	}

	// Removal asks first; Escape and Cancel are no.
	p.press("#account-body", "Remove")
	p.await(`document.querySelector("#confirm-dialog").open && document.activeElement.id === "confirm-keep"`)
	p.key("Escape", "")
	p.await(`!document.querySelector("#confirm-dialog").open && document.querySelector("#account-dialog").open`)
	p.press("#account-body", "Remove")
	p.await(`document.querySelector("#confirm-dialog").open`)
	p.click("#confirm-keep")
	p.await(`!document.querySelector("#confirm-dialog").open`)
	if _, ok := f.c.Account("newcomer"); !ok {
		t.Error("it is removed without a yes")
	}
	// A question that is asked again before the end of the one before is told.
	p.press("#account-body", "Remove")
	p.eval(`document.querySelector("#confirm-keep").click(); [...document.querySelectorAll("#account-body button")].find((b) => b.innerText === "Remove").click()`)
	p.await(`document.querySelector("#confirm-dialog").open && document.querySelector("#confirm-title").innerText === "Remove newcomer?"`)
	p.write("#confirm-form input", "301")
	p.eval(`document.querySelector("#confirm-form").requestSubmit()`)
	p.await(`document.querySelector("#confirm-form input").validity.rangeOverflow && document.querySelector("#confirm-dialog").open`)
	p.write("#confirm-form input", "5")
	p.eval(`document.querySelector("#confirm-form").requestSubmit()`)
	p.await(`!document.querySelector("#account-dialog").open && document.querySelectorAll("#account-rows tr").length === 7`)
	if _, ok := f.c.Account("newcomer"); ok {
		t.Error("it is not removed")
	}
	b.forgetFaults("400") // of the record without an asset
	b.wantNoFaults()
}

// The configured routes are edited one at a time, and what is wrong is said
// beside the field.
func TestPageEditsConfiguredRoutes(t *testing.T) {
	b := newBrowser(t)
	f := harbor(t, admin.Options{LoopbackWithoutToken: true})
	p := b.open(serveLoopback(t, f.h), 1280, 900)
	p.await(`document.documentElement.dataset.ready === "yes"`)
	if got := p.eval(`document.querySelector("#add-button").checkVisibility()`); got != false {
		t.Error("accounts can be added where the host makes none")
	}
	p.click("#static-button")
	p.await(`document.querySelector("#static-dialog").open && document.querySelectorAll("#static-rows tr").length === 1`)
	set := func(prefix, nextHop string) {
		t.Helper()
		p.write("#static-form [name=prefix]", prefix)
		p.write("#static-form [name=nextHop]", nextHop)
		p.eval(`document.querySelector("#static-form").requestSubmit()`)
	}
	set("test.lumen", "lumen")
	p.await(`document.querySelectorAll("#static-rows tr").length === 2 && document.activeElement.name === "prefix" && document.activeElement.value === ""`)
	set("test.far.island", "upstream") // in the place of the one that is there
	p.await(`document.querySelector("#static-rows").innerText.includes("upstream")`)
	set("test..nothing", "lumen")
	p.await(`document.querySelector("#static-fault").innerText.includes("test..nothing")`)
	want := []connector.Route{{Prefix: "test.far.island", NextHop: "upstream"}, {Prefix: "test.lumen", NextHop: "lumen"}}
	if got := f.c.Router().ConfiguredRoutes(); len(got) != 2 || got[0].Prefix != want[0].Prefix || got[0].NextHop != want[0].NextHop || got[1].Prefix != want[1].Prefix {
		t.Errorf("the routes are %+v, want %+v", got, want)
	}
	p.eval(`document.querySelector("#static-rows button[aria-label='Remove the route to test.lumen']").click()`)
	p.await(`document.querySelector("#confirm-dialog").open && document.querySelector("#confirm-field").hidden`)
	p.eval(`document.querySelector("#confirm-form").requestSubmit()`)
	p.await(`document.querySelectorAll("#static-rows tr").length === 1 && document.activeElement.name === "prefix"`)
	p.key("Escape", "")
	p.await(`!document.querySelector("#static-dialog").open`)
	p.await(`document.querySelector("#route-rows").innerText.includes("upstream")`)
	b.forgetFaults("400") // of the wrong prefix
	b.wantNoFaults()
}

// What others have written is text, whatever it looks like, and does not turn
// the text around it.
func TestPageShowsHostileTextAsText(t *testing.T) {
	const hostile = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>\u202e"
	b := newBrowser(t)
	f := harbor(t, admin.Options{LoopbackWithoutToken: true})
	f.links["lumen"].answer = func(*ilp.Prepare) ilp.Reply {
		return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, TriggeredBy: ilp.MustParseAddress("test.lumen"), Message: hostile}
	}
	if err := f.c.Router().SetRoutes([]connector.Route{{Prefix: "test.lumen", NextHop: "lumen"}}); err != nil {
		t.Fatal(err)
	}
	f.links["north-bank"].paid = func(connector.Money) error { return errors.New(hostile) }
	f.pay("alice", "test.lumen.shop", 100)
	if _, err := f.c.Settle(t.Context(), "north-bank", 7_000_000); err != nil {
		t.Fatal(err)
	}
	p := b.open(serveLoopback(t, f.h), 1280, 900)
	p.await(`document.documentElement.dataset.ready === "yes"`)
	p.await(`document.querySelector("#settlement-list").innerText.includes("onerror")`)
	p.eval(`(() => { const form = document.querySelector("#probe-form"); form.address.value = "test.lumen.shop"; form.requestSubmit() })()`)
	p.await(`document.querySelector("#probe-result").innerText.includes("onerror")`)
	if got := p.eval(`document.querySelectorAll("main img, main script").length + document.title`); got != "0test.harbor – connector" {
		t.Errorf("the page became %v", got)
	}
	if got := p.eval(`[...document.querySelectorAll("main *")].filter((e) => e.children.length === 0 && e.textContent.includes("onerror") && e.localName !== "bdi").map((e) => e.outerHTML).join()`); got != "" {
		t.Errorf("it stands with other text: %v", got)
	}
	b.wantNoFaults()
}
