package config

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/interledger-go/connector/account"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/store"
)

// accounts looks at each account, and at what they may not have in common.
func (k *checker) accounts() {
	segments := make(map[string]string)
	ids := make(map[string]bool)
	for i := range k.config.Accounts {
		a := &k.config.Accounts[i]
		path := at("accounts", a.ID)
		if ids[a.ID] { // in Go alone: JSON has been looked at
			k.add(path, "is there twice: choose another id")
		}
		ids[a.ID] = true
		planned := k.account(path, a)
		if a.Relation == account.Child {
			segment := planned.Segment()
			if other, taken := segments[segment]; taken {
				k.add(at(path, "ilpAddressSegment"), "is %q, as that of account %q: set another one", segment, other)
			}
			segments[segment] = a.ID
		}
	}
}

// account looks at one account.
func (k *checker) account(path string, a *Account) account.Account {
	if trimmed := strings.Trim(a.ID, "."); a.ID == "" || !plainName(strings.ReplaceAll(a.ID, ".", "")) || trimmed == "" {
		k.addName(path, "is not a name of an account: it may have letters, digits, _ - ~ and dots")
	}
	if len(a.ID) > store.MaxNameSize { // the account has a part of the store by its name
		k.addName(path, "has an id of %d bytes: at most %d are allowed", len(a.ID), store.MaxNameSize)
	}
	if a.Relation == account.Child {
		segment := a.ILPAddressSegment
		switch {
		case segment != "" && !ilp.ValidSegment(segment):
			k.add(at(path, "ilpAddressSegment"), "is %q: a segment has letters, digits, _ ~ and - only", segment)
		case segment == "" && !ilp.ValidSegment(a.ID):
			k.add(at(path, "ilpAddressSegment"), "is missing, and the id cannot stand in for it: set a segment of letters, digits, _ ~ and -")
		}
	} else if a.ILPAddressSegment != "" {
		k.note("%s has no effect: only children have an address under ours", at(path, "ilpAddressSegment"))
	}
	switch code := a.AssetCode; {
	case code == "":
		k.add(at(path, "assetCode"), `is empty: name the asset, such as "USD"`)
	case len(code) > account.MaxAssetCodeLength || !utf8.ValidString(code):
		k.add(at(path, "assetCode"), "must be UTF-8 of at most %d bytes", account.MaxAssetCodeLength)
	}
	k.limits(path, a)
	planned := a.account()
	link := k.link(path, a)
	k.plan.accounts = append(k.plan.accounts, link)
	if a.Balance != nil && a.Balance.settles() && !link.link.Settles && !k.below(path) {
		k.add(at(path, "balance", "settleThreshold"), "is %v, but the plugin %s cannot settle: set settlementEngine, or leave it out", *a.Balance.SettleThreshold, a.Plugin)
	}
	if !k.below(path) {
		complete := planned
		complete.Plugin = unlinked{}
		if err := complete.Validate(); err != nil {
			k.add(path, "%v", err)
		}
	}
	return planned
}

// unlinked stands for a link that is made later.
type unlinked struct{ plugin.Plugin }

// link looks at the plugin of an account.
func (k *checker) link(path string, a *Account) (planned plannedAccount) {
	planned.Account = *a
	secrets := []string{string(a.Options)}
	if e := a.SettlementEngine; e != nil {
		secrets = append(secrets, string(e.BearerToken), string(e.Listener.Token))
		defer func() {
			if !k.below(path) {
				planned.link = k.engine(at(path, "settlementEngine"), a, planned.link)
			}
		}()
	}
	if a.Link != nil {
		planned.link = given(a.Link)
		planned.sum = fingerprint(a, secrets)
		return planned
	}
	driver := k.registry.Plugins[a.Plugin]
	if driver == nil {
		k.add(at(path, "plugin"), "is %q: %s", a.Plugin, known(a.Plugin, sortedKeys(k.registry.Plugins)))
		return planned
	}
	o, d := k.options(at(path, "options"), a.Options)
	o.Account = a
	planned.link = driver(o)
	planned.sum = fingerprint(a, append(d.seen, secrets...))
	for _, note := range planned.link.Notes {
		k.note("%s: %s", at(path, "options"), note)
	}
	return planned
}

