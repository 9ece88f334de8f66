// Package connectortest runs networks of connectors in one process, under the
// fake clock of testing/synctest, with faults that follow from a seed. The
// connectors are real ones, as package connector ships them; the network between
// them is made up: links delay, lose, double and reorder what they carry, are cut
// and healed; connectors crash, and start again from what was durable.
//
//	func TestMyNetwork(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			w := connectortest.New(t, 1, connectortest.Options{})
//			a, b, c := w.Node("a"), w.Node("b"), w.Node("c")
//			w.Link(a, b, connector.Peer, connectortest.Faults{Loss: 0.01})
//			l := w.Link(b, c, connector.Child, connectortest.Faults{})
//			w.Converge()
//			l.Cut()
//			…
//			l.Heal()
//			w.Converge()
//			w.Check()
//		})
//	}
//
// Each node has an account named "app", of a program that fulfills what it is
// sent, and pays: see [Node.Pay]. What a host would set, beyond that, is set by
// [Options].
//
// # What is checked
//
// [Network.Check] judges a network that has come to rest, by rules that are
// written down a second time and in the plainest way:
//
//   - [Network.CheckRoutes]: every connector has just the routes that it should
//     have, packets arrive where they can, and none goes in a loop.
//   - [Network.CheckPayments]: everybody pays everybody.
//   - [Network.CheckBooks]: neighbors agree about what one owes the other, but
//     for what was fulfilled and not accepted, which the link knows to the unit;
//     nobody has lost or made a unit by forwarding, but what a crash may cost;
//     and nothing is left reserved.
//
// That no goroutine stays behind is checked by testing/synctest.
//
// # Seeds
//
// What becomes of a frame follows from the seed and from what the frame is, no
// two frames arrive at the same nanosecond, and the clock moves only when all
// has been done that one instant brought. So a seed gives the same run again,
// whatever the scheduler does, as far as the test itself makes its choices by
// [Network.Rand] and from one goroutine. A test that fails says its seed.
package connectortest
