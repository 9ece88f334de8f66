//go:build unix

package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/ilp"
)

// The page shows the packets of the log as they are answered, those that are
// asked for, until it is told to pause.
func TestPageShowsPackets(t *testing.T) {
	b := newBrowser(t)
	f := harbor(t, admin.Options{LoopbackWithoutToken: true})
	f.links["lumen"].answer = func(*ilp.Prepare) ilp.Reply {
		return &ilp.Reject{Code: ilp.F99ApplicationError, TriggeredBy: ilp.MustParseAddress("test.lumen")}
	}
	if err := f.c.Router().SetRoutes([]connector.Route{{Prefix: "test.lumen", NextHop: "lumen"}}); err != nil {
		t.Fatal(err)
	}
	f.pay("alice", "test.harbor.wallet-7", 12_500_000)
	p := b.open(serveLoopback(t, f.h), 1280, 900)
	rows := func(want ...string) { // a part of each, the last received first
		t.Helper()
		p.await(fmt.Sprintf(`document.querySelectorAll("#packet-rows tr").length === %d`, len(want)))
		for i, text := range want {
			p.await(fmt.Sprintf(`document.querySelectorAll("#packet-rows tr")[%d].innerText.replace(/\s+/g, " ").includes(%q)`, i, text))
		}
		p.await(fmt.Sprintf(`document.querySelector("#packet-empty").hidden === %v`, len(want) > 0))
	}
	set := func(name, value string) {
		t.Helper()
		p.eval(fmt.Sprintf(`(() => { const input = document.querySelector("#packet-form").elements[%q]; input.value = %q; input.dispatchEvent(new Event("input", { bubbles: true })) })()`, name, value))
	}

	// What was before the page, and what comes.
	const (
		wallet = "alice 12.50 USD → wallet-7 12.47 USD test.harbor.wallet-7 fulfilled"
		lumen  = "bakery 0.000000007 EUR → lumen 0.000000006 EUR test.lumen.shop rejected F99"
		far    = "kiosk 3 JPY → nobody g.far refused F02"
	)
	rows(wallet)
	p.await(`document.querySelector("#packet-note").innerText === "live"`)
	f.pay("bakery", "test.lumen.shop", 7)
	rows(lumen, wallet)
	f.pay("kiosk", "g.far", 3)
	rows(far, lumen, wallet)
	if got := p.text("#packet-rows .latency-cell"); !strings.HasSuffix(got, " ms") {
		t.Errorf("the latency is %q", got)
	}

	// What is asked for.
	set("account", "lumen")
	rows(lumen)
	set("account", "")
	set("prefix", "test.harbor.") // whoever goes on to write sees what there is
	rows(wallet)
	set("prefix", "test..harbor")
	p.await(`document.querySelector("#packet-note").innerText.startsWith("An address has letters")`)
	set("prefix", "test")
	rows(lumen, wallet)
	set("outcome", "expired")
	rows()
	if got := p.text("#packet-empty"); got != "No packet is like this." {
		t.Errorf("without packets it says %q", got)
	}
	set("outcome", "rejected")
	rows(lumen)
	f.pay("kiosk", "test.harbor.alice", 100)
	f.pay("bakery", "test.lumen.shop", 7)
	rows(lumen, lumen)

	// A pause keeps what is seen; it is over when something else is asked for.
	p.eval(`document.querySelector("#packet-pause").focus()`)
	p.key("Enter", "")
	p.await(`document.querySelector("#packet-note").innerText === "paused" && document.querySelector("#packet-pause").innerText === "Resume"`)
	f.pay("bakery", "test.lumen.shop", 7)
	rows(lumen, lumen)
	p.key("Enter", "")
	rows(lumen, lumen, lumen)
	p.key("Enter", "")
	p.await(`document.querySelector("#packet-note").innerText === "paused"`)
	set("prefix", "")
	p.await(`document.querySelector("#packet-note").innerText === "live" && document.querySelector("#packet-pause").innerText === "Pause"`)

	// However many come, the page keeps a bounded number of them.
	set("outcome", "")
	for range 150 {
		f.pay("upstream", "test.harbor.bakery", 1)
	}
	p.await(`document.querySelectorAll("#packet-rows tr").length === 100`)
	p.await(`[...document.querySelectorAll("#packet-rows tr")].every((row) => row.innerText.includes("upstream"))`)
	if got := p.eval(`document.querySelector(".log").scrollHeight > document.querySelector(".log").clientHeight && document.querySelector(".log").tabIndex === 0`); got != true {
		t.Error("the rows do not scroll in a part of the page that the keyboard gets to")
	}
	b.wantNoFaults()
}

// Where there is no packet log the page has no place for one.
func TestPageWithoutAPacketLog(t *testing.T) {
	b := newBrowser(t)
	p := b.open(serveLoopback(t, must(admin.New(admin.Options{Connector: plain(t), LoopbackWithoutToken: true}))), 1280, 900)
	p.await(`document.documentElement.dataset.ready === "yes"`)
	if got := p.eval(`document.querySelector("#packets").checkVisibility() || document.querySelector("#packets-link").checkVisibility()`); got != false {
		t.Error("the page shows packets of a connector that keeps no log")
	}
	b.wantNoFaults()
}
