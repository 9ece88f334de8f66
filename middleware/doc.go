// Package middleware is the contract of what stands around the packets and
// the money of an account, and the built-in ones, a file each.
//
// A [Middleware] is asked once for each account, when the account is added,
// and gives the stages it wants there: for packets from the counterparty
// (incoming), for packets to it (outgoing), and for settlements each way. The
// chain is an explicit slice. Its order is the same in all four directions:
// the first entry is the outermost, so a prepare meets the stages in the
// order of the slice and its reply meets them in the reverse order.
//
//	counterparty A ─ Prepare ─▶ incoming stages of A ─▶ core ─▶ outgoing stages of B ─▶ B
//	counterparty A ◀─ reply ── incoming stages of A ◀── core ◀─ outgoing stages of B ◀─ B
//
// # Stages
//
// A stage is a pair of hooks, not a function around the next one. Prepare
// sees a packet on its way out and lets it pass or answers it. Reply sees the
// answer on its way back. Between the two no goroutine waits: a packet may be
// in flight for half a minute, and a hundred thousand of them at once. What
// an onion of functions leaves to each author is kept by the connector here:
//
//   - Reply is called exactly once for every packet that the same stage's
//     Prepare let pass, whatever became of it: a reply, an expired packet, a
//     link that closed, a stage further in that refused.
//   - It is never called for a packet that the stage itself answered.
//   - For one packet, the hooks are called one after the other, never at the
//     same time. For different packets they are called concurrently.
//
// So what Prepare takes (a token, a reservation), Reply gives back or keeps,
// and nothing is lost in between.
//
// # Beside packets
//
// What a middleware needs beside its stages it asks for by optional
// interfaces, looked for once: a [Runner] works in the background for as long
// as the connector runs, a [LedgerObserver] hears of settlements and of the
// store. [Host] has a part of the connector's store for it.
//
// # Checklist for implementers
//
//   - Hooks are on the packet path: they do not block, allocate nothing where
//     they can help it, and log nothing for a packet that goes well.
//   - A stage that must wait (for a disk, for another packet) takes a [Hold]
//     and lets go of the packet until it resumes it.
//   - Refuse with an *ilp.Reject, its TriggeredBy left empty: [ErrorHandler]
//     fills in our address. For a fault of our own use ilp.Internal(err): the
//     cause is logged here and never told to the counterparty.
//   - Change nothing in a Prepare but what the stage exists for; the
//     condition and data of a forwarded packet are not ours (ILP4-21).
//   - Test it with package middlewaretest.
package middleware
