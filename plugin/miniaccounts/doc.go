// Package miniaccounts is a BTP server (RFC 23) for thousands of users behind
// one account of a connector.
//
//	srv, err := miniaccounts.NewServer(miniaccounts.Options{})
//	mux.Handle("/ilp", srv)
//	err = c.AddAccount(ctx, connector.Account{ID: "mini", Relation: connector.Child, Plugin: srv, ...})
//
// A [Server] is both the http.Handler and the plugin. When it is opened it
// asks the connector for the address of its account, test.connie.mini, say;
// users are below it: packets to test.connie.mini.alice, and to whatever
// follows that, go to alice. What a user sends goes to the connector as from
// the account. A user who asks for its own address (ILDCP) is answered here;
// all other peer protocols stop here, so that no user can speak for the
// account.
//
// # Users
//
// [Identity] says how a client shows which user it is: by a token alone, of
// which the name is the hash, or by a user name with a token, of which the
// first that is shown is kept. Or a [Directory] of the host's knows. Names are
// one segment of an address; they are compared as they are, as addresses are,
// so that alice and Alice are two users. A name that looks like the hash of a
// token belongs to whoever has that token, and to nobody else.
//
// The store has no token, but their hashes, under the keys of the reference
// (ilp-plugin-mini-accounts); tokens that it has stored itself, in earlier
// versions, are hashed when they are found. [Server.AddToken],
// [Server.RevokeToken] and [Server.RemoveUser] change them while the server
// runs. No token is in a log or in an error.
//
// # Sockets
//
// A user may have several sockets. A packet goes to one of them, and its
// answer is taken from that one alone; when it closes, what it has not
// answered has an unknown outcome (T01), at once. A socket is none of the
// user's before its token has been found right.
//
// # Limits and books
//
// Each user has limits of its own ([UserLimits]): they are the middleware
// that stands around a connector's accounts, once more. With a Ledger each
// user has a book, in the ledger of the connector. The postings of a packet
// are made together, and none waits for another: for a packet to a user, first
// the user's, then the account's, then that of the source; for a packet from
// a user the next hop's, the user's, and then the account's (plugin.Poster). A
// fulfillment is handed on when all are durable, and none is durable before one
// that was made earlier. So whenever the process is killed, a book is not
// behind what somebody was told, and what is booked with the account is booked
// with its users.
//
// The account has limits, too, and they are about all its users together.
// MaxInFlight in particular is to be set for a connector.Account that has
// thousands of users.
//
// # What a user can do to others
//
// Nothing that is not bounded: packets in flight, bytes that wait for it to
// read, sockets, and the time to authenticate all have limits ([Options],
// [SocketLimits]). Each socket has a goroutine and buffers of its own; an idle
// one has none of the latter. No lock is held for one user while another is
// waited for.
package miniaccounts
