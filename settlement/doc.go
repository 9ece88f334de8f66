// Package settlement speaks with settlement engines (RFC 38): programs beside
// the connector that move money on a ledger of their own. They say amounts as
// a [Quantity], at a scale of their choice.
//
// What an engine has received is booked whole: the part below the account's
// unit is kept with the balance (see plugin.Money). So an engine that asks how
// much of it was credited, to keep the rest itself, must be told all of it;
// told less, it would bring the rest once more.
package settlement
