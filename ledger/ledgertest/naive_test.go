package ledgertest_test

import (
	"context"
	"errors"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
)

// naive is a ledger that keeps the contract, but for its fault. It may be
// pending: then it answers Reserve and Post later, from its Run, as a ledger
// behind a network would.
type naive struct {
	fault   fault
	pending bool
	disk    map[string]*page // outlives it

	mu      sync.Mutex
	books   map[string]*naiveBook // open
	queue   []func()
	work    chan struct{}
	stopped bool
	told    int
	keys    map[string]naiveReceived // for receivesElsewhere
	terms   map[string]ledger.Terms
}

// page is what is written of an account.
type page struct {
	balance  int64
	in, out  uint64
	last     int64 // the last change of balance
	outbox   []ledger.Settlement
	paid     []ledger.Settlement
	fraction uint64 // of a unit, received
	received map[string]naiveReceived
	asset    ilp.Asset
}

func newNaive(f fault, pending bool, disk map[string]*page) *naive {
	return &naive{fault: f, pending: pending, disk: disk, books: make(map[string]*naiveBook), work: make(chan struct{}, 1),
		keys: make(map[string]naiveReceived), terms: make(map[string]ledger.Terms)}
}

// reopened is the ledger after a restart.
func (l *naive) reopened() *naive {
	disk := make(map[string]*page)
	for id, p := range l.disk {
		q := &page{balance: p.balance, outbox: p.outbox, fraction: p.fraction, received: p.received, asset: p.asset}
		switch l.fault {
		case forgetsBalance:
			q.balance = 0
		case keepsInFlight:
			q.in, q.out = p.in, p.out
		case forgetsFractions:
			q.fraction = 0
		case forgetsAsset:
			q.asset = ilp.Asset{}
		case forgetsKeys:
			q.received = make(map[string]naiveReceived)
		case forgetsOutbox:
			q.outbox = nil
		case keepsPaid:
			q.outbox = slices.Concat(p.paid, p.outbox)
		case renamesOutbox:
			q.outbox = slices.Clone(p.outbox)
			for i := range q.outbox {
				q.outbox[i].Key += "'"
			}
		}
		disk[id] = q
	}
	return newNaive(l.fault, l.pending, disk)
}

func (l *naive) Open(_ context.Context, t ledger.Terms) (ledger.Book, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := t.Account
	switch {
	case l.stopped && l.fault != opensStopped:
		return nil, ledger.ErrClosed
	case (id == "" || len(id) > account.MaxIDLength) && l.fault != takesAnyID:
		return nil, errors.New("account id")
	case l.fault == foldsIDs:
		id = strings.ToLower(id)
	case l.fault == endsIDs:
		id, _, _ = strings.Cut(id, "\x00")
	}
	if l.books[id] != nil && l.fault != opensTwice && l.fault != foldsIDs && l.fault != endsIDs {
		return nil, errors.New("open already")
	}
	if t.Limits != nil && l.fault != keepsLimits {
		limits := *t.Limits
		t.Limits = &limits
	}
	if first, again := l.terms[id]; again && l.fault == firstLimits {
		t = first
	}
	l.terms[id] = t
	p := l.disk[id]
	if p == nil {
		p = &page{received: make(map[string]naiveReceived)}
		l.disk[id] = p
	}
	if l.fault == refusesBeyond && t.Limits != nil && p.balance > t.Limits.Maximum {
		return nil, ledger.ErrLimit
	}
	if err := l.count(p, t.Asset); err != nil {
		return nil, err
	}
	b := &naiveBook{l: l, page: p, id: id, terms: t}
	l.books[id] = b
	if l.fault == notImmediate || !l.pending {
		return immediateBook{b}, nil
	}
	return b, nil
}