// limits looks at the limits of an account.
func (k *checker) limits(path string, a *Account) {
	k.count(at(path, "maxInFlight"), a.MaxInFlight)
	k.count(at(path, "maxRoutes"), a.MaxRoutes)
	if t := a.Throughput; t != nil {
		k.period(at(path, "throughput", "refillPeriod"), t.RefillPeriod)
		if t.IncomingAmount != 0 && a.MaxPacketAmount > t.IncomingAmount {
			k.add(at(path, "maxPacketAmount"), "is %d, above throughput.incomingAmount, %d: a packet of that amount could never pass", a.MaxPacketAmount, t.IncomingAmount)
		}
	}
	if l := a.RateLimit; l != nil {
		k.period(at(path, "rateLimit", "refillPeriod"), l.RefillPeriod)
	}
	if d := a.Deduplicate; d != nil {
		k.count(at(path, "deduplicate", "maxPackets"), d.MaxPackets)
		if d.CleanupInterval != 0 {
			k.note("%s has no effect: packets that are too old go by themselves", at(path, "deduplicate", "cleanupInterval"))
		}
	}
	if a.Balance == nil {
		k.note("%s has no balance: nothing bounds what it may owe", path)
		return
	}
	k.balance(at(path, "balance"), a.Balance)
}

func (k *checker) balance(path string, b *Balance) {
	if k.below(path) { // the figures may be others than were meant
		return
	}
	lowest := Limit(account.NoMinimum)
	if b.Minimum != nil {
		lowest = *b.Minimum
	}
	if b.Maximum == account.NoMinimum {
		k.add(at(path, "maximum"), `is "-Infinity": nothing would be allowed; it must be an amount, or "Infinity"`)
	}
	if lowest == account.NoMaximum {
		k.add(at(path, "minimum"), `is "Infinity": nothing would be allowed; it must be an amount, or "-Infinity"`)
	}
	if lowest > b.Maximum {
		k.add(at(path, "minimum"), "is %v, above maximum, %v: it must not be", lowest, b.Maximum)
	}
	if b.SettleTo == account.NoMaximum || b.SettleTo == account.NoMinimum {
		k.add(at(path, "settleTo"), "is %v: it must be an amount", b.SettleTo)
	}
	if !b.settles() {
		if b.SettleTo != 0 {
			k.note("%s has no effect without settleThreshold", at(path, "settleTo"))
		}
		return
	}
	switch {
	case *b.SettleThreshold == account.NoMaximum:
		k.add(at(path, "settleThreshold"), `is "Infinity": it must be an amount, or "-Infinity" for never`)
	case *b.SettleThreshold > b.SettleTo:
		k.add(at(path, "settleThreshold"), "is %v, above settleTo, %v: a settlement would take money back", *b.SettleThreshold, b.SettleTo)
	case *b.SettleThreshold <= lowest && lowest != account.NoMinimum:
		k.note("%s is %v, not above minimum, %v: the balance never falls below it, and nothing is settled", at(path, "settleThreshold"), *b.SettleThreshold, lowest)
	}
	if b.SettleTo < lowest {
		k.add(at(path, "settleTo"), "is %v, below minimum, %v: it must not be", b.SettleTo, lowest)
	}
	if b.SettleTo > b.Maximum {
		k.add(at(path, "settleTo"), "is %v, above maximum, %v: it must not be", b.SettleTo, b.Maximum)
	}
}

func (k *checker) count(path string, n int) {
	if n < 0 {
		k.add(path, "is %d: it must be at least 1; leave it out for the default", n)
	}
}

// minRefillPeriod is the shortest period of a limit.
const minRefillPeriod = 100 * time.Millisecond

func (k *checker) period(path string, d Duration) {
	if d != 0 && d.std() < minRefillPeriod {
		k.add(path, "is %v: it must be at least %v", d, minRefillPeriod)
	}
}

// references looks at the names of accounts outside of accounts.
func (k *checker) references() {
	c := k.config
	if c.DefaultRoute != "" && c.DefaultRoute != "auto" {
		k.exists("defaultRoute", c.DefaultRoute, ` ("auto" is the first parent, "" is none)`)
	}
	if from := c.ILPAddressInheritFrom; from != "" {
		k.exists("ilpAddressInheritFrom", from, " (leave it out for the first parent)")
	}
	inherits := c.ILPAddress == "" || c.ILPAddress == unknownAddress
	if inherits && c.ILPAddressInheritFrom == "" && !k.hasParent() && !k.below("accounts") {
		k.add("ilpAddress", `is missing, and there is no account with the relation parent to inherit one from: set it, to an address such as "test.alice"`)
	}
}

func (k *checker) hasParent() bool {
	for i := range k.config.Accounts {
		if k.config.Accounts[i].Relation == account.Parent {
			return true
		}
	}
	return false
}

func (k *checker) exists(path, id, or string) {
	if k.config.Accounts.Find(id) == nil {
		k.add(path, "is %q, but no account has this id: %s%s", id, known(id, k.config.Accounts.ids()), or)
	}
}

