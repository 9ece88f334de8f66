package middleware

import (
	"strings"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// Alert is something that an operator should look at, and how often it has
// happened. Its JSON is what the reference's admin API gives, with the kind
// besides.
type Alert struct {
	// ID tells alerts apart, for Dismiss. A later alert has a higher one.
	ID uint64 `json:"id"`
	// Account is the id of the account that it is about; empty if it is about
	// no single one.
	Account string `json:"accountId"`
	// Kind says what has happened.
	Kind AlertKind `json:"kind"`
	// TriggeredBy is the connector that has said so, if it is another one.
	TriggeredBy ilp.Address `json:"triggeredBy"`
	// Message is for humans: what was said the last time, cut at 500 bytes.
	Message string `json:"message"`
	// Count is how often it has happened since Created.
	Count uint64 `json:"count"`
	// Created and Updated are when it happened first, and last.
	Created time.Time `json:"createdAt"`
	Updated time.Time `json:"updatedAt"`
}

// AlertKind says what has happened.
type AlertKind string

const (
	// AlertBalanceExceeded: a connector behind the account, TriggeredBy, says
	// that we, or who is between us, owe too much, and takes no packets. If it
	// is the counterparty itself its books and ours may differ.
	AlertBalanceExceeded AlertKind = "balanceExceeded"
	// AlertLateFulfill: the counterparty fulfilled a packet after it had
	// expired. It thinks that it was paid, and our books say it was not.
	AlertLateFulfill AlertKind = "lateFulfill"
	// AlertSettlementFailing: an attempt to pay a settlement failed, and there
	// will be another.
	AlertSettlementFailing AlertKind = "settlementFailing"
	// AlertSettlementRefused: a settlement will never be paid. Its amount is
	// back in the balance.
	AlertSettlementRefused AlertKind = "settlementRefused"
	// AlertStoreFailing: nothing could be made durable, and no packets were
	// taken.
	AlertStoreFailing AlertKind = "storeFailing"
	// AlertStoreRecovered: it could again.
	AlertStoreRecovered AlertKind = "storeRecovered"
	// AlertAssetMismatch: the parent counts the account in another unit than
	// we do, so that amounts mean different things on the two sides.
	AlertAssetMismatch AlertKind = "assetMismatch"
)

// alertKey is what makes two alerts the same.
type alertKey struct {
	account     string
	kind        AlertKind
	triggeredBy ilp.Address
}

func (a *Alert) key() alertKey { return alertKey{a.Account, a.Kind, a.TriggeredBy} }

// maxAlertMessage is the length of a message, in bytes.
const maxAlertMessage = 500

// cut gives the beginning of a text, copied, as long as a message may be.
func cut(text string) string {
	return strings.ToValidUTF8(strings.Clone(text[:min(len(text), maxAlertMessage)]), "")
}
