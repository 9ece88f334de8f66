//go:build unix

package admin_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store/memstore"

	"github.com/interledger-go/connector/backend/static"
)

var (
	screenshots = flag.String("screenshots", "", "make screenshots of the page with traffic, in this `directory`")
	traffic     = flag.Duration("traffic", 125*time.Second, "how long the traffic of the screenshots lasts")
)

// serveLoopback serves a handler without tokens on a loopback address.
func serveLoopback(t *testing.T, h *admin.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.Close()
		server.Close()
	})
	return server.URL + "/"
}

// harbor is a connector with something of everything to show.
func harbor(t *testing.T, o admin.Options) *fixture {
	t.Helper()
	rates := must(static.New(static.Options{Spread: "0.002", Rates: static.Rates{"USD": {"EUR": "0.8627", "JPY": "156.42", "XRP": "0.4518"}}}))
	c := must(connector.New(connector.Config{
		Address: "test.harbor", Store: memstore.New(), Backend: rates, Middleware: logging(middleware.PacketLogOptions{}),
		Routes: []connector.Route{{Prefix: "test.far.island", NextHop: "north-bank"}},
	}))
	f := &fixture{t: t, c: c, links: make(map[string]*fakeLink)}
	limits := func(minimum, maximum int64) *connector.BalanceLimits {
		return &connector.BalanceLimits{Minimum: minimum, Maximum: maximum}
	}
	usd, eur := connector.Asset{Code: "USD", Scale: 6}, connector.Asset{Code: "EUR", Scale: 9}
	f.add(connector.Account{ID: "alice", Relation: connector.Child, Asset: usd, Balance: limits(-500e6, 500e6)})
	f.add(connector.Account{ID: "bakery", Relation: connector.Child, Asset: eur, Balance: limits(-2000e9, 300e9)})
	f.add(connector.Account{ID: "kiosk", Relation: connector.Child, Asset: connector.Asset{Code: "JPY"}, Balance: limits(-80000, 50000)})
	f.add(connector.Account{ID: "lumen", Relation: connector.Peer, Asset: eur, Balance: limits(-5000e9, 5000e9)})
	f.add(connector.Account{ID: "north-bank", Relation: connector.Peer, Asset: usd, Balance: &connector.BalanceLimits{
		Minimum: -4000e6, Maximum: 4000e6, SettleThreshold: connector.Int(-3800e6)}})
	f.add(connector.Account{ID: "wallet-7", Relation: connector.Child, Asset: usd, Balance: limits(-50e6, 0)})
	f.add(connector.Account{ID: "upstream", Relation: connector.Parent, Asset: connector.Asset{Code: "XRP", Scale: 9}, RateLimit: &connector.RateLimit{RefillCount: 10000}})
	o.Connector = c
	f.h = must(admin.New(o))
	f.run()
	return f
}

