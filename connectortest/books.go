package connectortest

import (
	"fmt"
	"time"

	"github.com/interledger-go/connector"
)

// CheckBooks fails the test where the books of a network in which nothing is in
// flight do not agree. What a side has fulfilled and the other has not accepted,
// because it came late or was lost, is known to the link:
//
//   - What the two sides of a link say adds up to exactly that; where one of them
//     has crashed, to that and at most what was in flight then.
//   - Nobody has lost a unit by forwarding, but what a crash has cost; without a
//     spread nobody has gained one.
//   - Nothing is reserved any more, and no packet is unanswered.
//
// Accounts that were removed are left out, and crashed connectors.
func (w *Network) CheckBooks() {
	w.t.Helper()
	for _, n := range w.Nodes() {
		if n.Connector() != nil {
			w.checkNode(n)
		}
	}
	for _, l := range w.Links() {
		w.checkLink(l)
	}
}

// within fails the test unless sum is least, or more than that by no more than more.
func (w *Network) within(sum, least int64, more uint64, format string, args ...any) {
	w.t.Helper()
	if sum < least || uint64(sum-least) > more {
		w.t.Errorf("%s add up to %d: want %d, or up to %d more for what was in flight at crashes",
			fmt.Sprintf(format, args...), sum, least, more)
	}
}

func (w *Network) checkNode(n *Node) {
	w.t.Helper()
	var sum int64
	complete := len(n.Connector().Accounts()) == 1+w.linksOf(n)
	for _, a := range n.Connector().Accounts() {
		sum += a.Book.Balance
		if a.Book.ReservedIn|a.Book.ReservedOut != 0 || a.InFlight != 0 || a.Outstanding != 0 {
			w.t.Errorf("%s has %d and %d reserved with %s, and %d and %d packets unanswered: want nothing when all is at rest",
				n, a.Book.ReservedIn, a.Book.ReservedOut, a.ID, a.InFlight, a.Outstanding)
		}
	}
	n.mu.Lock()
	lost := n.lost
	n.mu.Unlock()
	switch {
	case !complete:
	case sum > 0 && w.options.Spread == "":
		w.t.Errorf("%s has gained %d by forwarding without a spread", n, sum)
	case sum < 0 && uint64(-sum) > lost:
		w.t.Errorf("%s has lost %d by forwarding: want at most %d, which was in flight at crashes", n, -sum, lost)
	}
	earned, paid, paying := n.app.books()
	if paying != 0 {
		w.t.Errorf("the app of %s has %d in flight: want nothing when all is at rest", n, paying)
	}
	w.within(n.balance(appID)+int64(earned)-int64(paid), 0, lost, "the books of %s and its app", n)
}

// linksOf is the number of links that a node has.
func (w *Network) linksOf(n *Node) (count int) {
	for _, l := range w.Links() {
		if l.sides[0].node == n || l.sides[1].node == n {
			count++
		}
	}
	return count
}

func (w *Network) checkLink(l *Link) {
	w.t.Helper()
	a, b := l.sides[0], l.sides[1]
	if !a.there() || !b.there() {
		return
	}
	w.within(a.node.balance(a.account)+b.node.balance(b.account), int64(l.owed(0)+l.owed(1)), a.node.lostAtCrashes()+b.node.lostAtCrashes(),
		"the books of %s about each other", l)
}

// there reports whether the account is, in a connector that runs.
func (s linkSide) there() bool {
	_, ok := s.node.status(s.account)
	return ok
}

func (n *Node) lostAtCrashes() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lost
}

// balance is what a counterparty owes the node, as the node sees it.
func (n *Node) balance(account string) int64 {
	s, _ := n.status(account)
	return s.Book.Balance
}

func (n *Node) status(account string) (connector.AccountStatus, bool) {
	if c := n.Connector(); c != nil {
		for _, s := range c.Accounts() {
			if s.ID == account {
				return s, true
			}
		}
	}
	return connector.AccountStatus{}, false
}

// Drain lets time pass until no packet can be in flight any more.
func (w *Network) Drain() { time.Sleep(paymentLifetime + 2*giveUpAfter) }
