package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/interledger-go/connector/ledger"
)

// A batch that holds the posting of a source holds that of its destination,
// which was made before. Each payer has digits of its own in all balances, so
// that its postings can be counted in every image of the disk.
func TestEveryBatchIsAConsistentCut(t *testing.T) {
	const payers, postings, accounts, digit = 6, 400, 3, 10
	source := func(i int) string { return fmt.Sprintf("source %d", i) }
	destination := func(i int) string { return fmt.Sprintf("destination %d", i) }
	count := func(image map[string]string, payer int) (sent, received int64) {
		for i := range accounts {
			received += durableBalance(t, image, source(i)) >> (digit * payer) & (1<<digit - 1)
			sent += -durableBalance(t, image, destination(i)) >> (digit * payer) & (1<<digit - 1)
		}
		return sent, received
	}
	d := newDisk(nil)
	cuts, ahead := 0, 0
	d.onWrite = func(image map[string]string) {
		cuts++
		for payer := range payers {
			sent, received := count(image, payer)
			if sent < received || sent > received+1 {
				t.Errorf("cut %d: payer %d: %d postings on destinations, %d on sources", cuts, payer, sent, received)
			}
			if sent > received {
				ahead++
			}
		}
	}
	h := start(t, d)
	var sources, destinations []ledger.Book
	for i := range accounts {
		sources, destinations = append(sources, h.book(source(i))), append(destinations, h.book(destination(i)))
	}
	var group sync.WaitGroup
	for payer := range payers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(payer), 2))
			amount := uint64(1) << (digit * payer)
			for range postings {
				post(t, destinations[r.IntN(accounts)], ledger.Outgoing, amount)
				post(t, sources[r.IntN(accounts)], ledger.Incoming, amount)
				runtime.Gosched() // more cuts
			}
		})
	}
	group.Wait()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	for payer := range payers {
		if sent, received := count(d.image(), payer); sent != postings || received != postings {
			t.Errorf("payer %d: at the end %d and %d postings are durable, want %d", payer, sent, received, postings)
		}
	}
	t.Logf("%d cuts, %d of them between the two postings of a payer", cuts, ahead)
}

// What is posted while a batch is being written is in the next one.
func TestAPostingAfterTheCutWaitsForTheNextBatch(t *testing.T) {
	d := newDisk(nil)
	var images []int64
	var b ledger.Book
	d.onWrite = func(image map[string]string) {
		if images = append(images, durableBalance(t, image, "a")); len(images) == 1 {
			post(t, b, ledger.Incoming, 10) // while the first batch is being written
		}
	}
	h := start(t, d)
	b = h.book("a")
	post(t, b, ledger.Incoming, 1)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if len(images) != 2 || images[0] != 1 || images[1] != 11 {
		t.Errorf("images %v, want 1 and then 11", images)
	}
}
