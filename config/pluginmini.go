package config

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/loopback"
	"github.com/interledger-go/connector/plugin/miniaccounts"
)

// miniOptions are those of ilp-plugin-mini-accounts, and some of ours.
type miniOptions struct {
	Port            *uint16    `json:"port"`
	WSOpts          *wsOptions `json:"wsOpts"`
	AllowedOrigins  []string   `json:"allowedOrigins"`
	GenerateAccount *bool      `json:"generateAccount"`
	CurrencyScale   *uint8     `json:"currencyScale"`

	_ struct{} `refused:"debugHostIldcpInfo: users have addresses below the address that the connector gives the account, which ends with its ilpAddressSegment"`
	_ struct{} `refused:"_store: users are kept in the connector's store"`

	// Ours.
	Host           string                 `json:"host"`
	Path           string                 `json:"path"`
	TLS            *Certificate           `json:"tls"`
	Users          *userLimits            `json:"users"`
	LimitsOf       map[string]*userLimits `json:"limitsOf"` // in the place of Users
	Sockets        string                 `json:"sockets"`
	MaxUsers       int                    `json:"maxUsers"`
	MaxConnections int                    `json:"maxConnections"`
	MaxSockets     int                    `json:"maxSockets"`
}

// userLimits are those of each user.
type userLimits struct {
	Balance         *Balance    `json:"balance"`
	MaxPacketAmount Amount      `json:"maxPacketAmount"`
	Throughput      *Throughput `json:"throughput"`
	RateLimit       *RateLimit  `json:"rateLimit"`
	MaxInFlight     int         `json:"maxInFlight"`
}

// miniPort is the port of the reference.
const miniPort = 3000

// miniPlugin makes a server for many users behind one account.
func miniPlugin(o *DriverOptions) Made[plugin.Plugin] {
	var v miniOptions
	o.Decode(&v)
	if o.Account.Relation != account.Child {
		o.Fault("", "are those of a server for users, whose addresses are below ours: the relation of the account must be child")
	}
	spot := listenerSpot{Port: v.Port, Host: v.Host, Path: v.Path}
	if v.Port == nil && (v.WSOpts == nil || v.WSOpts.Port == nil) {
		port := uint16(miniPort)
		spot.Port = &port
	}
	var made Made[plugin.Plugin]
	options := v.options(o)
	place, ok := spot.place(o, "", v.WSOpts)
	if !ok {
		return made
	}
	if _, err := miniaccounts.NewServer(withoutStore(options)); err != nil {
		o.Fault("", "%v", err)
		return made
	}
	place.Option, place.TLS, place.Kind = "port", v.TLS, fmt.Sprintf("BTP for the users of %q", o.Account.ID)
	made.Summary = "mini-accounts, listens on " + place.String()
	made.Listen = []Listen{place}
	if v.CurrencyScale != nil {
		made.Notes = append(made.Notes, "currencyScale has no effect: the scale is the account's assetScale")
	}
	if len(v.AllowedOrigins) > 0 {
		made.Notes = append(made.Notes, "allowedOrigins must match an origin as a whole, not a part of it")
	}
	if o.Account.MaxInFlight == 0 {
		made.Notes = append(made.Notes, fmt.Sprintf("all users together may have %d packets in flight: set maxInFlight of the account for more", account.DefaultMaxInFlight))
	}
	made.Build = func(_ context.Context, p *Parts) (plugin.Plugin, error) {
		options := options
		options.Store, options.Ledger, options.Logger, options.Now = p.Store, p.Ledger, p.Logger, p.Now
		server, err := miniaccounts.NewServer(options)
		if err != nil {
			return nil, err
		}
		_, leave, err := p.Listen(place, func() http.Handler { return server })
		if err != nil {
			return nil, err
		}
		return &leaving{server, leave}, nil
	}
	return made
}

