package main

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/tlsfile"
)

// place is where a connector is asked: by flags, or where one listens that has
// this environment, so that nothing has to be said beside it, as in a
// container.
type place struct {
	p         program
	set       *flag.FlagSet
	url       *string
	tokenFile *string // nil: no token is shown
	tls       tlsfile.Options
}

// placeFlags adds the flag -admin, and those for TLS there.
func (p program) placeFlags(set *flag.FlagSet) *place {
	at := &place{p: p, set: set, url: set.String("admin", p.adminURL(), "where the admin API is")}
	set.StringVar(&at.tls.Authorities, "authorities", "", "PEM file with whose certificates are trusted there; without it, those that the system trusts")
	set.StringVar(&at.tls.Certificate, "cert", "", "PEM file with a certificate to show there")
	set.StringVar(&at.tls.Key, "key", "", "PEM file with the key of that")
	return at
}

// withToken adds the flag -token-file.
func (at *place) withToken() *place {
	at.tokenFile = at.set.String("token-file", "", "file with its token; without -admin the token may be in CONNECTOR_ADMIN_API_TOKEN, too")
	return at
}

// client asks there. The token of the environment is for its own connector
// alone, and not shown to another one.
func (at *place) client() (*admin.Client, error) {
	web, err := at.http()
	if err != nil {
		return nil, err
	}
	o := admin.ClientOptions{URL: *at.url, HTTP: web}
	file := *at.tokenFile
	if file == "" && at.isOwn() {
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

// isOwn reports whether it is the connector of the environment that is asked.
func (at *place) isOwn() bool {
	own := true
	at.set.Visit(func(f *flag.Flag) { own = own && f.Name != "admin" })
	return own
}

// http makes the client that asks there.
func (at *place) http() (*http.Client, error) {
	if at.tls != (tlsfile.Options{}) {
		files, err := tlsfile.Load(at.tls)
		if err != nil {
			return nil, err
		}
		return clientWith(files.Client(nil)), nil
	}
	if record := at.p.variable("CONNECTOR_ADMIN_API_TLS"); record != "" && at.isOwn() {
		c, err := ownTLS(record)
		if err != nil {
			return nil, fmt.Errorf("CONNECTOR_ADMIN_API_TLS: %w", err)
		}
		return clientWith(c), nil
	}
	return http.DefaultClient, nil
}

func clientWith(c *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c
	return &http.Client{Transport: transport}
}

// ownTLS knows the connector of the environment by the certificate in its file,
// whatever names that has and whoever has signed it.
func ownTLS(record string) (*tls.Config, error) {
	var files struct{ CertFile, KeyFile string }
	if err := json.Unmarshal([]byte(record), &files); err != nil {
		return nil, err
	}
	own, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{own}, // in case one is asked for
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if !bytes.Equal(s.PeerCertificates[0].Raw, own.Certificate[0]) {
				return errors.New("it has another certificate than the one in the file")
			}
			return nil
		},
	}, nil
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