// The page shows what there is, follows what moves, and does what it is told,
// in a real browser, under its own policy.
func TestPage(t *testing.T) {
	b := newBrowser(t)
	f := harbor(t, admin.Options{LoopbackWithoutToken: true})
	f.links["lumen"].answer = func(*ilp.Prepare) ilp.Reply {
		return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, TriggeredBy: ilp.MustParseAddress("test.lumen"), Message: "exceeded maximum balance."}
	}
	f.links["north-bank"].paid = func(connector.Money) error { return errors.New("the bank is closed") }
	if err := f.c.Router().SetRoutes([]connector.Route{{Prefix: "test.lumen", NextHop: "lumen"}, {Prefix: "test.far.island", NextHop: "north-bank"}}); err != nil {
		t.Fatal(err)
	}
	f.pay("alice", "test.lumen.shop", 100)
	p := b.open(serveLoopback(t, f.h), 1280, 900)
	p.await(`document.documentElement.dataset.ready === "yes"`)

	// What there is.
	p.await(`document.querySelectorAll("#account-rows tr").length === 7`)
	p.await(`document.querySelector("#state-text").innerText === "running"`)
	for selector, want := range map[string]string{
		"#address":        "test.harbor",
		"#account-rows":   "north-bank",
		"#route-rows":     "test.far.island",
		"#rate-table":     "0.860975", // 0.8627 × 0.998
		"#alert-list":     "It is owed too much, and takes no packets, says test.lumen",
		"#alert-badge":    "1",
		"#value-asset":    "EUR / 9",
		"#accounts-note":  "7",
		"#theme-button":   "Auto",
		"#routes-note":    "of 8",
		"#token-button":   "Token",
		".accounts thead": "Balance",
	} {
		if got := p.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q", selector, got, want)
		}
	}
	if got := fmt.Sprint(p.eval(`document.querySelector('#rate-table [title="alice to bakery"]').innerText`)); got != "0.860975" {
		t.Errorf("the rate from alice to the bakery is %s, want 0.860975", got)
	}

	// What moves.
	f.pay("alice", "test.harbor.wallet-7", 12_500_000)
	p.await(`document.querySelector("#account-rows tr").innerText.includes("12.50")`)
	p.await(`document.querySelector("#packets-plot .line").getAttribute("d").includes("L")`)
	if got := p.text("#account-rows tr:nth-child(7)"); !strings.Contains(got, "−12.47") || !strings.Contains(got, "wallet-7") {
		t.Errorf("the row of the wallet says %q", got)
	}

	// What it is told.
	p.eval(`document.querySelector("#account-rows button").click()`)
	p.await(`document.querySelector("#account-dialog").open`)
	if got := p.text("#account-body"); !strings.Contains(got, "500.00 USD") || !strings.Contains(got, "test.harbor.alice") {
		t.Errorf("the account says %q", got)
	}
	p.eval(`[...document.querySelectorAll("#account-body button")].find((b) => b.innerText === "Pause").click()`)
	p.await(`[...document.querySelectorAll("#account-body button")].some((b) => b.innerText === "Resume")`)
	if s, _ := f.c.AccountStatus("alice"); !s.Paused {
		t.Error("alice is not paused")
	}
	p.eval(`(() => { const form = document.querySelectorAll("#account-body form")[1]; form.amount.value = "-2.5"; form.requestSubmit() })()`)
	p.await(`document.querySelector("#account-body dd").innerText === "10.00 USD"`)
	p.key("Escape", "")
	p.await(`!document.querySelector("#account-dialog").open`)
	p.await(`document.querySelector("#account-rows tr").innerText.includes("paused")`)

	p.eval(`document.querySelector("#alert-list button").click()`)
	p.await(`getComputedStyle(document.querySelector("#alerts")).display === "none" && document.querySelector("#alert-badge").hidden`)
	if alerts := f.c.Alerts(); len(alerts) != 0 {
		t.Errorf("the alerts are %+v, want none", alerts)
	}
	if _, err := f.c.Settle(t.Context(), "north-bank", 7_000_000); err != nil {
		t.Fatal(err)
	}
	p.await(`document.querySelector("#settlement-list").innerText.includes("7.00 USD to north-bank")`)

	p.eval(`(() => { const input = document.querySelector("#routes-form input"); input.value = "island"; input.dispatchEvent(new Event("input", { bubbles: true })) })()`)
	p.await(`document.querySelectorAll("#route-rows tr").length === 1 && document.querySelector("#routes-note").innerText === "1–1 of 1"`)
	p.eval(`(() => { const form = document.querySelector("#explain-form"); form.address.value = "test.far.island.hut"; form.requestSubmit() })()`)
	p.await(`document.querySelector("#explanation").innerText.includes("Taken: the longest prefix")`)
	p.eval(`(() => { const form = document.querySelector("#probe-form"); form.address.value = "test.harbor"; form.amount.value = "5"; form.requestSubmit() })()`)
	p.await(`document.querySelector("#probe-result").innerText.includes("5 of 5 arrived")`)
	p.eval(`(() => { const form = document.querySelector("#probe-form"); form.address.value = "g.nowhere"; form.requestSubmit(form.querySelector("[value=trace]")) })()`)
	p.await(`document.querySelector("#probe-result").innerText.includes("F02 by test.harbor")`)
	b.wantNoFaults()
}