// options gives what can be said before there is a store and a ledger.
func (v *miniOptions) options(o *DriverOptions) miniaccounts.Options {
	options := miniaccounts.Options{
		Name: o.Account.ID, Identity: miniaccounts.ByUsernameOrToken,
		MaxUsers: v.MaxUsers, MaxConnections: v.MaxConnections, MaxSockets: v.MaxSockets,
		MaxUnauthenticated: o.Config.MaxUnauthenticated,
	}
	if v.GenerateAccount != nil {
		options.Identity = miniaccounts.ByUsername
		if *v.GenerateAccount {
			options.Identity = miniaccounts.ByToken
		}
	}
	for i, source := range v.AllowedOrigins {
		pattern, err := regexp.Compile(source)
		if err != nil {
			o.Fault(indexed("allowedOrigins", i), "is %q: it must be a regular expression: %v", source, err)
			continue
		}
		options.AllowedOriginPatterns = append(options.AllowedOriginPatterns, pattern)
	}
	sockets, known := userSockets[cmp.Or(v.Sockets, "newest")]
	if !known {
		o.Fault("sockets", "is %q: it must be newest or round-robin", v.Sockets)
	}
	options.Sockets = sockets
	if u := v.Users; u != nil {
		options.Limits = u.limits(o, "users")
	}
	if len(v.LimitsOf) > 0 {
		options.LimitsOf = v.limitsOf(o, options.Limits)
	}
	return options
}

var userSockets = map[string]miniaccounts.Policy{"newest": miniaccounts.Newest, "round-robin": miniaccounts.RoundRobin}

// limitsOf gives the limits of each user: those of its name, or of all.
func (v *miniOptions) limitsOf(o *DriverOptions, others miniaccounts.UserLimits) func(user string) miniaccounts.UserLimits {
	named := make(map[string]miniaccounts.UserLimits, len(v.LimitsOf))
	for _, name := range slices.Sorted(maps.Keys(v.LimitsOf)) {
		if len(name) > miniaccounts.MaxUsernameLength || !ilp.ValidSegment(name) {
			o.Fault(at("limitsOf", name), "is not the name of a user: it must be one segment of an address, of at most %d bytes", miniaccounts.MaxUsernameLength)
		}
		if u := v.LimitsOf[name]; u != nil {
			named[name] = u.limits(o, "limitsOf", name)
		}
	}
	return func(user string) miniaccounts.UserLimits {
		if l, ok := named[user]; ok {
			return l
		}
		return others
	}
}

// limits are those at a path of the options.
func (u *userLimits) limits(o *DriverOptions, path ...string) miniaccounts.UserLimits {
	limited := Account{MaxPacketAmount: u.MaxPacketAmount, Throughput: u.Throughput, RateLimit: u.RateLimit, Balance: u.Balance}
	k := &checker{faults: o.decoder.faults, plan: &Plan{}}
	k.limits(at(o.path, path...), &limited)
	if u.Balance != nil && u.Balance.settles() {
		o.Fault(at(at("", path...), "balance", "settleThreshold"), "is there, but users do not settle: leave it out")
	}
	a := limited.account()
	limits := miniaccounts.UserLimits{MaxPacketAmount: a.MaxPacketAmount, Throughput: a.Throughput, Balance: a.Balance, MaxInFlight: u.MaxInFlight}
	if u.RateLimit != nil { // the default is one for all users together
		limits.RateLimit = a.RateLimit
	}
	return limits
}

// withoutStore gives options that can be looked at before there is a store
// and a ledger.
func withoutStore(o miniaccounts.Options) miniaccounts.Options {
	o.Identity, o.Limits.Balance = miniaccounts.ByToken, nil
	return o
}

// loopbackPlugin makes a link that answers by itself.
func loopbackPlugin(o *DriverOptions) Made[plugin.Plugin] {
	var v struct {
		Reject string   `json:"reject"`
		Delay  Duration `json:"delay"`
	}
	o.Decode(&v)
	options := loopback.Options{Reject: ilp.Code(v.Reject), Delay: v.Delay.std()}
	if _, err := loopback.New(options); err != nil && !o.Faulty() {
		o.Fault("", "%v", err)
	}
	return Made[plugin.Plugin]{
		Summary: "loopback, answers by itself",
		Build: func(context.Context, *Parts) (plugin.Plugin, error) {
			link, err := loopback.New(options)
			if err != nil {
				return nil, err
			}
			return link, nil
		},
	}
}
