package killtest

// base is what the last audit has found in a book.
type base struct {
	balance int64
	made    int64 // settlements to the party, all that there ever were
	taken   int   // settlements of the party, likewise
	takenOf int64 // and their amount
}

// flow is what packets may have moved on an account since the last audit, in
// steps: told is certain, cut off is possible.
type flow struct {
	in, inCut, out, outCut int64
}

// audit compares the books, as they were found when no packet was under way,
// with what the world knows. exact says that the connector has ended in good
// order, so that nothing may be in the books that was not told.
func (w *world) audit(books []book, exact bool) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	flows := w.flows()
	want := len(w.parties)
	if w.users != "" {
		want++
	}
	if len(books) != want {
		w.fault("there are %d books, want %d", len(books), want)
		return
	}
	var sum, cut, users int64
	var all flow // of the users
	for _, b := range books {
		for _, p := range w.parties {
			if p.id != b.Account {
				continue
			}
			f := flows[p]
			posted := w.auditBook(p, b, f, exact)
			sum += posted
			cut += f.outCut
			if p.user {
				users += posted
				all = all.plus(f)
			}
			if !p.accepts || !p.sends { // one direction alone shows it
				w.totals.cutBooked += abs(posted - f.in + f.out)
			}
		}
	}
	// The destination's posting is never missing where the source's is there.
	// So all of them together come to nothing, or less, if a source is missing.
	if sum > 0 || -sum > cut {
		w.fault("the packets of all accounts come to %d steps, want %d to 0: a source paid for what no destination has", sum, -cut)
	}
	for _, b := range books {
		if b.Account == crowdAccount {
			w.auditCrowd(b, users, all, exact)
		}
	}
	w.audits++
	w.packets = w.packets[:0]
}

func abs(n int64) int64 { return max(n, -n) }

// flows adds up the packets since the last audit. The caller holds mu.
func (w *world) flows() map[*party]flow {
	flows := make(map[*party]flow)
	for n, k := range w.packets {
		from, to := flows[k.from], flows[k.to]
		switch k.outcome {
		case unanswered:
			w.fault("packet %d has no outcome", n)
		case relayed:
			from.in += k.steps
			to.out += k.steps
		case cutOff:
			if k.fulfilled {
				from.inCut += k.steps
				to.outCut += k.steps
				w.totals.cut++
			}
		}
		flows[k.from], flows[k.to] = from, to
	}
	return flows
}

// auditBook audits one book and gives what packets have moved on it, in steps.
// The caller holds mu.
//
// balance = packets in − packets out + settlements to the party − settlements
// of the party, and all but the packets is known exactly.
func (w *world) auditBook(p *party, b book, f flow, exact bool) int64 {
	if b.ReservedIn != 0 || b.ReservedOut != 0 {
		w.fault("%s: %d and %d are reserved, want nothing: no packet is under way", p.id, b.ReservedIn, b.ReservedOut)
	}
	now := base{balance: b.Balance, made: w.made(p, b)}
	// Packets move whole steps, and each settlement of the party one unit more:
	// what is left of a step tells how many there are.
	now.taken = p.base.taken + int(modulo(now.made-b.Balance-int64(p.base.taken), rest))
	now.takenOf = p.sentTotal
	switch {
	case now.taken == p.sent:
	case now.taken == p.sent+1 && p.pending != nil: // booked, and the party has not learnt it
		now.takenOf += int64(p.pending.Amount)
	default:
		w.fault("%s: %d of its settlements are booked, and it knows of %d", p.id, now.taken, p.sent)
	}
	units := (now.balance - p.base.balance) - (now.made - p.base.made) + (now.takenOf - p.base.takenOf)
	posted := units / p.step()
	if units%p.step() != 0 {
		w.fault("%s: packets have moved %d, which is no whole number of steps", p.id, units)
	}
	low, high := f.in-f.out-f.outCut, f.in+f.inCut-f.out
	if exact {
		low, high = f.in-f.out, f.in-f.out
	}
	if posted < low || posted > high {
		w.fault("%s: packets have moved %d steps, want %d to %d: as a source it has paid for %d, and was cut off from %d; as a destination it was paid %d, and %d of it was cut off",
			p.id, posted, low, high, f.in, f.inCut, f.out, f.outCut)
	}
	p.base = now
	p.owes = now.balance / p.step() // it may not have learnt of all that it was cut off from
	return posted
}

// modulo is n mod m, from 0.
func modulo(n, m int64) int64 { return (n%m + m) % m }

// made is the amount of all settlements to a party that are in its books: what
// its bank has paid, which the books must have known before, and what is in
// the outbox. What was refused has been put back when it is not in the outbox.
// The caller holds mu.
func (w *world) made(p *party, b book) int64 {
	settlements := p.bank.Paid()
	for _, s := range b.Settlements {
		if amount, ok := settlements[s.Key]; ok && amount != s.Amount {
			w.fault("%s: the settlement %q of %d was paid with %d", p.id, s.Key, s.Amount, amount)
		}
		settlements[s.Key] = s.Amount
	}
	if err := p.bank.Err(); err != nil {
		w.fault("%s: %v", p.id, err)
	}
	total := int64(0)
	for _, amount := range settlements {
		total += int64(amount)
	}
	return total
}
