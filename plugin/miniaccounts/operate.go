package miniaccounts

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

var (
	_ plugin.Informer   = (*Server)(nil)
	_ plugin.Instructor = (*Server)(nil)
)

// Info is what an operator is told of a server at a glance.
type Info struct {
	// Users are those that have a record or a socket, Connected those that have
	// a socket.
	Users     int `json:"users"`
	Connected int `json:"connected"`
	Sockets   int `json:"sockets"`
}

// AdminInfo gives an Info. It implements plugin.Informer.
func (srv *Server) AdminInfo(context.Context) (any, error) {
	var info Info
	if srv.tokens != nil {
		info.Users = srv.tokens.size()
	}
	for _, u := range srv.users.all() {
		sockets := u.group.Sockets()
		info.Sockets += sockets
		if sockets > 0 {
			info.Connected++
		}
		if !srv.hasRecord(u.name) {
			info.Users++
		}
	}
	return info, nil
}

// Instruction is what an operator can tell a server, as a JSON object.
type Instruction struct {
	// Do is "users", which lists them, "user", which shows one, whether it is
	// connected or not, or "addToken", "revokeToken", "removeUser", "disconnect"
	// or "adjustBalance": the methods of Server of these names.
	Do string `json:"do"`
	// User is the name of a user, and Token one of its tokens.
	User  string `json:"user,omitempty"`
	Token string `json:"token,omitempty"`
	// Amount is what is added to the balance of a user: "-500" if it has paid.
	Amount string `json:"amount,omitempty"`
	// After and Limit say which users are listed: by name, those behind After,
	// and at most Limit of them. 0 means 100; the most is 1,000.
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

// UserList is the answer to an Instruction: the users that were asked for, or
// the one that was changed.
type UserList struct {
	Users []UserEntry `json:"users"`
	// Next is the After of the next part of the list; empty: there is none.
	Next string `json:"next,omitempty"`
}

// UserEntry is a User for operators.
type UserEntry struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	Tokens  int    `json:"tokens"`
	Sockets int    `json:"sockets"`
	// Incoming and Outgoing are the packets in flight from and to the user.
	Incoming int `json:"incoming"`
	Outgoing int `json:"outgoing"`
	// Balance is what the user owes, in units of the account; nil where users
	// have no books. While the user is not connected it may be nil in answers to
	// all but "user" and "adjustBalance".
	Balance *string `json:"balance"`
}

const (
	defaultListed = 100
	mostListed    = 1000
)

// SendAdminInfo takes an Instruction and gives a UserList. It implements
// plugin.Instructor. An error about the instruction wraps
// plugin.ErrInstruction. Tokens are in no answer and no error.
func (srv *Server) SendAdminInfo(ctx context.Context, message []byte) (any, error) {
	i, err := readInstruction(message)
	if err != nil {
		return nil, fmt.Errorf("%w: miniaccounts: %w", plugin.ErrInstruction, err)
	}
	if i.Do == "users" {
		return srv.listUsers(i.After, i.Limit), nil
	}
	if err := srv.do(ctx, i); err != nil {
		return nil, asInstruction(err)
	}
	list := UserList{Users: []UserEntry{}}
	u, ok := srv.User(i.User)
	if !ok {
		return list, nil
	}
	if i.Do == "user" || i.Do == "adjustBalance" {
		u.Book, err = srv.Book(ctx, i.User)
		if err != nil && i.Do == "user" && !errors.Is(err, ErrNoBooks) {
			return nil, asInstruction(err)
		}
	}
	list.Users = append(list.Users, entryOf(&u))
	return list, nil
}

// do does what is about one user.
func (srv *Server) do(ctx context.Context, i Instruction) error {
	switch i.Do {
	case "addToken":
		return srv.AddToken(ctx, i.User, i.Token)
	case "revokeToken":
		return srv.RevokeToken(ctx, i.User, i.Token)
	case "removeUser":
		return srv.RemoveUser(ctx, i.User)
	case "adjustBalance":
		diff, err := strconv.ParseInt(i.Amount, 10, 64)
		if err != nil {
			return refusalf("miniaccounts: amount is %.40q: it must be a whole number of 64 bits, such as -500", i.Amount)
		}
		return srv.AdjustBalance(ctx, i.User, diff)
	}
	if _, ok := srv.User(i.User); !ok {
		return fmt.Errorf("miniaccounts: user %q: %w", brief(i.User), ErrUnknownUser)
	}
	if i.Do == "disconnect" {
		srv.Disconnect(i.User)
	}
	return nil
}

// refusal is an error about what was asked for, as opposed to one of the store.
type refusal string

func (r refusal) Error() string { return string(r) }

func refusalf(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// asInstruction says of an error that it is about what was asked for, if it is.
func asInstruction(err error) error {
	_, refused := errors.AsType[refusal](err)
	if refused || errors.Is(err, ErrUnknownUser) || errors.Is(err, ErrNoStore) || errors.Is(err, ErrNoBooks) || errors.Is(err, ledger.ErrLimit) {
		return fmt.Errorf("%w: %w", plugin.ErrInstruction, err)
	}
	return err
}

func readInstruction(message []byte) (i Instruction, err error) {
	d := json.NewDecoder(bytes.NewReader(message))
	d.DisallowUnknownFields()
	if err := d.Decode(&i); err != nil {
		return i, err
	}
	if _, err := d.Token(); err != io.EOF {
		return i, errors.New("there is more behind the object")
	}
	user, token, amount, list := false, false, false, false // what it may have
	switch i.Do {
	case "users":
		list = true
	case "addToken", "revokeToken":
		user, token = true, true
	case "user", "removeUser", "disconnect":
		user = true
	case "adjustBalance":
		user, amount = true, true
	default:
		return i, fmt.Errorf(`do is %.40q: it must be "users", "user", "addToken", "revokeToken", "removeUser", "disconnect" or "adjustBalance"`, i.Do)
	}
	switch {
	case user != (i.User != ""):
		return i, fmt.Errorf("user is %s with %q", neededOrNot(user), i.Do)
	case token != (i.Token != ""):
		return i, fmt.Errorf("token is %s with %q", neededOrNot(token), i.Do)
	case amount != (i.Amount != ""):
		return i, fmt.Errorf("amount is %s with %q", neededOrNot(amount), i.Do)
	case !list && (i.After != "" || i.Limit != 0):
		return i, fmt.Errorf("after and limit are not for %q", i.Do)
	case i.Limit < 0 || i.Limit > mostListed:
		return i, fmt.Errorf("limit is %d: it must be from 1 to %d", i.Limit, mostListed)
	}
	return i, nil
}

func neededOrNot(needed bool) string {
	if needed {
		return "needed"
	}
	return "not needed"
}

// listUsers gives the users behind a name.
func (srv *Server) listUsers(after string, limit int) UserList {
	users, next := srv.usersAfter(after, cmp.Or(limit, defaultListed))
	list := UserList{Users: make([]UserEntry, len(users)), Next: next}
	for i := range users {
		list.Users[i] = entryOf(&users[i])
	}
	return list
}

func entryOf(u *User) UserEntry {
	e := UserEntry{Name: u.Name, Address: u.Address.String(), Tokens: u.Tokens, Sockets: u.Sockets, Incoming: u.Incoming, Outgoing: u.Outgoing}
	if u.Book.Account != "" {
		balance := strconv.FormatInt(u.Book.Balance, 10)
		e.Balance = &balance
	}
	return e
}
