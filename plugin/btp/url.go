package btp

import (
	"errors"
	"net/url"
	"strings"
)

// errURL says what a URL must look like. It repeats nothing of the one it was
// given, since any part of that may be a piece of a token.
var errURL = errors.New("btp: the URL must be btp+ws://user:token@host[:port][/path] or btp+wss://user:token@host[:port][/path], " +
	"with characters such as @ / ? # % in user and token percent-encoded")

// target is a parsed URL (BTP-41).
type target struct {
	url             string // ws:// or wss://, without credentials
	host            string
	username, token string
}

// parseURL takes the credentials out of a BTP URL, percent-decoded.
func parseURL(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.Fragment != "" {
		return target{}, errURL
	}
	scheme, ok := strings.CutPrefix(u.Scheme, "btp+")
	if !ok || (scheme != "ws" && scheme != "wss") {
		return target{}, errURL
	}
	if u.User == nil && strings.Contains(u.Path+u.RawQuery, "@") {
		// The credentials hold a slash or question mark that ends the host.
		return target{}, errURL
	}
	t := target{host: u.Host, username: u.User.Username()}
	t.token, _ = u.User.Password()
	u.Scheme, u.User = scheme, nil
	t.url = u.String()
	return t, nil
}
