package config

import (
	"cmp"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// httpOptions are those of ilp-plugin-http, and some of ours.
type httpOptions struct {
	Multi          bool   `json:"multi"`
	MultiDelimiter string `json:"multiDelimiter"`

	_ struct{} `refused:"ildcp: the address is the one that the connector gives the account, which ends with its ilpAddressSegment, and the asset is the account's"`

	Incoming *httpIncoming `json:"incoming"`
	Outgoing *httpOutgoing `json:"outgoing"`
}

// httpSecrets are how one side shows who it is. The last two are the names that
// the first two had before ilp-plugin-http 1.6: what goes out under them is
// without "Bearer".
type httpSecrets struct {
	StaticToken Secret `json:"staticToken"`
	JWTSecret   Secret `json:"jwtSecret"`
	SecretToken Secret `json:"secretToken"`
	Secret      Secret `json:"secret"`
}

func (s *httpSecrets) token() Secret { return cmp.Or(s.StaticToken, s.SecretToken) }
func (s *httpSecrets) jwt() Secret   { return cmp.Or(s.JWTSecret, s.Secret) }
func (s *httpSecrets) old() bool     { return s.SecretToken != "" || s.Secret != "" }

// check finds what is there under both of its names.
func (s *httpSecrets) check(o *DriverOptions, name string) {
	if s.StaticToken != "" && s.SecretToken != "" {
		o.Fault(name+".secretToken", "is there although staticToken is, which is its newer name: keep one of them")
	}
	if s.JWTSecret != "" && s.Secret != "" {
		o.Fault(name+".secret", "is there although jwtSecret is, which is its newer name: keep one of them")
	}
}

// credentials gives what requests are known by.
func (s *httpSecrets) credentials() ilphttp.Credentials {
	var c ilphttp.Credentials
	if token := s.token(); token != "" {
		c.Tokens = []string{string(token)}
	}
	if secret := s.jwt(); secret != "" {
		c.JWT = &ilphttp.JWT{Secrets: [][]byte{[]byte(secret)}}
	}
	return c
}

type httpIncoming struct {
	httpSecrets
	Port *uint16 `json:"port"`

	// Ours.
	Host  string                 `json:"host"`
	Path  string                 `json:"path"`
	TLS   *Certificate           `json:"tls"`
	Users map[string]httpSecrets `json:"users"`
	linkCertificates
}

// credentials gives what requests of the account are known by.
func (in *httpIncoming) credentials() ilphttp.Credentials {
	c := in.httpSecrets.credentials()
	c.ClientKeys, c.ClientSubjects, c.ClientNames = in.keys(), in.ClientSubjects, in.ClientNames
	c.RequireCertificate = in.required()
	return c
}

type httpOutgoing struct {
	httpSecrets
	URL                string   `json:"url" config:"required"`
	JWTExpiry          Duration `json:"jwtExpiry"`
	TokenExpiry        Duration `json:"tokenExpiry"`
	Name               string   `json:"name"`
	HTTP2              bool     `json:"http2"`
	HTTP2MaxRequests   int      `json:"http2MaxRequestsPerSession"`
	SendILPDestination bool     `json:"sendIlpDestination"`

	TLS *ClientTLS `json:"tls"` // ours
}

// httpPlugin makes a link by ILP over HTTP: a client with outgoing alone, an
// account of a server with incoming.
func httpPlugin(o *DriverOptions) Made[plugin.Plugin] {
	var v httpOptions
	o.Decode(&v)
	if o.Faulty() {
		return Made[plugin.Plugin]{}
	}
	if v.Incoming == nil && v.Outgoing == nil {
		o.Fault("", `needs incoming, such as {"port": 7780, "staticToken": "…"}, or outgoing, such as {"url": "https://bob.example/ilp", "staticToken": "…"}`)
		return Made[plugin.Plugin]{}
	}
	var outgoing ilphttp.ClientOptions
	if v.Outgoing != nil {
		outgoing = v.client(o)
	}
	if o.Faulty() {
		return Made[plugin.Plugin]{}
	}
	var made Made[plugin.Plugin]
	if v.Incoming == nil {
		made = v.dialing(o, outgoing)
	} else {
		made = v.listening(o, outgoing)
	}
	made.Notes = append(made.Notes, v.notes()...)
	return made
}

func (v *httpOptions) notes() []string {
	var notes []string
	if v.Incoming != nil && v.Multi && len(v.Incoming.Users) == 0 {
		notes = append(notes, "multi: who a user is, is not taken from the header ILP-Peer-Name; give each its own credentials in incoming.users")
	}
	if out := v.Outgoing; out != nil {
		if out.HTTP2 || out.HTTP2MaxRequests != 0 {
			notes = append(notes, "outgoing.http2 and http2MaxRequestsPerSession have no effect: the server chooses the version")
		}
		if out.SendILPDestination {
			notes = append(notes, "outgoing.sendIlpDestination has no effect: the header is not sent")
		}
	}
	return notes
}

// client gives the options of outgoing packets.
func (v *httpOptions) client(o *DriverOptions) ilphttp.ClientOptions {
	out := v.Outgoing
	out.httpSecrets.check(o, "outgoing")
	options := ilphttp.ClientOptions{URL: out.URL, Token: string(out.token()), BareToken: out.old(), PeerName: out.Name}
	if v.Multi {
		options.Delimiter = cmp.Or(v.MultiDelimiter, "%")
	}
	if secret := out.jwt(); secret != "" {
		if options.Token != "" {
			o.Fault("outgoing.jwtSecret", "is there although staticToken is: choose one")
		}
		lifetime := cmp.Or(out.JWTExpiry, out.TokenExpiry)
		if lifetime.std()%time.Second != 0 {
			o.Fault("outgoing.jwtExpiry", "is %v: it must be whole seconds", lifetime)
		}
		options.JWT = &ilphttp.SignedJWT{Secret: []byte(secret), Lifetime: lifetime.std()}
	}
	return options
}

// placeOf says where packets are sent to, for people.
func placeOf(o *ilphttp.ClientOptions) string {
	text := o.URL
	if o.Delimiter != "" {
		text = strings.Replace(text, o.Delimiter, "SEGMENT", 1)
	}
	if u, err := url.Parse(text); err == nil {
		return shown(u)
	}
	return "an address"
}

func (v *httpOptions) dialing(o *DriverOptions, options ilphttp.ClientOptions) Made[plugin.Plugin] {
	// A client reports what is wrong when it is opened, an account when it is
	// made.
	nobody := ilphttp.Credentials{Tokens: []string{rand.Text() + rand.Text()}}
	account := ilphttp.AccountOptions{Incoming: nobody, Outgoing: options}
	if _, err := ilphttp.NewServer(ilphttp.ServerOptions{}).Account(account); err != nil {
		o.Fault("outgoing", "%v", err)
		return Made[plugin.Plugin]{}
	}
	return Made[plugin.Plugin]{
		Summary: "ILP over HTTP, sends to " + placeOf(&options),
		Build: func(_ context.Context, p *Parts) (plugin.Plugin, error) {
			options := options
			options.Logger = p.Logger
			var err error
			if options.TLS, err = v.Outgoing.TLS.config(p.Logger); err != nil {
				return nil, err
			}
			return ilphttp.NewClient(options), nil
		},
	}
}

func (v *httpOptions) listening(o *DriverOptions, outgoing ilphttp.ClientOptions) Made[plugin.Plugin] {
	in := v.Incoming
	place, ok := listenerSpot{Port: in.Port, Host: in.Host, Path: in.Path}.place(o, "incoming", nil)
	if !ok {
		return Made[plugin.Plugin]{}
	}
	in.httpSecrets.check(o, "incoming")
	if in.linkCertificates.check(o.faultsOf("incoming"), in.TLS); o.Faulty() {
		return Made[plugin.Plugin]{}
	}
	place.Option, place.TLS, place.Kind = "incoming", in.TLS, "ILP over HTTP"
	place.Claim = claim(append(in.claims(), string(in.token()), string(in.jwt()))...)
	options := ilphttp.AccountOptions{Incoming: in.credentials(), Outgoing: outgoing}
	if _, err := v.peer(ilphttp.NewServer(ilphttp.ServerOptions{}), options); err != nil {
		o.Fault("incoming", "%v", err)
		return Made[plugin.Plugin]{}
	}
	made := Made[plugin.Plugin]{Summary: "ILP over HTTP, listens on " + place.String(), Listen: []Listen{place}}
	if v.Outgoing != nil {
		made.Summary += ", sends to " + placeOf(&outgoing)
	} else {
		made.Notes = append(made.Notes, "without outgoing, no packet can be sent to the counterparty")
	}
	made.Notes = append(made.Notes, in.notes(in.token() != "" || in.jwt() != "")...)
	if host, _, _ := net.SplitHostPort(place.Address); in.TLS == nil && !onThisMachine(host) {
		made.Notes = append(made.Notes, "incoming is without TLS: serve it behind a proxy that has it")
	}
	made.Build = func(_ context.Context, p *Parts) (plugin.Plugin, error) {
		options := options
		options.Outgoing.Logger = p.Logger
		if v.Outgoing != nil {
			var err error
			if options.Outgoing.TLS, err = v.Outgoing.TLS.config(p.Logger); err != nil {
				return nil, err
			}
		}
		handler, leave, err := p.Listen(place, func() http.Handler {
			return ilphttp.NewServer(ilphttp.ServerOptions{Logger: p.Logger})
		})
		if err != nil {
			return nil, err
		}
		peer, err := v.peer(handler.(*ilphttp.Server), options)
		if err != nil {
			leave()
			return nil, err
		}
		return &leaving{peer, leave}, nil
	}
	return made
}

// peer adds the account, with its users, to a server.
func (v *httpOptions) peer(server *ilphttp.Server, options ilphttp.AccountOptions) (*ilphttp.Peer, error) {
	peer, err := server.Account(options)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(v.Incoming.Users) {
		secrets := v.Incoming.Users[name]
		if err := peer.SetUser(name, secrets.credentials()); err != nil {
			peer.Close()
			return nil, err
		}
	}
	return peer, nil
}
