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
// How often the process is killed is said by a flag:
//
//	go test ./internal/killtest -run Kill -kills=500
//
// A failure names the seed of the load and of the instants, which the flag
// kills.seed takes. The processes run as fast as they can, so that the same
// seed kills at about the same instant, not at the very same one.
package killtest
