// Package plugin is the contract of a link: what a connector asks of the
// thing that carries packets to and from one counterparty.
//
// A host builds a concrete plugin (btp.Dial, inproc.Pipe, its own) and hands
// it to the connector inside an Account. The connector opens it, sends
// prepares through it, takes prepares from it, and closes it. Whoever writes
// a plugin imports this package and ilp, nothing else, implements the four
// methods of [Plugin], and proves the result with package plugintest.
//
// # The way of a packet
//
// Nothing on the packet path waits. A hundred thousand packets may be in
// flight at once, for thirty seconds each, so no goroutine stands for one:
// a prepare is handed on together with a [Responder], the call returns, and
// the answer comes back through the responder whenever it arrives, from
// whatever goroutine it arrives on.
//
//	counterparty A                connector                  counterparty B
//	──── Prepare ───▶ pluginA ─── HandlePrepare ─▶ … ─▶ pluginB.SendPrepare ───▶
//	◀─── Fulfill ──── pluginA ◀── Responder.Reply ◀ … ◀── Responder.Reply ◀── Fulfill
//
// A link that is blocking by nature (an HTTP request, a message queue) stays
// simple: [Async] runs its round trips on a bounded number of goroutines.
// A program that wants to wait for a reply calls [Call].
//
// # Checklist for implementers
//
//   - SendPrepare returns at once. It answers its responder exactly once:
//     with the counterparty's reply, or with an error that says what is known
//     ([ErrNotSent] and [ErrBusy]: certainly not sent; anything else: the
//     outcome is unknown).
//   - The *ilp.Prepare given to SendPrepare or HandlePrepare is the caller's
//     again when the call returns. Copy the struct to keep it. The bytes that
//     its Data and Destination point to are never written again and may be
//     kept as they are; keeping them keeps the buffer they lie in.
//   - The same holds the other way: bytes that a plugin decoded a packet from
//     must never be overwritten. Read into fresh memory, not into a pool.
//   - Verify nothing that is the connector's business (expiry, fulfilment,
//     balance, address), and everything that is the link's (who it is that
//     speaks, sizes, framing).
//   - Bytes that do not parse as a Prepare go to HandleMalformed.
//   - HandleState is told of every change between connected and not, the last
//     one, which Close makes, included. Connected has changed by then.
//   - The methods of the Handler may call the plugin's, all but Close: call
//     them with no lock held that those need.
//   - Close is idempotent, answers every outstanding responder with an error,
//     waits for the plugin's goroutines, and makes later calls fail with
//     net.ErrClosed. No call into the Handler begins after Close returned.
//   - Frames of a burst leave together: see [Burst].
//
// Abilities beyond the contract are optional interfaces, asserted once when
// the account is added: [MoneySender]. A plugin that wraps another one
// implements Unwrap() Plugin, and [As] finds the ability behind it.
package plugin
