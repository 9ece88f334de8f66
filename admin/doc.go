// Package admin is the window of a connector for those who operate it: an
// HTTP API over the public API of package connector, a page for people that
// is served beside it, and a client in Go.
//
//	h, err := admin.New(admin.Options{Connector: c, Tokens: []string{secret}})
//	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
//	server.RegisterOnShutdown(h.Close)
//
// A [Handler] starts no goroutine and listens nowhere: the host mounts it
// where it likes, below a path with http.StripPrefix, and behind TLS if it
// leaves the machine.
//
// # Who may do what
//
// Requests carry a token: Authorization: Bearer TOKEN. One of Options.Tokens
// may do everything, one of Options.ReadTokens may look. Without a token a
// request is answered only where the host has said Options.LoopbackWithoutToken,
// and only if it comes from this machine, names it by a name that means this
// machine, and was not made by the page of another site: a browser that
// visits a hostile page must not be a way in.
//
// The page, GET /healthz and GET /openapi.json have no secrets in them and
// need no token.
//
// # The API
//
// The endpoints of the JavaScript reference (GET /status, /routing, /accounts,
// /balance, /rates, /stats, /alerts, /metrics, POST /balance, /addAccount and
// so on) keep their paths and their shapes; what is answered besides are new
// keys. GET /openapi.json describes all of it.
//
// Amounts are decimal strings: they pass 2^53. Lists take limit and after, and
// say in next where to go on. Errors are
// application/problem+json (RFC 9457), see [Problem]; their detail has the
// text of the reference where it has one. Bodies are bounded.
//
// GET /packets looks into the packet log, if the host has put one into the
// chain (middleware.NewPacketLog), and GET /packets/live follows it as GET
// /events follows the figures: streams of server-sent events, which end with
// their request or with [Handler.Close], and of which there are at most
// Options.MaxStreams. What a packet carried as data is never shown: the log
// does not have it.
//
// What is changed here holds until the process ends. Balances are in the
// connector's store; accounts and routes are the host's to configure, and to
// write down.
package admin
