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
	// TLS is what it is shown and what of it is trusted, where URL is https.
	TLS *ClientTLS `json:"tls,omitempty"`
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
	// Token is what the engine shows, as a bearer token or a password. It, or a
	// client certificate, is required beyond this machine; without either
	// whoever is on this machine may speak as the engine.
	Token Secret `json:"token,omitempty"`
	// TLS is the certificate it is served with.
	TLS *Certificate `json:"tls,omitempty"`
	// ClientKeys, ClientSubjects and ClientNames are the certificates of which
	// the engine shows one, besides the token if there is one: SHA-256 hashes of
	// public keys, in hexadecimal, distinguished names, and DNS names and URIs.
	// TLS needs authorities.
	ClientKeys     []string `json:"clientKeys,omitempty"`
	ClientSubjects []string `json:"clientSubjects,omitempty"`
	ClientNames    []string `json:"clientNames,omitempty"`
}

// options are those of the settlement.Engine, but for what the files hold.
func (e *SettlementEngine) options() settlement.Options {
	o := settlement.Options{URL: e.URL, BearerToken: string(e.BearerToken), Timeout: e.Timeout.std()}
	if e.Listener.Token != "" {
		o.AcceptTokens = []string{string(e.Listener.Token)}
	}
	if certificates := e.Listener.certificates(); certificates.some() {
		o.VerifyClient = certificates.verify
	}
	o.LoopbackOnly = o.AcceptTokens == nil && o.VerifyClient == nil
	return o
}

func (l *EngineListener) certificates() *clientCertificates {
	return &clientCertificates{ClientKeys: l.ClientKeys, ClientSubjects: l.ClientSubjects, ClientNames: l.ClientNames}
}

// claim tells apart engines, and listeners for the same one.
func (e *SettlementEngine) claim() string {
	parts := append(e.Listener.certificates().claims(), e.URL, string(e.BearerToken), string(e.Listener.Token), e.Timeout.String())
	if e.TLS != nil {
		parts = append(parts, e.TLS.CertFile, e.TLS.KeyFile, e.TLS.Authorities)
	}
	return claim(parts...)
}

// engine looks at the settlement engine of an account, and joins the link to
// it.
func (k *checker) engine(path string, a *Account, link Made[plugin.Plugin]) Made[plugin.Plugin] {
	e := a.SettlementEngine
	host, options := cmp.Or(e.Listener.Host, "127.0.0.1"), e.options()
	if options.LoopbackOnly && !onThisMachine(host) {
		k.add(at(path, "listener", "token"), "is missing: whoever reaches %s could say that money has arrived; set a token or clientKeys, or host to 127.0.0.1", host)
		return link
	}
	e.Listener.certificates().check(func(option, format string, args ...any) { k.add(at(path, "listener", option), format, args...) }, e.Listener.TLS)
	if k.below(at(path, "listener")) {
		return link
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
	same := e.claim()
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
	secure, err := a.SettlementEngine.TLS.config(p.Logger)
	if err != nil {
		link.Close()
		return nil, err
	}
	if secure != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = secure
		options.Client = &http.Client{Transport: transport}
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
