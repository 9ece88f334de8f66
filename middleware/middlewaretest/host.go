package middlewaretest

import (
	"log/slog"
	"sync"
	"time"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/memstore"
)

// Host is a middleware.Host that a test sets. The zero value has no address,
// as a connector that has not got one from its parent yet, the time of
// time.Now, and a log that is discarded. It is safe for concurrent use and
// must not be copied.
type Host struct {
	mu      sync.Mutex
	address ilp.Address
	now     time.Time // zero: that of time.Now
	logger  *slog.Logger
	books   func(*account.Account) ledger.Book
	store   store.Store
}

var _ middleware.Host = (*Host)(nil)

// SetAddress makes a the own address of the connector.
func (h *Host) SetAddress(a ilp.Address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.address = a
}

// SetNow stops the clock at now. The zero time lets it run again with
// time.Now.
func (h *Host) SetNow(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = now
}

// Advance puts the clock forward by d, or back where d is negative, and stops
// it there.
func (h *Host) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.clock().Add(d)
}

// SetLogger makes l take the log. nil discards it.
func (h *Host) SetLogger(l *slog.Logger) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.logger = l
}

// SetBooks makes books, such as those of [MemoryBooks], give the book of an
// account. Without it accounts have none.
func (h *Host) SetBooks(books func(*account.Account) ledger.Book) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.books = books
}

// Book gives what the function of SetBooks gives, or nil.
func (h *Host) Book(a *account.Account) ledger.Book {
	h.mu.Lock()
	books := h.books
	h.mu.Unlock()
	if books == nil {
		return nil
	}
	return books(a)
}

// SetStore makes s the store of the connector. Without it that is one in
// memory.
func (h *Host) SetStore(s store.Store) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.store = s
}

// Store gives the view of this name of what SetStore has set.
func (h *Host) Store(name string) (store.Store, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store == nil {
		h.store = memstore.New()
	}
	v, err := store.NewView(h.store, name)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Address gives what SetAddress has set.
func (h *Host) Address() ilp.Address {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.address
}

// Now gives the time at which the clock stands.
func (h *Host) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock()
}

// clock is Now for a caller that holds mu.
func (h *Host) clock() time.Time {
	if h.now.IsZero() {
		return time.Now()
	}
	return h.now
}

// Logger gives what SetLogger has set. It is never nil.
func (h *Host) Logger() *slog.Logger {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.logger
}
