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
	// Do is "users", which lists them, "addToken", "revokeToken", "removeUser"
	// or "disconnect": the methods of Server of these names.
	Do string `json:"do"`
	// User is the name of a user, and Token one of its tokens.
	User  string `json:"user,omitempty"`
	Token string `json:"token,omitempty"`
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
	// Balance is what the user owes, in units of the account; nil while its book
	// is not in memory, or where users have none.
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
	switch i.Do {
	case "users":
		return srv.listUsers(i.After, i.Limit), nil
	case "addToken":
		err = srv.AddToken(ctx, i.User, i.Token)
	case "revokeToken":
		err = srv.RevokeToken(ctx, i.User, i.Token)
	case "removeUser":
		err = srv.RemoveUser(ctx, i.User)
	case "disconnect":
		if _, ok := srv.User(i.User); !ok {
			err = fmt.Errorf("miniaccounts: user %q: %w", brief(i.User), ErrUnknownUser)
		} else {
			srv.Disconnect(i.User)
		}
	}
	if err != nil {
		return nil, asInstruction(err)
	}
	list := UserList{Users: []UserEntry{}}
	if u, ok := srv.User(i.User); ok {
		list.Users = append(list.Users, entryOf(&u))
	}
	return list, nil
}

// refusal is an error about what was asked for, as opposed to one of the store.
type refusal string

func (r refusal) Error() string { return string(r) }

func refusalf(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// asInstruction says of an error that it is about what was asked for, if it is.
func asInstruction(err error) error {
	_, refused := errors.AsType[refusal](err)
	if refused || errors.Is(err, ErrUnknownUser) || errors.Is(err, ErrNoStore) {
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
	user, token, list := false, false, false // what it may have
	switch i.Do {
	case "users":
		list = true
	case "addToken", "revokeToken":
		user, token = true, true
	case "removeUser", "disconnect":
		user = true
	default:
		return i, fmt.Errorf(`do is %.40q: it must be "users", "addToken", "revokeToken", "removeUser" or "disconnect"`, i.Do)
	}
	switch {
	case user != (i.User != ""):
		return i, fmt.Errorf("user is %s with %q", neededOrNot(user), i.Do)
	case token != (i.Token != ""):
		return i, fmt.Errorf("token is %s with %q", neededOrNot(token), i.Do)
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
