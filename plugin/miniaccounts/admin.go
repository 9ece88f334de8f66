package miniaccounts

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrUnknownUser: there is no user of this name.
	ErrUnknownUser = errors.New("unknown user")
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
