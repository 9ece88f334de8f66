package miniaccounts

import (
	"maps"
	"slices"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
)

// User is what there is to know about a user.
type User struct {
	Name string
	// Address is where it receives; zero while the connector has given none.
	Address ilp.Address
	// Tokens is how many are kept for it.
	Tokens int
	// Sockets is how many it has; Incoming and Outgoing are the packets in
	// flight from and to it.
	Sockets            int
	Incoming, Outgoing int
	// Book is its book while it is in memory, of an account with a Ledger.
	Book ledger.State
}

// Users gives all users that are connected or have a record, by name.
func (srv *Server) Users() []User {
	names := make(map[string]struct{})
	srv.each(func(name string) { names[name] = struct{}{} })
	users := make([]User, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if u, ok := srv.User(name); ok { // it may have gone meanwhile
			users = append(users, u)
		}
	}
	return users
}

// User gives the user of a name, if it is connected or has a record.
func (srv *Server) User(name string) (User, bool) {
	user, known := User{Name: name}, false
	if srv.tokens != nil {
		user.Tokens, known = srv.tokens.count(name)
	}
	if u := srv.users.find(name); u != nil {
		known = true
		user.Sockets, user.Incoming, user.Outgoing = u.group.Sockets(), int(u.incoming.Load()), int(u.outgoing.Load())
		select {
		case <-u.made:
			if u.book != nil {
				user.Book = u.book.State()
			}
		default:
		}
	}
	if c := srv.config.Load(); c != nil && known {
		user.Address, _ = c.address.Child(name)
	}
	return user, known
}

// usersAfter gives the first users behind a name, at most so many, and the name
// behind which there are more, if there are. They may be very many.
func (srv *Server) usersAfter(after string, most int) (users []User, next string) {
	var names []string // the first ones of those seen, and one more
	srv.each(func(name string) {
		if name <= after || len(names) > most && name >= names[most] {
			return
		}
		i, seen := slices.BinarySearch(names, name)
		if seen {
			return
		}
		names = slices.Insert(names[:min(len(names), most)], i, name)
	})
	if len(names) > most {
		names = names[:most]
		next = names[most-1]
	}
	for _, name := range names {
		if u, ok := srv.User(name); ok {
			users = append(users, u)
		}
	}
	return users, next
}

// hasRecord reports whether the store knows a user.
func (srv *Server) hasRecord(name string) bool {
	if srv.tokens == nil {
		return false
	}
	_, ok := srv.tokens.count(name)
	return ok
}

// each calls f with the name of each user that is connected or has a record,
// in any order, and twice with one that is and has.
func (srv *Server) each(f func(name string)) {
	if srv.tokens != nil {
		srv.tokens.each(f)
	}
	for _, u := range srv.users.all() {
		f(u.name)
	}
}
