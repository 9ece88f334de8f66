// Package settlement speaks with settlement engines (RFC 38): programs beside
// the connector that move money on a ledger of their own. They say amounts as
// a [Quantity], at a scale of their choice.
package settlement
