// Package btplink is what the two sides of a BTP link (RFC 23) stand on: the
// codec, and sockets with their requests. Plugin/btp and plugin/miniaccounts
// are made of it.
//
// A [Packet] is the codec. A [Socket] is one connection: both sides are equal
// once it is authenticated. A [Link] is what the sockets of one counterparty
// share; a client has one socket at a time ([Dial]), a server any number of
// them, in a [Group]. An [Acceptor] takes connections over HTTP, and once a
// client has shown whose it is, the socket joins the group of that one.
//
// # Requests and replies
//
// Each socket has a table of the requests it has sent and whose replies it
// waits for. Whoever takes an entry out answers it: the reply, the end of the
// socket, or the timer that gives up on what is long overdue. So each request
// has one outcome, and what comes later is counted. The requests of the
// counterparty have slots, with tokens that are good for one answer.
//
// # Memory
//
// Packets are decoded where they were read, which is memory that is never
// written again, and encoded into the buffer that is written from. A socket
// that is idle keeps neither.
package btplink
