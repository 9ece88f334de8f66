package connector

import (
	"fmt"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store"
)

// host is the connector as its middleware sees it.
type host struct {
	*Connector
	// The account whose stages see it so, and its book; zero for what runs in
	// the background. The connector knows the account when it is added.
	account string
	book    ledger.Book
}

var _ middleware.Host = host{}

// Book gives the book of the account that is being added, or of one that was;
// nil if there is none.
func (h host) Book(a *account.Account) ledger.Book {
	if h.book != nil && a.ID == h.account {
		return h.book
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.links[a.ID]; l != nil {
		return l.book
	}
	return nil
}

// SystemClock says whether Now is time.Now; see middleware.Since.
func (h host) SystemClock() bool { return h.systemClock }

// middlewareView is the view of the connector's store in which those of the
// middleware lie, so that no name of one is that of another part.
const middlewareView = "middleware"

// Store gives the part of the connector's store that belongs to the
// middleware of a name.
func (h host) Store(name string) (store.Store, error) {
	all, err := store.NewView(h.config.Store, middlewareView)
	if err != nil {
		return nil, fmt.Errorf("connector: %w", err)
	}
	own, err := store.NewView(all, name)
	if err != nil {
		return nil, fmt.Errorf("connector: middleware %q: %w", name, err)
	}
	return own, nil
}