// routing looks at the routes.
func (k *checker) routing() {
	c := k.config
	seen := make(map[string]int)
	for i, r := range c.Routes {
		path := indexed("routes", i)
		k.exists(path+".peerId", r.PeerID, "")
		target := r.prefix()
		if !validPrefix(target) {
			k.add(path+".targetPrefix", `is %q: it must be an address or a scheme, such as "test.bob" or "test"`, r.TargetPrefix)
		}
		if first, taken := seen[target+" "+r.PeerID]; taken {
			k.add(path+".targetPrefix", "is %q for %q, as in routes[%d]: keep one of them", r.TargetPrefix, r.PeerID, first)
		}
		seen[target+" "+r.PeerID] = i
	}
	if c.RouteExport == "" {
		c.RouteExport = "reference"
	}
	k.oneOf("routeExport", c.RouteExport, "reference", "valley-free")
	if c.RouteBroadcastEnabled && c.RouteExpiry != 0 && c.RouteExpiry <= c.RouteBroadcastInterval {
		k.add("routeExpiry", "is %v, not above routeBroadcastInterval, %v: routes would expire between two updates", c.RouteExpiry, c.RouteBroadcastInterval)
	}
}

// prefix is the target without the dot at its end that the reference takes.
func (r Route) prefix() string { return strings.TrimSuffix(r.TargetPrefix, ".") }

// durations looks at how long things last, and at settings without effect.
func (k *checker) durations() {
	c, standard := k.config, Default()
	window, hold := c.MinMessageWindow, c.MaxHoldTime
	if window == 0 {
		window = standard.MinMessageWindow
	}
	if hold == 0 {
		hold = standard.MaxHoldTime
	}
	if hold < window {
		k.add("maxHoldTime", "is %v, below minMessageWindow, %v: no packet could be forwarded", hold, window)
	}
	if c.InitialConnectTimeout != standard.InitialConnectTimeout {
		k.note("initialConnectTimeout has no effect: links connect while the connector runs")
	}
	if c.RouteCleanupInterval != standard.RouteCleanupInterval {
		k.note("routeCleanupInterval has no effect: routes go when they expire")
	}
	if c.CollectDefaultMetrics {
		k.note("collectDefaultMetrics has no effect: there is no Node.js process to measure")
	}
}

// minAdminToken is the length of the shortest token of the admin API, in
// bytes.
const minAdminToken = 16

// connections looks at the bounds of connections. 0 is their defaults, for a
// Config that was made in Go.
func (k *checker) connections() {
	for name, most := range map[string]int{"maxUnauthenticated": k.config.MaxUnauthenticated, "maxConnections": k.config.MaxConnections} {
		if most < 0 {
			k.add(name, "is %d: it must be 1 or more", most)
		}
	}
}

// admin looks at the admin API.
func (k *checker) admin() {
	c := k.config
	if !c.AdminAPI && !k.below("adminApi") { // what is meant there is not known
		return
	}
	if c.AdminAPIHost == "" {
		k.add("adminApiHost", `is empty: it must be an address to listen on, such as "127.0.0.1"`)
	}
	k.tokens()
}

// tokens looks at the tokens of the admin API. It quotes none.
func (k *checker) tokens() {
	c := k.config
	seen := make(map[Secret]string) // where
	look := func(path string, token Secret) {
		switch other, taken := seen[token]; {
		case len(token) < minAdminToken:
			k.add(path, "has %d bytes: it must have at least %d, of random text", len(token), minAdminToken)
		case taken:
			k.add(path, "is that of %s: it must be another", other)
		}
		seen[token] = path
	}
	if c.AdminAPIToken != "" {
		look("adminApiToken", c.AdminAPIToken)
	}
	for i, token := range c.AdminAPITokens {
		look(indexed("adminApiTokens", i), token)
	}
	for i, token := range c.AdminAPIReadTokens {
		look(indexed("adminApiReadTokens", i), token)
	}
	tokens, readTokens := c.AdminTokens()
	if !c.hasAdminTokens() && !onThisMachine(c.AdminAPIHost) {
		k.add("adminApiToken", "is missing: whoever reaches %s could move money; set a token, or adminApiHost to 127.0.0.1", c.AdminAPIHost)
	}
	if len(tokens) == 0 && len(readTokens) > 0 {
		k.note("adminApiReadTokens: there is no token that may change anything: set adminApiToken, too, if somebody should")
	}
}

// logs looks at what the program that reads the configuration logs.
func (k *checker) logs() {
	c := k.config
	if c.LogLevel == "" {
		c.LogLevel = "info"
	}
	if c.LogFormat == "" {
		c.LogFormat = "text"
	}
	k.oneOf("logLevel", c.LogLevel, "debug", "info", "warn", "error")
	k.oneOf("logFormat", c.LogFormat, "text", "json")
}
