package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// A crash leaves one of the images that the disk had. Each of them is opened
// again here, and holds: what had been acknowledged, and nothing that was not
// asked for; every settlement, to be paid under its own key.
func TestCrashAtEveryPoint(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				w.live()
				for i := range w.images {
					w.reopen(i)
				}
				t.Logf("%d images, %d settlements", len(w.images), len(w.bank.executed)+len(w.bank.refused))
			})
		})
	}
}

// packetAmount is what a packet moves on the destination; on the source it is
// 1.
const packetAmount = 1000

// world is a process and what surrounds it: the disk, the bank that executes
// settlements, and those who were told something.
type world struct {
	t     *testing.T
	r     *rand.Rand
	disk  *disk
	bank  *bank
	mu    sync.Mutex // guards what follows; taken inside the disk's lock
	image int        // the present one

	images []map[string]string
	made   []map[string]bool // for each image the settlements seen up to it
	acts   []act
}

// act is something that was asked for, and acknowledged, while the disk had
// certain images.
type act struct {
	kind         string // "packet", "receive", "send"
	key          string
	asked, acked int // images; acked is never, if it was not
}

const never = 1 << 30

// bank executes settlements, each key once.
type bank struct {
	mu                sync.Mutex
	executed, refused map[string]uint64
	when              map[string]int // the image at which a key was executed first
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 3)), disk: newDisk(nil)}
	w.bank = &bank{executed: make(map[string]uint64), refused: make(map[string]uint64), when: make(map[string]int)}
	w.images = []map[string]string{{}}
	w.made = []map[string]bool{{}}
	faults := rand.New(rand.NewPCG(seed, 4))
	w.disk.delay = 3 * time.Millisecond
	w.disk.script = func(int) fault { return []fault{succeeds, succeeds, notWritten, lost, replyLost}[faults.IntN(5)] }
	w.disk.onWrite = func(contents map[string]string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		made := maps.Clone(w.made[w.image])
		for key := range contents {
			if key, ok := strings.CutPrefix(key, ledger.OutKey("destination", "")); ok {
				made[key] = true
			}
		}
		w.images, w.made = append(w.images, maps.Clone(contents)), append(w.made, made)
		w.image++
	}
	return w
}

// now is the image that the disk has.
func (w *world) now() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.image
}

// done notes an act.
func (w *world) done(a act) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acts = append(w.acts, a)
}

// pay is the bank as the destination's link sees it.
func (w *world) pay(_ context.Context, m plugin.Money) error {
	w.mu.Lock()
	at, image := w.image, w.images[w.image]
	w.mu.Unlock()
	if _, durable := image[ledger.OutKey("destination", m.Key)]; !durable {
		w.t.Errorf("settlement %q is paid before it is durable", m.Key)
	}
	w.bank.mu.Lock()
	defer w.bank.mu.Unlock()
	switch w.r.IntN(6) {
	case 0:
		return errTimeout // before anything was done
	case 1:
		if _, executed := w.bank.executed[m.Key]; !executed {
			w.bank.refused[m.Key] = m.Amount
		}
	}
	if _, refused := w.bank.refused[m.Key]; refused {
		return plugin.ErrNotSent
	}
	if _, again := w.bank.executed[m.Key]; !again {
		w.bank.executed[m.Key], w.bank.when[m.Key] = m.Amount, at
	}
	if w.r.IntN(2) == 0 {
		return errTimeout // the answer is lost
	}
	return nil
}

// live is the life of a process up to its end.
func (w *world) live() {
	h := start(w.t, w.disk, func(o *ledger.LocalOptions) { o.CloseTimeout = time.Minute })
	source := h.book("source")
	destination := h.book("destination", settling(-8*packetAmount, -2*packetAmount), paidBy(w.pay))
	destination.Settle()
	var group sync.WaitGroup
	seed := w.r.Uint64()
	for payer := range uint64(3) {
		group.Go(func() {
			r := rand.New(rand.NewPCG(seed, payer))
			for i := range 60 {
				switch r.IntN(10) {
				case 0:
					w.receive(destination, fmt.Sprint("received ", payer, i))
				case 1:
					w.send(destination)
				default:
					w.packet(source, destination)
				}
				time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
			}
		})
	}
	group.Wait()
	if err := h.stop(); err != nil {
		w.t.Errorf("Run returns %v", err)
	}
}

