package admin

import (
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
)

// Accounts is what GET /accounts answers.
type Accounts struct {
	// Address is the connector's own; empty while it has none.
	Address string `json:"address"`
	// Accounts by id.
	Accounts map[string]Account `json:"accounts"`
	// Next is where to go on, with after; empty at the end.
	Next string `json:"next,omitempty"`
}

// Account is an account and its state. Amounts are in its unit.
type Account struct {
	Info AccountRecord `json:"info"`
	// Connected says whether the link is up.
	Connected bool `json:"connected"`
	// AdminInfo says whether the plugin has something to tell: GET
	// /accounts/{id} asks it.
	AdminInfo bool `json:"adminInfo"`
	// Paused says that no new packets are taken or sent.
	Paused bool `json:"paused"`
	// Address is that of a child; empty for others.
	Address string `json:"address,omitempty"`
	// InFlight packets came from the counterparty, Outstanding ones went to it,
	// and are not answered yet.
	InFlight    int64 `json:"inFlight"`
	Outstanding int64 `json:"outstanding"`
	// Malformed counts what came from the counterparty in place of packets.
	Malformed uint64 `json:"malformed"`
	Book      Book   `json:"book"`
}

// AccountRecord is how an account was configured, in the words of the
// reference's configuration, without the options of its plugin: they hold
// secrets. Limits that are not set are left out.
type AccountRecord struct {
	Relation          string           `json:"relation"`
	Plugin            string           `json:"plugin"`
	AssetCode         string           `json:"assetCode"`
	AssetScale        uint8            `json:"assetScale"`
	Balance           *BalanceRecord   `json:"balance,omitempty"`
	MaxPacketAmount   string           `json:"maxPacketAmount,omitempty"`
	RateLimit         *RateLimitRecord `json:"rateLimit,omitempty"`
	Throughput        *Throughput      `json:"throughput,omitempty"`
	SendRoutes        bool             `json:"sendRoutes"`
	ReceiveRoutes     bool             `json:"receiveRoutes"`
	ILPAddressSegment string           `json:"ilpAddressSegment,omitempty"`
	MaxRoutes         int              `json:"maxRoutes,omitempty"`
	MaxInFlight       int              `json:"maxInFlight,omitempty"`
}

// BalanceRecord has the limits of a balance; "Infinity" and "-Infinity" are
// none.
type BalanceRecord struct {
	Minimum         string `json:"minimum"`
	Maximum         string `json:"maximum"`
	SettleThreshold string `json:"settleThreshold,omitempty"`
	SettleTo        string `json:"settleTo,omitempty"`
}

// RateLimitRecord bounds the number of packets. The period is in
// milliseconds.
type RateLimitRecord struct {
	RefillPeriod int64  `json:"refillPeriod"`
	RefillCount  uint64 `json:"refillCount"`
	Capacity     uint64 `json:"capacity"`
}

// Throughput bounds the value in a period, which is in milliseconds.
type Throughput struct {
	RefillPeriod   int64  `json:"refillPeriod"`
	IncomingAmount string `json:"incomingAmount,omitempty"`
	OutgoingAmount string `json:"outgoingAmount,omitempty"`
}

// Book is what an account owes, and what is on its way.
type Book struct {
	// Balance is what the counterparty owes us; what we owe is negative.
	Balance string `json:"balance"`
	// Remainder is what the counterparty has settled beyond whole units, in
	// fractions of 10^-18.
	Remainder string `json:"remainder"`
	// ReservedIn and ReservedOut are the amounts of packets in flight.
	ReservedIn  string `json:"reservedIn"`
	ReservedOut string `json:"reservedOut"`
	// InDoubtIn and InDoubtOut were in flight when a former process ended
	// without stopping.
	InDoubtIn  string `json:"inDoubtIn"`
	InDoubtOut string `json:"inDoubtOut"`
	// Settling is the sum of the settlements that we are making; Settlements is
	// their number.
	Settling    string `json:"settling"`
	Settlements int    `json:"settlements"`
}

// AccountDetail is what GET /accounts/{id} answers.
type AccountDetail struct {
	Account string `json:"account"`
	Plugin  string `json:"plugin"`
	// Info is what the plugin tells; null if it has nothing to tell.
	Info  any     `json:"info"`
	State Account `json:"state"`
	// Settlements are those that we are making, oldest first.
	Settlements []Settlement `json:"settlements"`
	// Exchange is how routes are exchanged with the account, if they are.
	Exchange *PeerExchange `json:"exchange,omitempty"`
	// Traffic is what was counted, if the connector counts.
	Traffic *Traffic `json:"traffic,omitempty"`
}

