package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// While accounts come, go and change by SIGHUP, and while a file is wrong,
// every packet between two others is fulfilled, and none is booked twice.
func TestReloadUnderTraffic(t *testing.T) {
	const rounds = 6
	busy := func(relation, plugin, options string) string {
		return fmt.Sprintf(`{"relation": %q, "plugin": %q, "assetCode": "USD", "assetScale": 9, "rateLimit": {"refillCount": 1000000000}, "options": %s}`, relation, plugin, options)
	}
	others := []string{`"alice": ` + busy("peer", "btp", `{"listener": {"host": "127.0.0.1", "port": 0, "secret": "alice"}}`), `"sink": ` + busy("child", "loopback", "{}")}
	round := func(i int) []string { // on the listener that alice has, too
		return append(others[:len(others):len(others)], fmt.Sprintf(`"n%d": %s`, i, record("child", "loopback", "{}")), `"m": `+listener(fmt.Sprintf("m%d", i)))
	}
	path := configuration(t, "", round(0)...)
	p, flags := operatedBy(t, path)
	alice := join(t, p.says(listening), "alice")

	var paid atomic.Int64
	var senders sync.WaitGroup
	stop := make(chan struct{})
	begun := make(chan struct{}, 8)
	for range cap(begun) {
		senders.Go(func() {
			first := sync.OnceFunc(func() { begun <- struct{}{} })
			defer first()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := alice.pay("test.connie.sink"); err != nil {
					t.Errorf("a packet: %v", err)
					return
				}
				paid.Add(10)
				first()
			}
		})
	}
	for range cap(begun) {
		<-begun
	}
	for i := 1; i <= rounds; i++ {
		configuration(t, path, round(i)...)
		p.signal(syscall.SIGHUP)
		p.says(fmt.Sprintf(`read again" changes="added n%d; removed n%d; changed m"`, i, i-1))
	}
	if err := os.WriteFile(path, []byte(`{"accounts": {}, "spred": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.says(`not applied" fault="spred.*did you mean spread`)
	close(stop)
	senders.Wait()
	if len(alice.down) > 0 {
		t.Error("the link of an account that was not changed went down")
	}
	var book struct {
		Accounts map[string]struct{ Balance string }
	}
	answers(t, flags, "balance", &book)
	if got, want := book.Accounts["alice"].Balance, fmt.Sprint(paid.Load()); got != want || book.Accounts["sink"].Balance != "-"+want {
		t.Errorf("the books say %+v, want %s", book.Accounts, want)
	}
	if _, there := book.Accounts[fmt.Sprintf("n%d", rounds)]; !there || len(book.Accounts) != 4 {
		t.Errorf("the accounts are %+v", book.Accounts)
	}
}
