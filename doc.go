// Package connector is an Interledger connector: it forwards ILPv4 packets
// between accounts, converts their amounts, and answers for every one of them
// exactly once.
//
// A host program makes a [Connector] from values it has built itself, gives
// it accounts, and runs it:
//
//	c, err := connector.New(connector.Config{
//		Address:    "test.alice",
//		Store:      memstore.New(),
//		Backend:    rates,                 // such as onetoone.New
//		Middleware: middleware.Standard(),
//	})
//	err = c.AddAccount(ctx, connector.Account{
//		ID: "bob", Relation: connector.Peer, Asset: connector.Asset{Code: "USD", Scale: 9},
//		Plugin: btp.Dial("btp+wss://alice:token@bob.example/ilp"),
//	})
//	err = c.Run(ctx) // until ctx is done
//
// There is no registry and no global state, nothing is read from the
// environment, and nothing is started before Run. Two connectors in one
// program do not know of each other.
//
// # What a connector is made of
//
//   - An [Account] is a counterparty: its relation to us, the asset its
//     amounts are in, its limits, and its link.
//   - A [Plugin] is a link. Package btp speaks the Bilateral Transfer Protocol
//     over WebSockets; package inproc joins accounts inside one program.
//   - A [Backend] gives the rates between accounts, as exact fractions.
//   - A [Store] keeps what must survive the process.
//   - [Middleware] stands around the packets and the money of each account:
//     limits, checks, counters. The chain is an explicit slice.
//   - The [Router] knows the next hop for every address.
//
// The contracts are defined in packages of their own, each with a checklist
// for implementers and a conformance suite (plugintest, backendtest,
// storetest, middlewaretest), and appear here as aliases.
//
// # The way of a packet
//
// A plugin hands a Prepare to its account. It passes the incoming stages of
// that account, the core chooses the next hop, converts the amount and
// shortens the expiry, it passes the outgoing stages of the next account, and
// leaves by that account's plugin. The reply takes the same way back. Nothing
// on it waits, takes a lock that packets of another account take, or
// allocates memory for a packet; see docs/architecture.md.
//
// Whatever happens, a reply, no reply in time, a lost link, a plugin that
// answers twice, the source gets one answer. A fulfillment that comes too
// late is counted and logged, because the next hop thinks it is owed money.
package connector
