// Package ccp is the Route Broadcasting Protocol, which its first
// implementation named the Connector-to-Connector Protocol: how connectors
// tell each other which addresses they can reach.
//
// A connector that wants to learn sends a [Control] to its peer: send me your
// routes, I know your table up to this epoch. The peer then sends one [Update]
// after the other: routes that are new or changed, prefixes that are
// withdrawn, and, when nothing has happened for a while, a heartbeat without
// either. Both are Prepares of amount 0 to peer.route.control and
// peer.route.update, under the condition that all peer protocols share.
//
// Three machines stand on the codec:
//
//   - [Table] is the forwarding table: what this connector has to tell. Each
//     change is an epoch in its log, and what is superseded leaves the log.
//   - [Sender] teaches one peer what the Table holds.
//   - [Receiver] learns from one peer, checks what it is told, and forgets it
//     when the peer falls silent.
//
// None of them has a socket, a clock, a goroutine or a lock. The host tells
// them what happens, and when: a link came up, a packet arrived, a message was
// answered. Then, and when the time that Deadline gives has come, it asks Poll
// what is to be sent. So every transition can be written down as a test, and
// the host decides about timers and locks:
//
//	reply := sender.HandleControl(now, prepare)   // something happened
//	if message := sender.Poll(now); message != nil {
//		// send message.Prepare, and when its outcome is known:
//		sender.Answered(later, message.Sequence, ccp.OutcomeOf(reply, err))
//	}
//	// arm a timer for sender.Deadline(), and Poll again
//
// A Sender reads its Table, so one lock must guard a Table and its Senders. A
// Receiver shares nothing but routes, which never change once they are given
// out.
//
// # What a loss does
//
// Messages may be lost, doubled, delayed and overtaken. An update says which
// epochs it covers, so a receiver sees a gap and asks again; a sender counts
// epochs as known only when they are acknowledged, and repeats the rest. A
// receiver that is too far behind, from before the oldest withdrawal that the
// table remembers, gets a new table id, by which it knows to begin anew; it
// keeps the routes of the former table until the new one is complete, so that
// nothing flaps that is still there.
package ccp
