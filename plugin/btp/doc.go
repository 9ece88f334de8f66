// Package btp is the Bilateral Transfer Protocol 2.0 (RFC 23): ILP packets, and
// messages of other protocols, between two parties over one WebSocket.
//
// # The two sides
//
// A [Client] dials, shows a user name and a token, and dials again whenever
// the connection is lost:
//
//	link := btp.Dial("btp+wss://alice:token@bob.example/ilp")
//
// A [Server] is an http.Handler that takes the connections of any number of
// accounts, each of them a [Peer]:
//
//	srv := btp.NewServer(btp.ServerOptions{})
//	mux.Handle("/ilp", srv)
//	link, err := srv.Account(btp.Credentials{Username: "alice", Token: token})
//
// An account is known by a token, or by the certificate that its client shows
// in the TLS handshake ([Credentials]).
//
// Client and Peer are both a plugin.Plugin, and once a connection is
// authenticated there is no difference between them.
//
// # Requests and replies
//
// A Prepare goes out as a Message, and its Fulfill or Reject comes back as the
// Response to it (BTP-10). Each socket has its own table of what it waits for.
// An entry ends by the reply; by the end of the socket, with an error that
// wraps plugin.ErrUnknownOutcome; or some time after the packet's expiry
// (Limits.LateWindow), so that even a fulfilment that comes late reaches the
// connector. What comes later still, or was never asked for, is counted in
// [Stats].
//
// When the counterparty answers with a BTP Error, the packet has had no
// effect (BTP-35), and the sender gets a Reject: T01 where the code says that
// another attempt makes sense, else F02.
//
// # What a counterparty can do to us
//
// Everything it may use up has a bound: bytes of a message, bytes that wait
// for it to read, requests that wait for its answer, time to authenticate,
// time without a sign of life, sockets that have not shown whose they are.
// How many requests of its own it may have open is for the Handler to say.
// Tokens are kept as hashes and compared in constant time. A connection with
// a wrong token is told so and closed, and the account it named notices
// nothing. Bytes that are no BTP packet end the socket.
//
// # Cost
//
// Packets are decoded where they were read, and encoded into the buffer that
// is written from; nothing is allocated for a packet but the memory it is
// read into. Frames of one burst, in either direction, leave in one system
// call: see plugin.Burst.
//
// # Other protocols
//
// Messages without an ILP packet, and Transfers, go to the function set by
// HandleRequests; the Request methods send some. Both are what a settlement
// plugin wraps. [Packet] is the codec, of use without a connection.
package btp
