package config

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// btpOptions are those of ilp-plugin-btp, and some of ours.
type btpOptions struct {
	Server     Secret       `json:"server"` // a URL with a token
	Listener   *btpListener `json:"listener"`
	BTPAccount string       `json:"btpAccount"`
	BTPToken   Secret       `json:"btpToken"`
	TLS        *ClientTLS   `json:"tls"` // ours, for a server

	// BTPAuthFlags are entries besides the credentials: text, or any JSON.
	BTPAuthFlags map[string]value `json:"btpAuthFlags"`

	ReconnectInterval        Duration   `json:"reconnectInterval"`
	ReconnectIntervals       []Duration `json:"reconnectIntervals"`
	ReconnectClearTryTimeout Duration   `json:"reconnectClearTryTimeout"`
	ResponseTimeout          Duration   `json:"responseTimeout"`
}

// btpListener is where the counterparty connects to.
type btpListener struct {
	Port   *uint16    `json:"port"`
	Secret Secret     `json:"secret"`
	WSOpts *wsOptions `json:"wsOpts"`

	// Ours.
	Host     string       `json:"host"`
	Path     string       `json:"path"`
	Username string       `json:"username"`
	TLS      *Certificate `json:"tls"`
	Sockets  string       `json:"sockets"`
	linkCertificates
}

// listenerSpot is where somebody listens.
type listenerSpot struct {
	Port *uint16 `json:"port"`
	Host string  `json:"host"`
	Path string  `json:"path"`
}

// wsOptions are those of the ws package.
type wsOptions struct {
	listenerSpot

	_ struct{} `refused:"backlog: it is the system's"`
	_ struct{} `refused:"clientTracking: sockets are known by their accounts"`
	_ struct{} `refused:"handleProtocols: there is one protocol"`
	_ struct{} `refused:"maxBufferedChunks: what waits to be read has a bound"`
	_ struct{} `refused:"maxFragments: what waits to be read has a bound"`
	_ struct{} `refused:"maxPayload: messages have a bound, a little above the longest packet"`
	_ struct{} `refused:"maxPendingAutoPongs: what waits to be sent has a bound"`
	_ struct{} `refused:"noServer: there is always one; give its port"`
	_ struct{} `refused:"perMessageDeflate: packets are never compressed"`
	_ struct{} `refused:"server: accounts that have the same port share a server; give it certificates with tls beside wsOpts"`
	_ struct{} `refused:"verifyClient: clients show a token or a certificate"`
}

// btpPlugin makes a link by BTP: a client with server, an account of a server
// with listener.
func btpPlugin(o *DriverOptions) Made[plugin.Plugin] {
	var v btpOptions
	o.Decode(&v)
	var made Made[plugin.Plugin]
	switch {
	case o.Faulty():
		return made
	case v.Server != "" && v.Listener != nil:
		o.Fault("listener", "is there although server is: choose who dials")
	case v.Server != "":
		made = v.client(o)
	case v.Listener != nil:
		made = v.listener(o)
	default:
		o.Fault("", `needs server, such as "btp+wss://alice:token@bob.example/ilp", or listener, such as {"port": 7768, "secret": "token"}`)
	}
	if v.ResponseTimeout != 0 {
		made.Notes = append(made.Notes, "responseTimeout has no effect: packets are waited for until they expire")
	}
	return made
}

func (v *btpOptions) client(o *DriverOptions) Made[plugin.Plugin] {
	u, err := url.Parse(string(v.Server))
	switch {
	case err != nil || u.Scheme != "btp+ws" && u.Scheme != "btp+wss" || u.Hostname() == "" || u.Fragment != "":
		o.Fault("server", `must be a URL such as "btp+wss://alice:token@bob.example/ilp", with what is special in alice and token written as %%40`)
		return Made[plugin.Plugin]{}
	case u.User != nil && u.User.String() != "" && (v.BTPAccount != "" || v.BTPToken != ""):
		o.Fault("btpToken", "and btpAccount are there although server has a user: give them once")
	}
	made := Made[plugin.Plugin]{Summary: "BTP, dials " + shown(u)}
	if u.Scheme == "btp+ws" && !onThisMachine(u.Hostname()) {
		made.Notes = append(made.Notes, "server is without TLS: everybody on the way can read the token and the packets")
	}
	options := btp.ClientOptions{
		URL: string(v.Server), Username: v.BTPAccount, Token: string(v.BTPToken), AuthEntries: v.authEntries(),
		MinBackoff: v.ReconnectInterval.std(), MaxBackoff: v.ReconnectInterval.std(), StableAfter: v.ReconnectClearTryTimeout.std(),
	}
	for _, interval := range v.ReconnectIntervals {
		if options.MinBackoff == 0 {
			options.MinBackoff = interval.std()
		}
		options.MaxBackoff = max(options.MaxBackoff, interval.std())
	}
	if o.Faulty() {
		return made
	}
	if err := options.Validate(); err != nil {
		o.Fault("", "%v", err)
		return made
	}
	made.Build = func(_ context.Context, p *Parts) (plugin.Plugin, error) {
		options := options
		options.Logger = p.Logger
		var err error
		if options.TLS, err = v.TLS.config(p.Logger); err != nil {
			return nil, err
		}
		return btp.NewClient(options), nil
	}
	return made
}

