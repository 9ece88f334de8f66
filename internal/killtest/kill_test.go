package killtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/interledger-go/connector/internal/testserver"
)

var (
	kills    = flag.Int("kills", 50, "how often TestKill kills the connector; those over servers kill it a fifth as often, that with users three tenths")
	killSeed = flag.Uint64("kills.seed", 0, "the seed of the load and of the instants; 0: another one each time")
)

// A connector that is killed at any instant has in its books all that it has
// told, and nothing that was not asked for.
func TestKill(t *testing.T) {
	testKill(t, setup{Store: onDisk(t)}, *kills)
}

// The same with users behind an account: their books are told what the
// account's are, and agree with it.
func TestKillUsers(t *testing.T) {
	testKill(t, setup{Store: onDisk(t), Users: filepath.Join(t.TempDir(), "users")}, (*kills*3+9)/10)
}

func onDisk(t testing.TB) place {
	return place{bolt, filepath.Join(t.TempDir(), "connector.db")}
}

func TestKillOnRedis(t *testing.T) {
	testKill(t, setup{Store: place{redis, testserver.Redis(t).Addr()}}, (*kills+4)/5)
}

func TestKillOnPostgreSQL(t *testing.T) {
	testKill(t, setup{Store: place{postgreSQL, testserver.PostgreSQL(t).Addr()}}, (*kills+4)/5)
}

func testKill(t *testing.T, s setup, kills int) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	w := newWorld(t, seed, s)
	w.hangs = true
	s.Server = w.addr
	instants := rand.New(rand.NewPCG(seed, 2))
	for range kills {
		w.killOnce(s, instants)
	}
	w.liveOn(s)
	w.report(fmt.Sprintf("%d kills", kills))
}

// killOnce is the life of a process: it finds its books, which are audited,
// works, and is killed at a random instant, which may come before any of this.
func (w *world) killOnce(s setup, r *rand.Rand) {
	p := startProcess(w.t, s)
	at := fuse{blow: p.kill}
	switch n := r.IntN(20); {
	case n == 0: // while it opens its books, or before
		p.kill()
		_ = p.wait()
		return
	case n < 8:
		at.kind, at.left = answered, r.IntN(3000)
	case n < 14:
		at.kind, at.left = arrived, r.IntN(3000)
	case n < 17:
		at.kind, at.left = paid, 1+r.IntN(5)
	default:
		at.kind, at.left = booked, 1+r.IntN(5)
	}
	w.audit(p.books(w.t), false)
	w.light(at)
	p.tell(run)
	l := w.begin()
	if err := p.wait(); err == nil {
		w.t.Fatalf("the process has ended by itself\n%s", p.log.String())
	}
	w.light(fuse{})
	l.end()
	w.awaitDisconnected()
}

// liveOn is the life of the last process, which ends in good order: all
// settlements are paid or refused for good, and the books agree to the last
// unit.
func (w *world) liveOn(s setup) {
	p := startProcess(w.t, s)
	w.audit(p.books(w.t), false)
	w.mu.Lock()
	w.generous = true
	w.mu.Unlock()
	p.tell(run)
	l := w.begin()
	w.awaitEvents(answered, 2000)
	l.drain()
	w.awaitSettled(func() []book { return p.books(w.t) })
	p.stop(w.t)
	l.end()
	w.awaitDisconnected()

	p = startProcess(w.t, s)
	books := p.books(w.t)
	p.stop(w.t)
	w.audit(books, true)
	for _, b := range books {
		if len(b.Settlements) != 0 {
			w.t.Errorf("%s: settlements %v are left", b.Account, b.Settlements)
		}
	}
}
