// Package killtest holds no code of its own: its tests prove that money
// survives. They run a whole connector, with the standard chain, limits and
// settlements, under load, and take away what it stands on: its process, with
// SIGKILL, and its database, in every way in which one goes away.
//
// The test is the outside world. The counterparties are in it, joined to the
// connector by BTP over loopback, and so are the banks that settle: what a
// source was told, what a destination has fulfilled and what a bank has paid
// outlives the connector. After each of its deaths the books are audited
// against that, in exact integers:
//
//   - what was told is in the books: for each account the fulfillments that its
//     counterparty has received, as a source, and that others have received
//     from it, as a destination;
//   - nothing else is, but packets that the destination has fulfilled and whose
//     source was cut off before it had an answer;
//   - all sources together have paid for no more than the destinations were
//     paid;
//   - each settlement that a bank was asked for is in the books, under one key
//     and with one amount, and none is there that nobody pays;
//   - each settlement that a counterparty has made is booked once.
//
// A second world has users behind an account (plugin/miniaccounts), as sources
// and as destinations, of counterparties and of each other. All of the above
// holds for the book of each user as for that of an account. For the account
// that they are behind:
//
//   - what the users were told, in sum, is in its book, and nothing else but
//     packets that the destination has fulfilled and whose source was cut off;
//   - the sum of the users' books is its book, but for packets that were cut
//     off, and of these for one of each connection at most: a user's posting is
//     made right before the account's, and the cut of a batch may be between
//     the two;
//   - after an end in good order the two are equal.
//
// How often a process is killed is said by a flag:
//
//	go test ./internal/killtest -run Kill -kills=500
//
// A failure names the seed of the load and of the instants, which the flag
// kills.seed takes. The processes run as fast as they can, so that the same
// seed kills at about the same instant, not at the very same one.
package killtest
