// Package settlement joins settlement engines to accounts (RFC 38). An engine
// is a program beside the connector that moves money on a ledger of its own.
//
// An [Engine] is both halves of the conversation: it asks the engine to settle,
// and it is the [http.Handler] by which the engine tells what has arrived. An
// account is joined to it by wrapping the account's link:
//
//	engine, err := settlement.NewEngine(settlement.Options{
//		URL:          "https://engine.example",
//		AcceptTokens: []string{token},
//	})
//	bob, err := engine.Join(connector.Account{ID: "bob", Plugin: btp.Dial(url), ...})
//	err = c.AddAccount(ctx, bob)
//	http.Handle("/", engine) // on a listener of its own
//
// The link that comes of it can send money, whatever the one inside can. It
// takes the packets to peer.settle out of what the counterparty sends, which
// are messages from its engine to ours; every other packet passes untouched,
// for the price of one comparison.
//
// # What we owe the engine, and it us
//
// A settlement is in the books with its key before the engine hears of it
// (SE-02; see package ledger). The engine is asked again with that key until
// it says yes (SE-51), whether it is slow, says nonsense or says no. A no is
// about one request: a former one, with the same key, may have been taken and
// its answer lost. So none is taken as a reason to put money back (SE-04),
// unless the host knows its engine better; see [Options]. What an engine has
// taken it owes, whole: if it can pay only a part it keeps the rest and pays it
// with the next one (SE-12).
//
// What an engine has received is booked whole: the part below the account's
// unit is kept with the balance (see plugin.Money). So an engine that asks how
// much of it was credited, to keep the rest itself, must be told all of it;
// told less, it would bring the rest once more. It is booked once for its
// account and key, and what a repetition is answered is what the first was
// (SE-53). That is known for 24 hours since the key was last used (SE-54), in
// memory and in the store: about 160 bytes for a UUID, for each settlement that
// the engine reports, and there is no bound on how many it may. It is trusted
// with more than that.
//
// An engine writes amounts as a [Quantity], at a scale of its choice.
package settlement