// With tokens the page asks for one, once for the tab; who may only look is
// offered nothing else.
func TestPageAsksForAToken(t *testing.T) {
	b := newBrowser(t)
	f := harbor(t, admin.Options{Tokens: []string{fullToken}, ReadTokens: []string{readToken}, NewAccount: newHarborAccount, AccountTemplates: harborTemplates})
	p := b.open(serveLoopback(t, f.h), 1280, 900)
	enter := func(token string) {
		p.await(`document.querySelector("#token-dialog").open`)
		p.eval(fmt.Sprintf(`(() => { const form = document.querySelector("#token-form"); form.token.value = %q; form.requestSubmit() })()`, token))
	}
	enter("not the right one at all")
	p.await(`document.querySelector("#token-fault").innerText === "the token is none of those that are known"`)
	if got := p.text("#account-rows"); strings.Contains(got, "alice") {
		t.Error("the page shows accounts without a token")
	}
	enter(readToken)
	p.await(`document.querySelectorAll("#account-rows tr").length === 7`)
	p.eval(`document.querySelector("#account-rows button").click()`)
	p.await(`document.querySelector("#account-dialog").open`)
	if got := p.eval(`document.querySelectorAll("#account-body button, #account-body input").length`); got != 0.0 {
		t.Errorf("who may only look is offered %v buttons and fields", got)
	}
	if got := p.eval(`["#add-button", "#static-button"].filter((b) => document.querySelector(b).checkVisibility()).join()`); got != "" {
		t.Errorf("who may only look is offered %v", got)
	}
	p.reload(`location.reload()`)
	p.await(`document.querySelectorAll("#account-rows tr").length === 7`) // it is kept in the tab
	p.await(`document.querySelector("#token-button").innerText === "Read only: forget token"`)
	p.reload(`document.querySelector("#token-button").click()`)
	enter(fullToken)
	p.await(`document.querySelector("#token-button").innerText === "Forget token"`)
	if got := p.eval(`Object.values(localStorage).join() + document.cookie + location.href`); strings.Contains(fmt.Sprint(got), fullToken) {
		t.Errorf("the token is in %v", got)
	}
	b.wantNoFaults()
}

