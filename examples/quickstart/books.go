package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/store/boltstore"
)

// defaultDir is where the user's programs keep what they can do without. A
// connector with money in it would use a place such as /var/lib.
func defaultDir() string {
	cache, err := os.UserCacheDir()
	if err != nil { // the user has no home
		cache = os.TempDir()
	}
	return filepath.Join(cache, "interledger-quickstart")
}

// openBooks opens the store of the books, and says where it is.
func openBooks(dir string, out io.Writer) (*boltstore.Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the books: %w", err)
	}
	path := filepath.Join(dir, "books.db")
	_, err := os.Stat(path)
	books, openErr := boltstore.Open(path)
	if openErr != nil {
		return nil, fmt.Errorf("opening the books (-dir chooses others): %w", openErr)
	}
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(out, "New books in %s\n\n", path)
	} else {
		fmt.Fprintf(out, "Going on with the books in %s\n\n", path)
	}
	return books, nil
}

// balances are what the accounts owe the connector now.
func balances(c *connector.Connector) map[string]int64 {
	owed := make(map[string]int64)
	for _, a := range c.Accounts() {
		owed[a.ID] = a.Book.Balance
	}
	return owed
}

// printBooks prints a line for each account: its address, what its owner owed
// the connector before this run, sent and received in it, and owes now.
func printBooks(c *connector.Connector, before map[string]int64, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACCOUNT\tADDRESS\tOWED BEFORE\tSENT\tRECEIVED\tOWES NOW")
	stats := c.Stats() // by id too
	for i, a := range c.Accounts() {
		sent, received := stats[i].Incoming.Fulfilled.Amount, stats[i].Outgoing.Fulfilled.Amount
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%d\n", a.ID, a.Address, before[a.ID], sent, received, a.Book.Balance)
	}
	return table.Flush()
}
