package testengine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"sync"
)

// Place is an account of one of the connectors.
type Place struct {
	Connector, Account string
}

// Payment is money that has moved. Amount is in units of the ledger.
type Payment struct {
	From, To Place
	Amount   *big.Int
	Key      string // the receiving connector is told under
}

// order is what a connector has asked for, in units of 10^-orderScale.
type order struct {
	place  Place
	key    string
	amount *big.Int
}

const orderScale = 40

// entry is a line of the file. One of its fields is set.
type entry struct {
	Account  *Place     `json:",omitempty"`
	Gone     *Place     `json:",omitempty"` // an account that was deleted
	Order    *orderLine `json:",omitempty"`
	Payment  *Payment   `json:",omitempty"`
	Reported string     `json:",omitempty"` // the key of a payment that the receiver has booked
}

type orderLine struct {
	Place  Place
	Key    string
	Amount *big.Int
}

// Book is the ledger. Its methods may be called concurrently.
type Book struct {
	mu       sync.Mutex
	file     *os.File // nil: read only
	scale    int
	accounts map[Place]bool
	orders   map[Place]map[string]*big.Int
	payments []Payment
	reported map[string]bool
}

// ReadBook reads a ledger whose unit is 10^-scale.
func ReadBook(path string, scale uint8) (*Book, error) {
	b := &Book{scale: int(scale), accounts: make(map[Place]bool), orders: make(map[Place]map[string]*big.Int), reported: make(map[string]bool)}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return b, nil
	} else if err != nil {
		return nil, err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // what follows was cut off by a crash
	lines := json.NewDecoder(bytes.NewReader(text))
	for {
		var e entry
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			return b, nil
		} else if err != nil {
			return nil, fmt.Errorf("testengine: %s: %w", path, err)
		}
		b.apply(e)
	}
}

// openBook reads a ledger to go on with it.
func openBook(path string, scale uint8) (*Book, error) {
	b, err := ReadBook(path, scale)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if b.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	whole := int64(bytes.LastIndexByte(text, '\n') + 1)
	if err := b.file.Truncate(whole); err != nil {
		return nil, err
	}
	_, err = b.file.Seek(whole, io.SeekStart)
	return b, err
}

// write makes an entry durable and applies it. The caller holds mu.
func (b *Book) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := b.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := b.file.Sync(); err != nil {
		return err
	}
	b.apply(e)
	return nil
}

func (b *Book) apply(e entry) {
	switch {
	case e.Account != nil:
		b.accounts[*e.Account] = true
	case e.Gone != nil:
		delete(b.accounts, *e.Gone)
	case e.Order != nil:
		if b.orders[e.Order.Place] == nil {
			b.orders[e.Order.Place] = make(map[string]*big.Int)
		}
		b.orders[e.Order.Place][e.Order.Key] = e.Order.Amount
	case e.Payment != nil:
		b.payments = append(b.payments, *e.Payment)
	case e.Reported != "":
		b.reported[e.Reported] = true
	}
}

var errKeyReused = errors.New("the key is that of another order")

// order takes an order, once for its key.
func (b *Book) order(o order) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if first, again := b.orders[o.place][o.key]; again {
		if first.Cmp(o.amount) != 0 {
			return errKeyReused
		}
		return nil
	}
	return b.write(entry{Order: &orderLine{Place: o.place, Key: o.key, Amount: o.amount}})
}

// pay moves what from has ordered to to, as far as the ledger's unit allows.
func (b *Book) pay(from, to Place, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	due := new(big.Int).Sub(b.ordered(from), b.paid(from))
	units := new(big.Int).Quo(due, b.unit())
	if units.Sign() == 0 {
		return nil
	}
	return b.write(entry{Payment: &Payment{From: from, To: to, Amount: units, Key: key}})
}

// report notes that the receiver has booked a payment.
func (b *Book) report(key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reported[key] {
		return nil
	}
	return b.write(entry{Reported: key})
}

// unit is the ledger's, in those of orders.
func (b *Book) unit() *big.Int { return powerOfTen(orderScale - b.scale) }

func powerOfTen(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func (b *Book) ordered(from Place) *big.Int {
	sum := new(big.Int)
	for _, amount := range b.orders[from] {
		sum.Add(sum, amount)
	}
	return sum
}

func (b *Book) paid(from Place) *big.Int {
	sum := new(big.Int)
	for _, p := range b.payments {
		if p.From == from {
			sum.Add(sum, p.Amount)
		}
	}
	return sum.Mul(sum, b.unit())
}

// Ordered gives what a place has ordered in all, in units of 10^-scale, which
// must divide it.
func (b *Book) Ordered(from Place, scale uint8) *big.Int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return new(big.Int).Quo(b.ordered(from), powerOfTen(orderScale-int(scale)))
}

// Orders gives how many orders a place has made, each counted once.
func (b *Book) Orders(from Place) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.orders[from])
}

// Paid gives what has moved from a place, in units of 10^-scale.
func (b *Book) Paid(from Place, scale uint8) *big.Int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return new(big.Int).Quo(b.paid(from), powerOfTen(orderScale-int(scale)))
}

// Unreported gives the payments to a connector that it has not been heard to
// have booked.
func (b *Book) Unreported(connector string) []Payment {
	b.mu.Lock()
	defer b.mu.Unlock()
	var payments []Payment
	for _, p := range b.payments {
		if p.To.Connector == connector && !b.reported[p.Key] {
			payments = append(payments, p)
		}
	}
	return payments
}

// Payments gives all that has moved, in order.
func (b *Book) Payments() []Payment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Payment(nil), b.payments...)
}

// Has reports whether the account is known.
func (b *Book) Has(p Place) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.accounts[p]
}

func (b *Book) create(p Place) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.accounts[p] {
		return nil
	}
	return b.write(entry{Account: &p})
}

func (b *Book) remove(p Place) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.write(entry{Gone: &p})
}

// OrderAmount gives what a place has ordered under a key, in units of
// 10^-scale, or nil.
func (b *Book) OrderAmount(from Place, key string, scale uint8) *big.Int {
	b.mu.Lock()
	defer b.mu.Unlock()
	amount := b.orders[from][key]
	if amount == nil {
		return nil
	}
	return new(big.Int).Quo(amount, powerOfTen(orderScale-int(scale)))
}

// Idle reports whether all that was ordered has moved, but for parts of a
// unit, and was reported.
func (b *Book) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for from := range b.orders {
		if new(big.Int).Sub(b.ordered(from), b.paid(from)).Cmp(b.unit()) >= 0 {
			return false
		}
	}
	return len(b.reported) == len(b.payments)
}
