package miniaccounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/interledger-go/connector/ledger"
)

var (
	// ErrUnknownUser: there is no user of this name.
	ErrUnknownUser = errors.New("unknown user")
	// ErrNoBooks: users have no books. Set Options.Ledger.
	ErrNoBooks = errors.New("no Options.Ledger is set, so users have no balances")
	// ErrNoStore: tokens are not the server's to keep, nor is anything else. Set
	// Options.Store.
	ErrNoStore = errors.New("no Options.Store is set, so nothing is kept here")

	errRevoked      = errors.New("miniaccounts: the token has been revoked")
	errDisconnected = errors.New("miniaccounts: disconnected by the operator")
)

// AddToken gives a user one more token, and makes the user if there is none
// of this name. So a client changes its token without a gap: add the new one,
// let the client change, revoke the old one. It may be called before Open.
// When it returns nil the token is in the store, as a hash.
func (srv *Server) AddToken(ctx context.Context, user, token string) error {
	if err := srv.changeable(user); err != nil {
		return err
	}
	d := hash(token)
	switch {
	case token == "":
		return refusalf("miniaccounts: user %q: the token is empty", user)
	case srv.options.Identity == ByToken && user != d.String():
		return refusalf("miniaccounts: user %q: users are named by their tokens here: the token belongs to the user %s", user, d)
	}
	if err := srv.tokens.add(ctx, user, d); err != nil {
		return fmt.Errorf("miniaccounts: user %q: %w", user, err)
	}
	return nil
}

// RevokeToken takes a token from a user, at once, and ends the sockets that
// were let in by it; those with another token stay. It is no error if the user
// does not have the token. After an error of the store the token is void until
// the process ends; call again.
//
// A user who has no token left stays known, and nobody else can take its
// name, nor what is in its book.
func (srv *Server) RevokeToken(ctx context.Context, user, token string) error {
	d := hash(token)
	return srv.revoke(ctx, user, func(other digest) bool { return other == d })
}

// RemoveUser takes all tokens from a user, and ends its sockets; see
// RevokeToken. AddToken lets the user in again.
func (srv *Server) RemoveUser(ctx context.Context, user string) error {
	return srv.revoke(ctx, user, func(digest) bool { return true })
}

func (srv *Server) revoke(ctx context.Context, user string, drop func(digest) bool) error {
	if err := srv.changeable(user); err != nil {
		return err
	}
	err := srv.tokens.revoke(ctx, user, drop)
	if u := srv.users.find(user); u != nil {
		u.group.End(errRevoked, func(key any) bool { return drop(key.(*admission).token) })
	}
	if err != nil {
		return fmt.Errorf("miniaccounts: user %q: %w", user, err)
	}
	return nil
}

// changeable says why the tokens of a user cannot be changed.
func (srv *Server) changeable(user string) error {
	switch {
	case srv.tokens == nil:
		return fmt.Errorf("miniaccounts: user %q: %w", user, ErrNoStore)
	case !validName(user):
		return refusalf("miniaccounts: user %q: the name must be one segment of an address, of at most %d bytes", brief(user), MaxUsernameLength)
	}
	return nil
}

// Disconnect ends the sockets of a user, and refuses those that are just
// being let in. Its clients may come again, if they still have a token.
func (srv *Server) Disconnect(user string) { srv.users.disconnect(user, errDisconnected) }

// Book gives what the book of a user holds, whether it is connected or not.
func (srv *Server) Book(ctx context.Context, user string) (ledger.State, error) {
	var state ledger.State
	err := srv.withBook(ctx, user, func(b ledger.Book) error {
		state = b.State()
		return nil
	})
	return state, err
}

// AdjustBalance adds diff, which may be negative, to what a user owes, and
// returns nil when that is durable: the user has paid, or was paid, by a way
// that nobody sees here. What the errors say is said at [ledger.Adjust].
//
// The account owes what its users owe together, so it is to be adjusted, too:
// after its user, so that a process that is killed in between leaves the users'
// books ahead of the account's, as packets do (connector.AdjustBalance).
func (srv *Server) AdjustBalance(ctx context.Context, user string, diff int64) error {
	err := srv.withBook(ctx, user, func(b ledger.Book) error { return ledger.Adjust(ctx, b, diff) })
	if err != nil {
		return fmt.Errorf("adjusting the balance by %d: %w", diff, err)
	}
	srv.log.LogAttrs(ctx, slog.LevelWarn, "miniaccounts: balance adjusted", slog.String("server", srv.options.Name),
		slog.String("user", user), slog.Int64("difference", diff))
	return nil
}

// withBook gives f the book of a user, who may have none in memory. One who has
// been removed still has one.
func (srv *Server) withBook(ctx context.Context, user string, f func(ledger.Book) error) error {
	c := srv.config.Load()
	var err error
	switch {
	case srv.options.Ledger == nil:
		err = ErrNoBooks
	case !validName(user), !srv.known(user) && !srv.hasRecord(user):
		err = ErrUnknownUser
	case c == nil:
		err = errNotReady
	}
	if err != nil {
		return fmt.Errorf("miniaccounts: user %q: %w", brief(user), err)
	}
	u, err := srv.users.acquire(ctx, user, c)
	if err != nil {
		return fmt.Errorf("miniaccounts: user %q: %w", user, err)
	}
	defer u.release()
	if err := f(u.book); err != nil {
		return fmt.Errorf("miniaccounts: user %q: %w", user, err)
	}
	return nil
}
