package miniaccounts

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btplink"
)

// MaxUsernameLength is the length of the longest name of a user, in bytes.
const MaxUsernameLength = 128

// Directory knows the users of a host.
type Directory interface {
	// Authenticate says whose a token is: the name of the user, which is one
	// segment of an address (letters, digits, _, ~ and -) of up to
	// MaxUsernameLength bytes. username is what the client has shown, perhaps
	// nothing. ctx bounds the call. It is called by many goroutines at once.
	//
	// An error that wraps ErrCredentials refuses the client for good. After
	// any other error it is told to try again, and the error is logged: it
	// must not hold the token. A client that was refused or has been
	// disconnected comes again, so whoever revokes a token does that here
	// first, and then calls Server.Disconnect.
	Authenticate(ctx context.Context, username, token string) (user string, err error)
}

// KnowsUsers is implemented by a Directory that can say at once, from memory,
// whether there is such a user, so that packets to nobody are F02 and not
// T01.
type KnowsUsers interface {
	Known(user string) bool
}

// ErrCredentials is what a Directory answers to a client that is nobody.
var ErrCredentials = errors.New("invalid credentials")

// The reasons for which clients are refused. The texts are the reference's,
// where it has one.
var (
	errUsernameTaken    = errors.New("auth_username subprotocol is not available")
	errUsernameRequired = errors.New("auth_username subprotocol is required")
	errUsernameInvalid  = fmt.Errorf("auth_username must be one segment of an address: 1 to %d of the characters A-Z a-z 0-9 _ ~ -", MaxUsernameLength)
	errNoToken          = errors.New("auth_token must not be empty")
)

// temporary is a reason for which the client should come again.
type temporary string

func (t temporary) Error() string { return string(t) }

const (
	errNotReady temporary = "the account is not ready"
	errFull     temporary = "no further users are taken"
)

// digest is the hash of a token.
type digest [sha256.Size]byte

func hash(token string) digest { return sha256.Sum256([]byte(token)) }

// String is the name of a user by its token: base64url without padding.
func (d digest) String() string { return base64.RawURLEncoding.EncodeToString(d[:]) }

// digestOf reads the name of a user by its token.
func digestOf(name string) (d digest, ok bool) {
	if len(name) != base64.RawURLEncoding.EncodedLen(len(d)) {
		return d, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(d[:], []byte(name))
	return d, err == nil && n == len(d)
}

// admission is what a socket is let in by.
type admission struct {
	user  *user
	name  string
	token digest
	epoch uint64 // of the registry, before anybody looked at the token
}

// authenticate says whose socket it is that has shown these credentials.
func (srv *Server) authenticate(ctx context.Context, shown btplink.Shown) (btplink.Admission, error) {
	a, err := srv.admit(ctx, string(shown.Username), string(shown.Token))
	if t, ok := errors.AsType[temporary](err); ok {
		return btplink.Admission{}, btplink.Errorf(btplink.T00UnreachableError, "%v", t)
	}
	if err != nil {
		return btplink.Admission{}, err
	}
	return btplink.Admission{Group: &a.user.group, Key: a}, nil
}

// admit finds the user, and begins to use it. A client that comes before the
// connector runs is kept waiting: some clients give up for good when they are
// refused once.
func (srv *Server) admit(ctx context.Context, username, token string) (*admission, error) {
	c, err := srv.awaitConfig(ctx)
	if err != nil {
		return nil, err
	}
	a := &admission{token: hash(token), epoch: srv.users.present()}
	if a.name, err = srv.identify(ctx, username, token, a.token); err != nil {
		return nil, err
	}
	if a.user, err = srv.users.acquire(ctx, a.name, c); err != nil {
		return nil, err
	}
	return a, nil
}

// identify gives the name of the user.
func (srv *Server) identify(ctx context.Context, username, token string, d digest) (string, error) {
	if token == "" {
		return "", errNoToken
	}
	if srv.options.Directory != nil {
		return srv.ask(ctx, username, token)
	}
	name := username
	switch identity := srv.options.Identity; {
	case identity == ByToken && username != "" && username != d.String():
		return "", errUsernameTaken
	case identity == ByUsername && username == "":
		return "", errUsernameRequired
	case username == "":
		name = d.String()
	case !validName(username):
		return "", errUsernameInvalid
	}
	if srv.tokens == nil {
		return name, nil
	}
	return name, srv.tokens.login(ctx, name, d)
}

// ask asks the directory.
func (srv *Server) ask(ctx context.Context, username, token string) (string, error) {
	name, err := srv.options.Directory.Authenticate(ctx, username, token)
	if err == nil && !validName(name) {
		err = errors.New("the directory gives a name that is no segment of an address")
	}
	switch {
	case errors.Is(err, ErrCredentials):
		return "", ErrCredentials
	case err != nil:
		srv.rarely(&srv.counts.faults, slog.LevelError, "miniaccounts: the directory does not know whether to let somebody in", slog.Any("error", err))
		return "", errNotReady
	}
	return name, nil
}

func validName(name string) bool {
	return len(name) <= MaxUsernameLength && ilp.ValidSegment(name)
}

// admits reports whether what a socket was let in by still holds.
func (u *user) admits(a *admission) bool {
	return a.epoch >= u.ended.Load() && (u.srv.tokens == nil || u.srv.tokens.valid(a.name, a.token))
}

// known reports whether there is a user of this name, as far as that can be
// known: whoever has the token to a name of ByToken may come at any time.
func (srv *Server) known(name string) bool {
	if d := srv.options.Directory; d != nil {
		k, ok := d.(KnowsUsers)
		return !ok || k.Known(name)
	}
	if srv.tokens != nil {
		if known, ok := srv.tokens.known(name); ok {
			return known
		}
	}
	_, ok := digestOf(name)
	return ok && srv.options.Identity != ByUsername
}
