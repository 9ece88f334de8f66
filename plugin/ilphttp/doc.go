// Package ilphttp is ILP over HTTP (RFC 35): each Prepare is the body of a POST,
// and its reply that of the response, or of a POST the other way.
//
// # The two directions
//
// A link has a server on each side. A [Server] is an http.Handler that takes
// the packets of any number of accounts; each of them is a [Peer], which also
// sends packets to the server of its counterparty:
//
//	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
//	mux.Handle("/accounts/{account}/ilp", srv)
//	link, err := srv.Account(ilphttp.AccountOptions{
//		Incoming: ilphttp.Credentials{Name: "bob", Tokens: []string{theirs}},
//		Outgoing: ilphttp.ClientOptions{URL: "https://bob.example/accounts/alice/ilp", Token: ours},
//	})
//	web := ilphttp.NewHTTPServer(mux) // and its TLSConfig
//	err = web.Serve(ilphttp.NewListener(inner, web, find))
//
// A [Client] only sends, and needs no server:
//
//	link := ilphttp.Dial("https://bob.example/accounts/alice/ilp", token)
//
// Both are a plugin.Plugin. There is no connection that could be lost, so a
// link that has somewhere to send is connected from Open to Close. That the
// counterparty is not there is seen when a packet is sent.
//
// # Forms
//
// In the synchronous form, which is what is deployed, the reply comes with
// status 200 in the response (HTTP-20). In the asynchronous form of the current
// draft the response is 202 at once, and the reply a request of its own, which
// names its packet by a Request-Id (HTTP-03 to HTTP-11). A Server understands
// both, by the headers of a request. ClientOptions.Async chooses for packets
// that are sent; a counterparty that answers in the other form is understood
// (HTTP-22).
//
// A request whose Callback-Url is not at the host that the account sends to is
// refused. An asynchronous request that is sent again, with the same id, is
// one packet: ids are remembered for a minute or two.
//
// # Who it is
//
// A request shows a bearer token, a JSON Web Token or a client certificate; see
// [Credentials]. Tokens are kept as hashes, and compared in constant time. Of
// several valid ones any will do, and SetCredentials replaces them while
// packets are in flight. A JWT that was verified is not verified again, but its
// times, and whether its key is still published, are looked at for each
// request. What goes out carries our own token, or a JWT that is made anew now
// and then, and goes to the hosts of the options alone: redirects are not
// followed.
//
// # What is known when there is no reply
//
// A packet is sent once. It is sent again only if the first attempt certainly
// did not take place, for instance because an idle connection had just been
// closed. The error wraps plugin.ErrNotSent if the last byte of the packet has
// never been given to the connection, and plugin.ErrUnknownOutcome otherwise.
// A status of 4xx or 5xx becomes a Reject (HTTP-12): F00 for 400 and 413, T01
// for 408 and 425, T05 for 429, T00 for all of 5xx, and F02 for the others,
// those of 3xx included. A request is given up some time after the expiry of
// its packet (Limits.LateWindow), so that even a late fulfillment is seen.
//
// The other way, a packet that was taken has its effect whether or not its
// client is still there to read the reply.
//
// # What a counterparty can do to us
//
// Bodies have a bound, of the longest packet there is; so have the time in
// which one is read, the packets of an account in flight (T03 beyond it, in
// band), the time for which a request is held, and everything that is read of
// a response. Bytes that are no Prepare are answered with F01, in band.
// [NewHTTPServer] sets the bounds that are the http.Server's, and its
// Listener's. Who is not known is not waited for: a body that does not come
// within a second of its refusal ends the connection.
//
// Bodies in chunks are refused with 411, also where there is a length as well:
// proxies and servers have disagreed on where such requests end, and no client
// of this protocol sends them. A body that was not read to its end is the last
// thing of its connection, and so is a request of HTTP/1.0, whose sender may
// have taken chunks for none.
//
// # Peers of the reference
//
// ilp-plugin-http takes bodies of up to 32767 bytes; its other content type,
// and tokens without "Bearer", are understood. What its option multi does are
// ClientOptions.Delimiter and Peer.SetUser; but each user has credentials, and
// is not taken for whom it says it is.
//
// # Cost
//
// The work of net/http for a request is several times that for a packet. A
// [Listener] before the http.Server answers packets on their connections: one
// read and one write, with nothing between them that is not ours; all other
// requests go to the http.Server. A client has its own HTTP/1.1 as well: a
// packet is written by whoever sends it, and its answer read by the goroutine
// of the connection. What is not as usual, in a request or in a response, is
// left to net/http, so there is one reading of it, and fuzzing holds the two to
// the same one of all the rest.
//
// Over HTTP/1.1 each packet in flight has a connection, over HTTP/2 hundreds
// share one, at several times the cost.
package ilphttp