// The page can be read on a phone, in the dark, by those who see little and
// those who use no mouse.
func TestPageIsForEverybody(t *testing.T) {
	b := newBrowser(t)
	f := harbor(t, admin.Options{LoopbackWithoutToken: true, NewAccount: newHarborAccount, AccountTemplates: harborTemplates})
	f.pay("alice", "test.harbor.wallet-7", 12_500_000)
	p := b.open(serveLoopback(t, f.h), 360, 740)
	p.await(`document.documentElement.dataset.ready === "yes" && document.querySelectorAll("#account-rows tr").length === 7 && document.querySelectorAll("#packet-rows tr").length === 1`)
	for _, width := range []int{320, 360, 768, 1280} {
		p.size(width, 740)
		if got := p.eval(`document.scrollingElement.scrollWidth`); got != float64(width) {
			t.Errorf("at a width of %d the page is %v wide", width, got)
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		for _, selector := range []string{"h1", "h2", ".note", ".amount", ".amount.owing", "#routes-form input", "#probe-form button", ".accounts small", ".meter .ends", "nav a", ".chart .mark",
			".packets td", ".packets .minor", ".packets .latency-cell", "#packet-note", "#packet-form input"} {
			ratio, _ := p.eval(fmt.Sprintf(contrast, selector)).(float64)
			if ratio < 4.5 {
				t.Errorf("%s: %s has a contrast of %.2f, want 4.5", scheme, selector, ratio)
			}
		}
	}
	p.eval(`document.querySelector("#theme-button").click()`) // dark
	p.eval(`document.querySelector("#theme-button").click()`) // light
	if got := p.eval(`getComputedStyle(document.body).backgroundColor + document.querySelector("#theme-button").ariaLabel`); got != "rgb(244, 244, 241)Colors: light" {
		t.Errorf("the light theme is %v", got)
	}

	roles := p.named()
	for _, role := range []string{"button", "link", "searchbox", "combobox", "region", "navigation", "heading"} {
		if roles[role] == 0 {
			t.Errorf("there is no %s: %v", role, roles)
		}
	}

	// So it is in what is opened, by a button after the one of another dialog.
	for _, dialog := range []struct {
		first, button string
		roles         map[string]int
	}{
		{"", "#add-button", map[string]int{"dialog": 1, "button": 2, "textbox": 2, "combobox": 1}},
		{"", "#static-button", map[string]int{"dialog": 1, "button": 3, "textbox": 1, "columnheader": 3}},
		{"", "#account-rows button", map[string]int{"dialog": 1, "button": 5, "textbox": 2}},
		{"#static-button", "#static-rows .danger", map[string]int{"alertdialog": 1, "button": 2}},
		{"#account-rows button", "#account-body .danger", map[string]int{"alertdialog": 1, "button": 2, "spinbutton": 1}},
	} {
		if dialog.first != "" {
			p.click(dialog.first)
			p.await(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, dialog.button))
		}
		before := p.eval(`document.querySelectorAll("dialog[open]").length`)
		p.click(dialog.button)
		p.await(fmt.Sprintf(`document.querySelectorAll("dialog[open]").length === %v + 1`, before))
		for _, width := range []int{320, 360, 1280} {
			p.size(width, 740)
			if got := p.eval(`[...document.querySelectorAll("dialog[open]")].filter((d) => d.scrollWidth > d.clientWidth || d.getBoundingClientRect().right > innerWidth).map((d) => d.id).join()`); got != "" {
				t.Errorf("at a width of %d %v is wider", width, got)
			}
		}
		roles := p.named()
		for role, want := range dialog.roles {
			if roles[role] < want {
				t.Errorf("%s opens %v, want %v", dialog.button, roles, dialog.roles)
				break
			}
		}
		p.eval(`document.querySelectorAll("dialog[open]").forEach((d) => d.close())`)
	}

	// The keyboard gets everywhere, and opens an account and closes it.
	p.size(1280, 900)
	p.eval(`(document.activeElement?.blur(), scrollTo(0, 0))`)
	p.key("Tab", "")
	if got := p.eval(`document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %v, want the link to the accounts", got)
	}
	p.key("Enter", "")
	p.await(`document.activeElement.id === "accounts"`)
	for _, want := range []string{"Add an account", "alice"} {
		p.key("Tab", "")
		if got := p.eval(`document.activeElement.innerText`); got != want {
			t.Errorf("a stop in the accounts is %v, want %v", got, want)
		}
	}
	p.key("Enter", "")
	p.await(`document.querySelector("#account-dialog").open`)
	p.key("Escape", "")
	p.await(`!document.querySelector("#account-dialog").open && document.activeElement.innerText === "alice"`)
	b.wantNoFaults()
}

// named gives how many there are of each role that does something, and fails the
// test if one of them has no name.
func (p *tab) named() map[string]int {
	p.t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value string }
		}
	}
	p.call(p.session, "Accessibility.getFullAXTree", nil, &tree)
	roles := make(map[string]int)
	for _, node := range tree.Nodes {
		switch role := node.Role.Value; role {
		case "button", "link", "textbox", "searchbox", "combobox", "spinbutton", "image", "region", "dialog", "alertdialog", "navigation", "search", "columnheader", "heading":
			roles[role]++
			if node.Name.Value == "" && role != "search" && (role != "image" || !node.Ignored) {
				p.t.Errorf("a %s has no name", role)
			}
		}
	}
	return roles
}

// contrast is that of the text of an element with what is behind it (WCAG 2).
const contrast = `(() => {
	const element = document.querySelector(%q);
	const parse = (text) => {
		const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
		canvas.fillStyle = text;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
		.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	let behind = element;
	while (behind && parse(getComputedStyle(behind).backgroundColor)[3] < 200) behind = behind.parentElement;
	const [x, y] = [light(parse(getComputedStyle(element).color)), light(parse(getComputedStyle(behind ?? document.body).backgroundColor))];
	return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
})()`

// TestScreenshots makes the pictures of the documents. It is no test, and runs
// when it is asked to.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("-screenshots is not set")
	}
	b := newBrowser(t)
	f := harbor(t, admin.Options{LoopbackWithoutToken: true, NewAccount: newHarborAccount, AccountTemplates: []admin.AccountTemplate{{
		Name:   "A peer that we dial, BTP",
		Record: json.RawMessage(`{"relation": "peer", "plugin": "btp", "assetCode": "USD", "assetScale": 9, "balance": {"maximum": "1000000000"}, "options": {"server": ""}}`),
	}}})
	f.links["north-bank"].paid = func(connector.Money) error { return errors.New("the bank is closed until Monday") }
	for _, adjusted := range []struct {
		id   string
		diff int64
	}{{"alice", 212_340_000}, {"bakery", -1_284_610_000_000}, {"kiosk", 18_240}, {"lumen", 1_930_250_000_000}, {"north-bank", -2_310_870_000}, {"wallet-7", -31_200_000}, {"upstream", 8_412_007_650_000}} {
		if err := f.c.AdjustBalance(t.Context(), adjusted.id, adjusted.diff); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.c.Settle(t.Context(), "north-bank", 120_000_000); err != nil {
		t.Fatal(err)
	}
	routes := []connector.Route{{Prefix: "test.lumen", NextHop: "lumen"}, {Prefix: "test.far.island", NextHop: "north-bank"}, {Prefix: "test.far", NextHop: "upstream"}}
	if err := f.c.Router().SetRoutes(routes); err != nil {
		t.Fatal(err)
	}
	url := serveLoopback(t, f.h)
	wide, phone := b.open(url, 1280, 1180), b.open(url, 360, 1400)
	f.links["lumen"].answer = func(p *ilp.Prepare) ilp.Reply {
		switch {
		case p.Amount > 50e9:
			return nil // in flight while the pictures are taken
		case rand.N(9) == 0:
			return &ilp.Reject{Code: ilp.T04InsufficientLiquidity, TriggeredBy: ilp.MustParseAddress("test.lumen"), Message: "exceeded maximum balance."}
		}
		return &ilp.Fulfill{Fulfillment: fulfillment}
	}
	done := make(chan struct{})
	var senders sync.WaitGroup
	senders.Go(func() { f.trade(done) })
	<-time.After(*traffic)
	for _, held := range []struct {
		from   string
		amount uint64
	}{{"alice", 90e6}, {"north-bank", 700e6}, {"bakery", 130e9}} {
		senders.Go(func() { f.pay(held.from, "test.lumen.shop", held.amount) })
	}
	for _, p := range []*tab{wide, phone} {
		p.eval(`(() => { const form = document.querySelector("#explain-form"); form.address.value = "test.far.island.hut"; form.requestSubmit() })()`)
		p.eval(`(() => { const form = document.querySelector("#probe-form"); form.address.value = "test.harbor"; form.requestSubmit(form.querySelector("[value=ping]")) })()`)
		p.await(`document.querySelector("#explanation").innerText.includes("Taken") && document.querySelector("#probe-result ol")`)
		p.eval(`(document.activeElement?.blur(), scrollTo(0, 0))`)
	}
	wide.await(`document.querySelector("#account-rows").innerText.includes("3 out")`)
	for _, scheme := range []string{"light", "dark"} {
		wide.scheme(scheme)
		wide.screenshot(filepath.Join(*screenshots, "page-"+scheme+".png"), false)
		phone.scheme(scheme)
		phone.screenshot(filepath.Join(*screenshots, "phone-"+scheme+".png"), false)
	}
	for name, p := range map[string]*tab{"packets-wide": wide, "packets-phone": phone} {
		p.eval(`document.querySelector("#packets").scrollIntoView({ behavior: "instant" })`)
		p.screenshot(filepath.Join(*screenshots, name+".png"), false)
	}
	for _, dialog := range []struct{ name, button string }{
		{"account", `#account-rows tr:nth-child(5) button`}, {"remove", `#account-body .danger`}, {"add", `#add-button`}, {"static", `#static-button`},
	} {
		for size, p := range map[string]*tab{"wide": wide, "phone": phone} {
			p.click(dialog.button)
			p.await(`document.querySelector("dialog[open]")`)
			p.screenshot(filepath.Join(*screenshots, dialog.name+"-"+size+".png"), false)
			if dialog.name != "account" { // remove is asked within it
				p.eval(`document.querySelectorAll("dialog[open]").forEach((d) => d.close())`)
			}
		}
	}
	b.wantNoFaults()
	close(done)
	f.stop() // answers what is in flight
	senders.Wait()
}

// trade sends packets, now more, now less, until done is closed.
func (f *fixture) trade(done chan struct{}) {
	ways := [][2]string{{"alice", "test.harbor.bakery"}, {"bakery", "test.lumen.shop"}, {"lumen", "test.harbor.alice"}, {"north-bank", "test.harbor.kiosk"},
		{"kiosk", "test.far.island"}, {"alice", "test.far.away"}, {"upstream", "test.harbor.bakery"}, {"lumen", "test.far.away"}, {"wallet-7", "test.lumen.shop"}}
	ticker := time.NewTicker(40 * time.Millisecond)
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ticker.C:
			tide := 3 + 2*math.Sin(float64(turn)/160) + math.Sin(float64(turn)/37)
			for range int(tide) {
				way := ways[rand.N(len(ways))]
				amount := map[string]uint64{"USD": 90_000, "EUR": 60_000_000, "JPY": 20, "XRP": 90_000_000}[must2(f.c.Account(way[0])).Asset.Code]
				f.pay(way[0], way[1], 1+rand.N(amount))
			}
		case <-done:
			return
		}
	}
}

func must2[T any](v T, ok bool) T {
	if !ok {
		panic("it is not there")
	}
	return v
}
