package main

import (
	"bytes"
	"cmp"
	"flag"
	"net"
	"os"
	"strings"

	"github.com/interledger-go/connector/admin"
)

// place is where a connector is asked: by flags, or where one listens that has
// this environment, so that nothing has to be said beside it, as in a
// container.
type place struct {
	p         program
	set       *flag.FlagSet
	url       *string
	tokenFile *string // nil: no token is shown
}

// placeFlags adds the flag -admin.
func (p program) placeFlags(set *flag.FlagSet) *place {
	return &place{p: p, set: set, url: set.String("admin", p.adminURL(), "where the admin API is")}
}

// withToken adds the flag -token-file.
func (at *place) withToken() *place {
	at.tokenFile = at.set.String("token-file", "", "file with its token; without -admin the token may be in CONNECTOR_ADMIN_API_TOKEN, too")
	return at
}

// client asks there. The token of the environment is for its own connector
// alone, and not shown to another one.
func (at *place) client() (*admin.Client, error) {
	o := admin.ClientOptions{URL: *at.url}
	file, elsewhere := *at.tokenFile, false
	at.set.Visit(func(f *flag.Flag) { elsewhere = elsewhere || f.Name == "admin" })
	if file == "" && !elsewhere {
		o.Token, file = at.p.variable("CONNECTOR_ADMIN_API_TOKEN"), at.p.variable("CONNECTOR_ADMIN_API_TOKEN_FILE")
	}
	if file != "" {
		token, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		o.Token = string(bytes.TrimRight(token, "\r\n"))
	}
	return admin.NewClient(o)
}

// adminURL is where a connector with this environment has its admin API.
func (p program) adminURL() string {
	scheme, host := "http", cmp.Or(p.variable("CONNECTOR_ADMIN_API_HOST"), "127.0.0.1")
	if p.variable("CONNECTOR_ADMIN_API_TLS") != "" {
		scheme = "https"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, cmp.Or(p.variable("CONNECTOR_ADMIN_API_PORT"), "7780"))
}

// variable gives the value of a variable; empty: it is not set.
func (p program) variable(name string) string {
	for _, v := range p.environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
