package middlewaretest

import (
	"context"
	"sync"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/store/memstore"
)

// MemoryBooks makes a ledger in memory and gives its books: the same for each
// call with an id, with the limits of the account that was given first, and
// nil for an account that cannot have one because it has no id. Postings are
// durable at once, and nothing is settled. The function may be called
// concurrently.
func MemoryBooks() func(*account.Account) ledger.Book {
	var mu sync.Mutex
	books := make(map[string]ledger.Book)
	l, err := ledger.NewLocal(ledger.LocalOptions{Store: memstore.New()})
	return func(a *account.Account) ledger.Book {
		mu.Lock()
		defer mu.Unlock()
		if b := books[a.ID]; b != nil || err != nil {
			return b
		}
		b, err := l.Open(context.Background(), ledger.Terms{Account: a.ID, Limits: a.Balance})
		if err != nil {
			return nil
		}
		books[a.ID] = b
		return b
	}
}
