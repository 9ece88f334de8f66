package miniaccounts

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// config is what the connector has said of the account: its address, under
// which the users are, and its asset, which is theirs.
type config struct {
	address ilp.Address
	asset   ilp.Asset
}

// user is the name of the user that an address belongs to: the segment after
// that of the account.
func (c *config) user(destination ilp.Address) (name string, ok bool) {
	rest, ok := strings.CutPrefix(destination.String(), c.address.String())
	if !ok || rest == "" || rest[0] != '.' {
		return "", false
	}
	name, _, _ = strings.Cut(rest[1:], ".")
	return name, true
}

// configTimeout bounds the wait for the connector's answer.
const configTimeout = 10 * time.Second

// configure asks the connector for the address of the account and waits for
// its answer.
func (srv *Server) configure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	answer := make(chan error, 1)
	request := ildcp.Request(srv.now().Add(configTimeout))
	srv.handler.HandlePrepare(plugin.Detach(ctx), &request, plugin.NewResponder(plugin.ReplyFunc(
		func(_ context.Context, reply ilp.Reply, err error) {
			_, err = srv.configured(reply, err)
			select {
			case answer <- err:
			default: // answered twice
			}
		}), 0))
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// configured takes the connector's answer.
func (srv *Server) configured(reply ilp.Reply, err error) (*config, error) {
	switch r := reply.(type) {
	case *ilp.Fulfill:
		response, err := ildcp.ParseFulfill(r)
		if err != nil {
			return nil, err
		}
		next := &config{response.Address, response.Asset}
		if old := srv.config.Load(); old != nil && *old == *next {
			return old, nil
		}
		srv.config.Store(next)
		return next, nil
	case *ilp.Reject:
		kept := r.Clone()
		return nil, &kept
	}
	if err == nil {
		err = plugin.ErrUnknownOutcome
	}
	return nil, err
}

// final reports whether asking again would be no use.
func final(err error) bool {
	reject, ok := errors.AsType[*ilp.Reject](err)
	return ok && strings.HasPrefix(string(reject.Code), "F")
}

// awaitConfig gives the address, and asks for it if there is none yet.
func (srv *Server) awaitConfig(ctx context.Context) (*config, error) {
	select {
	case <-srv.ready:
	case <-ctx.Done():
		return nil, errNotReady
	}
	if c := srv.config.Load(); c != nil {
		return c, nil
	}
	if err := srv.configure(ctx); err != nil {
		return nil, errNotReady
	}
	srv.tell()
	return srv.config.Load(), nil
}

// configureUser is the answer to a user who asks for its address, when the
// connector has answered the same question for the account: so the user
// learns of an address that has changed. Where the connector is too busy to
// answer, what it said before is good enough, unless something was paid for.
func (srv *Server) configureUser(u *user, amount uint64, reply ilp.Reply, err error) ilp.Reply {
	c, err := srv.configured(reply, err)
	if err != nil && !final(err) && amount == 0 {
		c, err = srv.config.Load(), nil
	}
	if err != nil {
		if reject, ok := errors.AsType[*ilp.Reject](err); ok {
			return reject
		}
		return ilp.Internal(err)
	}
	address, err := c.address.Child(u.name)
	if err != nil {
		return ilp.Internal(err)
	}
	return ildcp.Response{Address: address, Asset: c.asset}.Fulfill()
}