// count says what a page counts. The caller holds mu.
func (l *naive) count(p *page, asset ilp.Asset) error {
	zero, same := ilp.Asset{}, asset == p.asset
	holds := p.balance != 0 || p.fraction != 0 && l.fault != looksAtUnits || len(p.outbox) > 0 && l.fault != looksAtBalance
	switch l.fault {
	case ignoresAsset:
		return nil
	case keepsAsset:
		holds = true
	case comparesCodes:
		same = asset.Code == p.asset.Code
	}
	switch {
	case asset == zero && l.fault == forgetsUnsaid:
		p.asset = zero
	case asset == zero && l.fault != comparesUnsaid:
	case p.asset != zero && !same && holds:
		return ledger.ErrAsset
	default:
		p.asset = asset
	}
	return nil
}

func (l *naive) Run(ctx context.Context) error {
	var payers sync.WaitGroup
	defer payers.Wait()
	for ctx.Err() == nil {
		l.answer()
		l.mu.Lock()
		for _, b := range l.books {
			b.startPaying(ctx, &payers)
		}
		l.mu.Unlock()
		select {
		case <-l.work:
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	switch l.fault {
	case stopsDeaf:
		return nil
	case stopsWithError:
		l.answer()
		return ctx.Err()
	}
	l.answer()
	return nil
}

// answer gives the answers that are pending.
func (l *naive) answer() {
	l.mu.Lock()
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, f := range queue {
		f()
	}
}

// kick makes Run look for what there is to do. The caller holds mu.
func (l *naive) kick() {
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// reply answers a call, now or later. The caller holds mu.
func (l *naive) reply(err error, w ledger.Waiter) error {
	if w != nil && l.fault == tellsAlways {
		l.queue = append(l.queue, func() { w.Done(context.Background(), err) })
		l.kick()
		return err
	}
	switch {
	case !l.pending || l.stopped:
		return err
	case w == nil:
		return ledger.ErrPending
	}
	l.told++
	times := 1
	switch {
	case l.fault == tellsTwice:
		times = 2
	case l.fault == tellsNever && l.told%100 == 0:
		times = 0
	}
	for range times {
		l.queue = append(l.queue, func() { w.Done(context.Background(), err) })
	}
	l.kick()
	return ledger.ErrPending
}

// naiveBook is a book of a naive ledger.
type naiveBook struct {
	l       *naive
	page    *page
	id      string
	terms   ledger.Terms
	closed  bool
	settles bool
	paying  bool
	rests   bool
	due     bool
	stop    context.CancelFunc
}

type immediateBook struct{ *naiveBook }

func (immediateBook) Immediate() {}

// Reserve answers at once if the book is Immediate: then w is nil, or the
// suite's.
func (b immediateBook) Reserve(ctx context.Context, side ledger.Side, amount uint64, w ledger.Waiter) error {
	if b.l.fault == tellsAlways || b.l.fault == notImmediate && w != nil {
		return b.naiveBook.Reserve(ctx, side, amount, w)
	}
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	if b.l.fault == notImmediate {
		return ledger.ErrPending
	}
	return b.reserve(side, amount)
}

func (b *naiveBook) Reserve(_ context.Context, side ledger.Side, amount uint64, w ledger.Waiter) error {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	return b.l.reply(b.reserve(side, amount), w)
}

// over reports whether balance and amounts together are past the limit.
func (b *naiveBook) over(sign, limit int64, balance int64, amounts ...uint64) bool {
	if b.l.fault == wraps {
		sum := balance
		for _, a := range amounts {
			sum += sign * int64(a)
		}
		return sign*sum > sign*limit
	}
	if b.l.fault == doubles {
		sum := float64(balance)
		for _, a := range amounts {
			sum += float64(sign) * float64(a)
		}
		return float64(sign)*sum > float64(sign)*float64(limit)
	}
	sum, s := big.NewInt(balance), big.NewInt(sign)
	for _, a := range amounts {
		sum.Add(sum, new(big.Int).Mul(s, new(big.Int).SetUint64(a)))
	}
	return sum.Cmp(big.NewInt(limit))*int(sign) > 0
}

func (b *naiveBook) limits() account.BalanceLimits {
	if b.terms.Limits == nil {
		return account.BalanceLimits{Minimum: account.NoMinimum, Maximum: account.NoMaximum}
	}
	return *b.terms.Limits
}

func (b *naiveBook) reserve(side ledger.Side, amount uint64) error {
	if b.closed && b.l.fault != closedTakes || b.l.stopped && b.l.fault != goesOn {
		return ledger.ErrUnavailable
	}
	p, limits := b.page, b.limits()
	reserved, sign, limit := &p.in, int64(1), limits.Maximum
	if side == ledger.Outgoing {
		reserved, sign, limit = &p.out, -1, limits.Minimum
	}
	switch {
	case b.l.fault == ignoresMaximum && sign > 0 || b.l.fault == ignoresMinimum && sign < 0:
	case b.l.fault == ignoresInFlight && b.over(sign, limit, p.balance, amount),
		b.l.fault != ignoresInFlight && b.over(sign, limit, p.balance, *reserved, amount):
		return ledger.ErrLimit
	}
	*reserved += amount
	return nil
}

func (b *naiveBook) Post(_ context.Context, side ledger.Side, amount uint64, w ledger.Waiter) error {
	if b.l.fault == losesUpdates {
		before := b.State().Balance
		runtime.Gosched()
		b.l.mu.Lock()
		defer b.l.mu.Unlock()
		b.page.balance = before
	} else {
		b.l.mu.Lock()
		defer b.l.mu.Unlock()
	}
	if b.l.stopped && b.l.fault != goesOn {
		return ledger.ErrClosed
	}
	if w == nil && b.l.fault == needsWaiter {
		return b.l.reply(nil, nil)
	}
	p := b.page
	reserved := &p.in
	if side == ledger.Outgoing {
		reserved = &p.out
	}
	if amount == 0 && *reserved == 0 && b.l.fault == refusesNothing {
		return ledger.ErrNotReserved
	}
	if amount > *reserved && b.l.fault != postsAnything {
		return ledger.ErrNotReserved
	}
	if b.l.fault != keepsReservations {
		*reserved -= min(amount, *reserved)
	}
	p.last = int64(amount)
	if side == ledger.Outgoing && b.l.fault != outgoingAdds {
		p.last = -p.last
	}
	p.balance += p.last
	if side == ledger.Outgoing || b.due {
		b.settle()
	}
	return b.l.reply(nil, w)
}

func (b *naiveBook) Release(side ledger.Side, amount uint64) {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	reserved := &b.page.in
	if side == ledger.Outgoing {
		reserved = &b.page.out
	}
	if b.l.fault == releasesNothing || amount > *reserved && b.l.fault != releasesAnything {
		return
	}
	*reserved -= min(amount, *reserved)
	if b.l.fault == releasesIntoIt {
		b.page.balance += int64(amount)
	}
	if b.due {
		b.settle()
	}
}

func (b *naiveBook) State() ledger.State {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	s := ledger.State{Account: b.terms.Account, Balance: b.page.balance, Remainder: b.page.fraction, ReservedIn: b.page.in, ReservedOut: b.page.out, Settlements: slices.Clone(b.page.outbox)}
	switch b.l.fault {
	case wrongAccount:
		s.Account = ""
	case hidesFractions:
		s.Remainder = 0
	case saysNothing:
		for i := range s.Settlements {
			s.Settlements[i].LastError = nil
		}
	}
	return s
}

func (b *naiveBook) Close() {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	if b.closed && b.l.fault != closesOthers {
		return
	}
	b.closed, b.settles = true, false
	if b.stop != nil {
		b.stop()
	}
	switch b.l.fault {
	case forgetsLast:
		b.page.balance -= b.page.last
	case closeEndsPackets:
		b.page.in, b.page.out = 0, 0
	case forgetsKeysOnClose:
		b.page.received = make(map[string]naiveReceived)
	}
	delete(b.l.books, b.id)
	b.l.kick()
}