// authEntries gives the flags as the reference sends them, by name.
func (v *btpOptions) authEntries() []btp.Entry {
	var entries []btp.Entry
	for _, name := range slices.Sorted(maps.Keys(v.BTPAuthFlags)) {
		entry := btp.Entry{Name: name, ContentType: btp.JSON, Data: v.BTPAuthFlags[name]}
		var text string
		if entry.Data[0] == '"' && json.Unmarshal(entry.Data, &text) == nil {
			entry.ContentType, entry.Data = btp.TextPlain, []byte(text)
		}
		entries = append(entries, entry)
	}
	return entries
}

// shown is a URL without what may be secret in it.
func shown(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

var socketPolicies = map[string]btp.Policy{"replace": btp.Replace, "newest": btp.Newest, "round-robin": btp.RoundRobin}

func (v *btpOptions) listener(o *DriverOptions) Made[plugin.Plugin] {
	l := v.Listener
	spot := listenerSpot{Port: l.Port, Host: l.Host, Path: l.Path}
	place, ok := spot.place(o, "listener", l.WSOpts)
	sockets := cmp.Or(l.Sockets, "replace")
	policy, known := socketPolicies[sockets]
	if !known {
		o.Fault("listener.sockets", "is %q: it must be replace, newest or round-robin", l.Sockets)
	}
	if l.Secret == "" && !l.some() {
		o.Fault("listener.secret", "is missing: anybody could connect; set a token of 32 random characters, or clientKeys, clientSubjects or clientNames")
	}
	l.check(o.faultsOf("listener"), l.TLS)
	if !ok || !known || o.Faulty() {
		return Made[plugin.Plugin]{}
	}
	place.Option, place.TLS, place.Kind = "listener", l.TLS, "BTP, sockets "+sockets
	place.Claim = claim(append(l.claims(), l.Username, string(l.Secret))...)
	made := Made[plugin.Plugin]{Summary: "BTP, listens on " + place.String(), Listen: []Listen{place}, Notes: l.notes(l.Secret != "")}
	made.Build = func(_ context.Context, p *Parts) (plugin.Plugin, error) {
		handler, leave, err := p.Listen(place, func() http.Handler {
			return btp.NewServer(btp.ServerOptions{Sockets: policy, MaxUnauthenticated: o.Config.MaxUnauthenticated, Logger: p.Logger})
		})
		if err != nil {
			return nil, err
		}
		peer, err := handler.(*btp.Server).Account(btp.Credentials{
			Username: l.Username, Token: string(l.Secret), ClientKeys: l.keys(), ClientSubjects: l.ClientSubjects,
			ClientNames: l.ClientNames, RequireCertificate: l.required(),
		})
		if err != nil {
			leave()
			return nil, err
		}
		return &leaving{peer, leave}, nil
	}
	return made
}

// place gives the address and path of a listener; ok is false if something is
// wrong with them. spot is what the options below name say, other what they
// say in wsOpts.
func (spot listenerSpot) place(o *DriverOptions, name string, other *wsOptions) (at Listen, ok bool) {
	if name != "" {
		name += "."
	}
	if other != nil {
		if spot.Port != nil && other.Port != nil {
			o.Fault(name+"port", "is there twice, in wsOpts too: keep one of them")
		}
		spot.Port = cmp.Or(spot.Port, other.Port)
		spot.Host, spot.Path = cmp.Or(spot.Host, other.Host), cmp.Or(spot.Path, other.Path)
	}
	if spot.Port == nil {
		o.Fault(name+"port", "is missing: it is required, such as 7768")
	}
	spot.Path = cmp.Or(spot.Path, "/")
	if u, err := url.Parse(spot.Path); err != nil || spot.Path[0] != '/' || u.Path != spot.Path || strings.ContainsAny(spot.Path, "{} ") {
		o.Fault(name+"path", "is %q: it must be the path of a URL, such as /ilp", spot.Path)
	}
	if o.Faulty() {
		return Listen{}, false
	}
	return Listen{Address: net.JoinHostPort(spot.Host, portText(*spot.Port)), Path: spot.Path}, true
}

func portText(port uint16) string { return strconv.FormatUint(uint64(port), 10) }

// claim is the same for the same credentials, and does not show them.
func claim(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:])
}