func (w *world) packet(source, destination ledger.Book) {
	ctx := context.Background()
	for source.Reserve(ctx, ledger.Incoming, 1, nil) != nil {
		time.Sleep(time.Millisecond) // the store fails at the moment
	}
	for destination.Reserve(ctx, ledger.Outgoing, packetAmount, nil) != nil {
		time.Sleep(time.Millisecond)
	}
	a := act{kind: "packet", asked: w.now(), acked: never}
	if err := destination.Post(ctx, ledger.Outgoing, packetAmount, nil); !errors.Is(err, ledger.ErrPending) {
		w.t.Error(err)
	}
	waiter := &told{then: func(err error) {
		if err != nil {
			w.t.Error(err)
		}
		a.acked = w.now()
		w.done(a)
	}}
	if err := source.Post(ctx, ledger.Incoming, 1, waiter); !errors.Is(err, ledger.ErrPending) {
		w.t.Error(err)
	}
}

func (w *world) receive(b ledger.Book, key string) {
	a := act{kind: "receive", key: key, asked: w.now()}
	receive(w.t, b, 1, key)
	a.acked = w.now()
	w.done(a)
}

func (w *world) send(b ledger.Book) {
	a := act{kind: "send", asked: w.now()}
	key, err := b.Send(context.Background(), 7)
	if err != nil {
		w.t.Error(err)
	}
	a.key, a.acked = key, w.now()
	w.done(a)
}

// reopen is the life of a process that begins after a crash with image i.
func (w *world) reopen(i int) {
	t, image := w.t, w.images[i]
	acked, asked := 0, 0
	for _, a := range w.acts {
		_, received := image[ledger.ReceivedKey("destination", a.key)]
		switch {
		case a.kind == "packet" && a.acked <= i:
			acked++
			asked++
		case a.kind == "packet" && a.asked <= i:
			asked++
		case a.kind == "receive" && a.acked <= i && !received:
			t.Errorf("image %d: the settlement %q was acknowledged, and is lost", i, a.key)
		case a.kind == "send" && a.acked <= i && !w.made[i][a.key]:
			t.Errorf("image %d: the settlement %q was acknowledged, and is not made", i, a.key)
		}
	}

	// The bank goes on as it was at the crash.
	b := &bank{executed: make(map[string]uint64)}
	for key, amount := range w.bank.executed {
		if w.bank.when[key] <= i {
			b.executed[key] = amount
		}
	}
	before := maps.Clone(b.executed)
	h := start(t, newDisk(image))
	source := h.book("source")
	destination := h.book("destination", settling(-8*packetAmount, -2*packetAmount), paidBy(b.pay))
	outstanding := destination.State().Settlements
	destination.Settle()
	synctest.Wait()

	for _, s := range outstanding {
		if b.executed[s.Key] != s.Amount {
			t.Errorf("image %d: the settlement %q of %d is lost", i, s.Key, s.Amount)
		}
	}
	paid := int64(0)
	for key, amount := range b.executed {
		paid += int64(amount)
		if _, had := before[key]; had && !w.made[i][key] {
			t.Errorf("image %d: %q was paid, and the books have never known it", i, key)
		}
	}
	received := int64(0)
	for key := range image {
		if strings.HasPrefix(key, ledger.ReceivedKey("destination", "")) {
			received++
		}
	}
	// What was posted to the destination is what is left when everything else
	// is taken from its balance.
	posted := paid - received - destination.State().Balance
	if n := posted / packetAmount; posted%packetAmount != 0 || n < int64(acked) || n > int64(asked) {
		t.Errorf("image %d: the destination's packets come to %d, want %d to %d times %d", i, posted, acked, asked, packetAmount)
	}
	if n := source.State().Balance; n < int64(acked) || n > posted/packetAmount {
		t.Errorf("image %d: the source's packets come to %d, want %d to %d", i, n, acked, posted/packetAmount)
	}
	if err := h.stop(); err != nil {
		t.Error(err)
	}
}

func (b *bank) pay(_ context.Context, m plugin.Money) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.executed[m.Key] = m.Amount
	return nil
}
