package ilphttp

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/ildcp"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// addressAge is for how long the address of our account is believed without
// being asked for again: a connector may inherit another one.
const addressAge = time.Minute

// ownAddress is the address of the account that a link is of.
type ownAddress struct {
	known atomic.Pointer[knownAddress]
}

type knownAddress struct {
	address ilp.Address
	until   time.Time
}

// get gives the address, if need be by asking the handler of the link, which
// is the connector, as a child asks its parent (DCP-01).
func (o *ownAddress) get(ctx context.Context, link *lifecycle) (ilp.Address, error) {
	now := time.Now()
	if known := o.known.Load(); known != nil && now.Before(known.until) {
		return known.address, nil
	}
	answered := make(chan ildcp.Response, 1)
	h, ok := link.enter()
	if !ok {
		return ilp.Address{}, errClosed
	}
	configure(ctx, h, func(_ context.Context, response ildcp.Response, err error) {
		if err == nil {
			answered <- response
		}
		close(answered)
	})
	link.leave()
	select {
	case response, ok := <-answered:
		if !ok {
			return ilp.Address{}, errNoConfigured
		}
		o.known.Store(&knownAddress{response.Address, now.Add(addressAge)})
		return response.Address, nil
	case <-ctx.Done():
		return ilp.Address{}, errNoConfigured
	}
}

// configure asks h for the address and asset of the account. then is called
// once.
func configure(ctx context.Context, h plugin.Handler, then func(context.Context, ildcp.Response, error)) {
	var answered atomic.Bool
	request := ildcp.Request(time.Now().Add(ildcp.RequestLifetime))
	h.HandlePrepare(ctx, &request, plugin.NewResponder(plugin.ReplyFunc(func(ctx context.Context, reply ilp.Reply, err error) {
		if !answered.CompareAndSwap(false, true) {
			return
		}
		var response ildcp.Response
		switch r := reply.(type) {
		case *ilp.Fulfill:
			response, err = ildcp.ParseFulfill(r)
		case *ilp.Reject:
			kept := r.Clone()
			err = &kept
		}
		then(ctx, response, err)
	}), 0))
}

func isConfigRequest(p *ilp.Prepare) bool { return p.Destination.String() == ildcp.Destination }

// configureUser answers the request of a user for its address: the next
// segment after that of the account. The name is that of its credentials,
// whatever it calls itself.
func configureUser(ctx context.Context, h plugin.Handler, user string, p *ilp.Prepare, r plugin.Responder) {
	if err := ildcp.CheckRequest(p, time.Now()); err != nil {
		r.Reply(ctx, ilp.Rejectf(ilp.F00BadRequest, "%v", err))
		return
	}
	configure(ctx, h, func(ctx context.Context, response ildcp.Response, err error) {
		if err == nil {
			response.Address, err = response.Address.Child(user)
		}
		if err != nil {
			r.Reply(ctx, &ilp.Reject{Code: ilp.T00InternalError, Message: "the connector has no address for this user.", Cause: err})
			return
		}
		r.Reply(ctx, response.Fulfill())
	})
}

// urlFor is the URL for a segment.
func (s *sender) urlFor(segment string) string {
	if s.options.Delimiter == "" {
		return s.options.URL
	}
	return strings.Replace(s.options.URL, s.options.Delimiter, segment, 1)
}

// segmentURL is where packets for a destination go. An address has no
// characters that mean something in a URL.
func (s *sender) segmentURL(ctx context.Context, destination ilp.Address) (*url.URL, error) {
	own, err := s.address.get(ctx, s.link)
	if err != nil {
		return nil, err
	}
	if destination == own || !destination.HasPrefix(own) {
		return nil, fmt.Errorf("%w: destination=%s address=%s", errNotRoutable, destination, own)
	}
	segment, _, _ := strings.Cut(destination.String()[len(own.String())+1:], ".")
	return parseURL(s.urlFor(segment))
}
