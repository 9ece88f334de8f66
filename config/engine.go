package config

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/settlement"
)

// SettlementEngine is the program that settles an account (RFC 38).
type SettlementEngine struct {
	// URL below which the engine has its API.
	URL string `json:"url" config:"required"`
	// BearerToken is shown to it; empty: none.
	BearerToken Secret `json:"bearerToken,omitempty"`
	// AccountID names the account to it, for ever; empty means the ID.
	AccountID string `json:"accountId,omitempty"`
	// Timeout bounds each request to it; 0 means settlement.DefaultTimeout.
	Timeout Duration `json:"timeout,omitempty" config:"positive"`
	// Listener is where it tells what has arrived. Accounts of one engine
	// share it.
	Listener EngineListener `json:"listener" config:"required"`
}

// EngineListener is where a settlement engine speaks to us.
type EngineListener struct {
	// Host is 127.0.0.1 where it is empty.
	Host string `json:"host,omitempty"`
	Port uint16 `json:"port" config:"required"`
	// Token is what the engine shows, as a bearer token or a password. It is
	// required beyond this machine; without it whoever is on this machine may
	// speak as the engine.
	Token Secret `json:"token,omitempty"`
	// TLS is the certificate it is served with.
	TLS *Certificate `json:"tls,omitempty"`
}

// engine looks at the settlement engine of an account, and joins the link to
// it.
func (k *checker) engine(path string, a *Account, link Made[plugin.Plugin]) Made[plugin.Plugin] {
	e := a.SettlementEngine
	host := cmp.Or(e.Listener.Host, "127.0.0.1")
	if e.Listener.Token == "" && !onThisMachine(host) {
		k.add(at(path, "listener", "token"), "is missing: whoever reaches %s could say that money has arrived; set a token, or host to 127.0.0.1", host)
		return link
	}
	options := settlement.Options{
		URL: e.URL, BearerToken: string(e.BearerToken), Timeout: e.Timeout.std(), LoopbackOnly: e.Listener.Token == "",
	}
	if e.Listener.Token != "" {
		options.AcceptTokens = []string{string(e.Listener.Token)}
	}
	if _, err := settlement.NewEngine(options); err != nil {
		k.add(path, "%v", err)
		return link
	}
	u, err := url.Parse(e.URL)
	if err != nil || u.User != nil { // NewEngine has looked at it
		k.add(at(path, "url"), "must be such as http://127.0.0.1:3000, without a user")
		return link
	}
	same := claim(e.URL, string(e.BearerToken), string(e.Listener.Token), e.Timeout.String())
	id := cmp.Or(e.AccountID, a.ID)
	place := Listen{
		Address: net.JoinHostPort(host, portText(e.Listener.Port)), Path: "/", TLS: e.Listener.TLS,
		Kind: "settlement engine " + shown(u) + ", " + same[:8], Claim: claim(id), path: at(path, "listener"),
	}
	build := link.Build
	link.Summary += "; settles by " + shown(u) + ", which reports to " + place.Address
	link.Settles, link.Listen = true, append(link.Listen, place)
	link.Build = func(ctx context.Context, p *Parts) (plugin.Plugin, error) {
		return joinEngine(ctx, p, a, options, place, build)
	}
	return link
}

// joinEngine makes the link of an account, by inner, and joins it to its
// engine, which it makes if no other account has.
func joinEngine(ctx context.Context, p *Parts, a *Account, options settlement.Options, place Listen, inner func(context.Context, *Parts) (plugin.Plugin, error)) (plugin.Plugin, error) {
	link, err := inner(ctx, p)
	if err != nil {
		return nil, err
	}
	options.Logger = p.Logger
	engine, err := settlement.NewEngine(options)
	if err != nil {
		link.Close()
		return nil, err
	}
	handler, leave, err := p.Listen(place, func() http.Handler { return engine })
	if err != nil {
		link.Close()
		return nil, err
	}
	joined, err := handler.(*settlement.Engine).Account(link, settlement.AccountOptions{
		ID: cmp.Or(a.SettlementEngine.AccountID, a.ID), Asset: ilp.Asset{Code: a.AssetCode, Scale: a.AssetScale},
	})
	if err != nil {
		leave()
		link.Close()
		return nil, err
	}
	return &leaving{joined, leave}, nil
}
