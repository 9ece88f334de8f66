// Package hostiletest holds no code of its own: its tests are the counterparty
// nobody wants. They run what the program runs, by its configuration, and speak
// to it over sockets of their own, below BTP and below WebSocket, as no client
// would: they answer twice, too late for their socket, in another's place, cut
// links at every step, and send what is no frame and no packet.
//
// After each step the books, as the admin API tells them and as those of the
// users are, must be what the outside has seen: no unit is lost, made or moved
// twice, nothing stays reserved, and those who did nothing are still there.
package hostiletest