func (h *Handler) accounts(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	all, next := cut(p, h.c.Accounts(), accountID)
	answer := Accounts{Address: h.c.Address().String(), Accounts: make(map[string]Account, len(all)), Next: next}
	for _, s := range all {
		if a, ok := h.c.Account(s.ID); ok {
			answer.Accounts[s.ID] = h.describe(&a, &s)
		}
	}
	return answer, nil
}

func accountID(s connector.AccountStatus) string { return s.ID }

// describe gives an account as the API shows it.
func (h *Handler) describe(a *connector.Account, s *connector.AccountStatus) Account {
	_, tells := plugin.As[plugin.Informer](a.Plugin)
	return Account{
		Info: h.record(a), Connected: s.Connected, AdminInfo: tells, Paused: s.Paused, Address: s.Address.String(),
		InFlight: s.InFlight, Outstanding: s.Outstanding, Malformed: s.Malformed, Book: bookOf(&s.Book),
	}
}

func (h *Handler) record(a *connector.Account) AccountRecord {
	record := AccountRecord{
		Relation: a.Relation.String(), Plugin: h.pluginName(a), AssetCode: a.Asset.Code, AssetScale: a.Asset.Scale,
		SendRoutes: a.SendsRoutes(), ReceiveRoutes: a.ReceivesRoutes(),
		ILPAddressSegment: a.AddressSegment, MaxRoutes: a.MaxRoutes, MaxInFlight: a.MaxInFlight,
		MaxPacketAmount: limit(a.MaxPacketAmount),
	}
	if l := a.Balance; l != nil {
		record.Balance = &BalanceRecord{Minimum: bound(l.Minimum), Maximum: bound(l.Maximum)}
		if l.SettleThreshold != nil {
			record.Balance.SettleThreshold, record.Balance.SettleTo = decimal(*l.SettleThreshold), decimal(l.SettleTo)
		}
	}
	if l := a.RateLimit; l != nil {
		record.RateLimit = &RateLimitRecord{l.RefillPeriod.Milliseconds(), l.RefillCount, l.Capacity}
	}
	if l := a.Throughput; l != nil {
		record.Throughput = &Throughput{l.RefillPeriod.Milliseconds(), limit(l.IncomingAmount), limit(l.OutgoingAmount)}
	}
	return record
}

// limit gives a limit of which 0 is none.
func limit(n uint64) string {
	if n == 0 {
		return ""
	}
	return decimal(n)
}

// bound gives a bound of a balance.
func bound(n int64) string {
	switch n {
	case connector.NoMaximum:
		return "Infinity"
	case connector.NoMinimum:
		return "-Infinity"
	}
	return decimal(n)
}

func (h *Handler) pluginName(a *connector.Account) string {
	if h.o.PluginName != nil {
		return h.o.PluginName(*a)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", a.Plugin), "*")
}

func bookOf(s *ledger.State) Book {
	settling := new(big.Int)
	for _, made := range s.Settlements {
		settling.Add(settling, new(big.Int).SetUint64(made.Amount))
	}
	return Book{
		Balance: decimal(s.Balance), Remainder: decimal(s.Remainder),
		ReservedIn: decimal(s.ReservedIn), ReservedOut: decimal(s.ReservedOut),
		InDoubtIn: decimal(s.InDoubtIn), InDoubtOut: decimal(s.InDoubtOut),
		Settling: settling.String(), Settlements: len(s.Settlements),
	}
}

// find gives the account of this id, which is in the path or the body.
func (h *Handler) find(id string) (connector.Account, error) {
	if !validID(id) {
		return connector.Account{}, problemf(http.StatusBadRequest, "invalid account.")
	}
	a, ok := h.c.Account(id)
	if !ok {
		return connector.Account{}, problemf(http.StatusNotFound, "unknown account id. accountId=%s", id)
	}
	return a, nil
}

func validID(id string) bool { return id != "" && len(id) <= connector.MaxIDLength }

// infoTimeout is how long a plugin may take to answer its operator.
const infoTimeout = 30 * time.Second

func (h *Handler) account(r *http.Request) (any, error) {
	id := r.PathValue("id")
	a, err := h.find(id)
	if err != nil {
		return nil, err
	}
	s, ok := h.c.AccountStatus(id)
	if !ok { // removed meanwhile
		return nil, problemf(http.StatusNotFound, "unknown account id. accountId=%s", id)
	}
	detail := AccountDetail{
		Account: id, Plugin: h.pluginName(&a), State: h.describe(&a, &s), Settlements: settlementsOf(&s.Book),
		Exchange: h.exchangeOf(id), Traffic: h.trafficOf(id),
	}
	if informer, ok := plugin.As[plugin.Informer](a.Plugin); ok {
		ctx, cancel := timeout(r, infoTimeout)
		defer cancel()
		if detail.Info, err = informer.AdminInfo(ctx); err != nil {
			return nil, fmt.Errorf("the plugin of account %q: %w", id, err)
		}
	}
	return detail, nil
}
