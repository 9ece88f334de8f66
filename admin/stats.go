package admin

import (
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strconv"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Metric is what GET /stats has for one metric of the reference.
type Metric struct {
	Help string `json:"help"`
	Name string `json:"name"`
	// Type is "counter" or "gauge".
	Type       string   `json:"type"`
	Values     []Sample `json:"values"`
	Aggregator string   `json:"aggregator"`
}

// Sample is a value of a metric. Its labels are account, asset and scale, and
// for packets and money result, and for rejected packets code.
type Sample struct {
	Value  json.Number       `json:"value"`
	Labels map[string]string `json:"labels"`
}

// Traffic is what was counted for an account since the process started.
// Amounts are in the unit of the account.
type Traffic struct {
	// Incoming is what came from the counterparty, Outgoing what went to it.
	Incoming DirectedTraffic `json:"incoming"`
	Outgoing DirectedTraffic `json:"outgoing"`
}

// DirectedTraffic is one direction of an account.
type DirectedTraffic struct {
	Fulfilled Total `json:"fulfilled"`
	// Rejected by code.
	Rejected map[string]Total `json:"rejected"`
	// Late counts fulfillments that came after their packets had expired.
	Late Total `json:"late"`
	// Money counts settlements, MoneyFailed the attempts that failed.
	Money       Total `json:"money"`
	MoneyFailed Total `json:"moneyFailed"`
}

// Total is a number of things, and the sum of their amounts.
type Total struct {
	Count  uint64 `json:"count"`
	Amount string `json:"amount"`
}

func (h *Handler) trafficOf(id string) *Traffic {
	for _, s := range h.c.Stats() {
		if s.Account == id {
			return &Traffic{directedOf(&s.Incoming), directedOf(&s.Outgoing)}
		}
	}
	return nil
}

func directedOf(d *middleware.DirectionStats) DirectedTraffic {
	rejected := make(map[string]Total, len(d.Rejected))
	for code, total := range d.Rejected {
		rejected[string(code)] = totalOf(total)
	}
	return DirectedTraffic{
		Fulfilled: totalOf(d.Fulfilled), Rejected: rejected, Late: totalOf(d.Late),
		Money: totalOf(d.Money), MoneyFailed: totalOf(d.MoneyFailed),
	}
}

func totalOf(t middleware.Total) Total { return Total{Count: t.Count, Amount: t.Amount.String()} }

// stats gives the metrics of the reference, in its order.
func (h *Handler) stats(*http.Request) (any, error) {
	var m referenceMetrics
	m.init()
	counted := h.c.Stats()
	for _, s := range counted {
		labels := h.labels(s.Account)
		m.packets(&m.incomingPackets, &m.incomingValue, &s.Incoming, labels)
		m.packets(&m.outgoingPackets, &m.outgoingValue, &s.Outgoing, labels)
		money(&m.incomingMoney, &s.Incoming, labels)
		money(&m.outgoingMoney, &s.Outgoing, labels)
	}
	for _, s := range h.c.Accounts() {
		m.balance.add(big.NewInt(s.Book.Balance), h.labels(s.ID))
	}
	return m.list(), nil
}

// labels are those of an account; those of its asset are missing for one that
// was removed.
func (h *Handler) labels(id string) map[string]string {
	labels := map[string]string{"account": id}
	if a, ok := h.c.Account(id); ok {
		labels["asset"], labels["scale"] = a.Asset.Code, strconv.Itoa(int(a.Asset.Scale))
	}
	return labels
}

// referenceMetrics are the metrics of the reference.
type referenceMetrics struct {
	incomingPackets, incomingValue, outgoingPackets, outgoingValue,
	incomingMoney, outgoingMoney, limitedPackets, limitedMoney, balance Metric
}

func (m *referenceMetrics) init() {
	define := func(metric *Metric, name, kind, help string) {
		*metric = Metric{Help: help, Name: "ilp_connector_" + name, Type: kind, Values: []Sample{}, Aggregator: "sum"}
	}
	define(&m.incomingPackets, "incoming_ilp_packets", "counter", "Total number of incoming ILP packets")
	define(&m.incomingValue, "incoming_ilp_packet_value", "counter", "Total value of incoming ILP packets")
	define(&m.outgoingPackets, "outgoing_ilp_packets", "counter", "Total number of outgoing ILP packets")
	define(&m.outgoingValue, "outgoing_ilp_packet_value", "counter", "Total value of outgoing ILP packets")
	define(&m.incomingMoney, "incoming_money", "gauge", "Total of incoming money")
	define(&m.outgoingMoney, "outgoing_money", "gauge", "Total of outgoing money")
	define(&m.limitedPackets, "rate_limited_ilp_packets", "counter", "Total of rate limited ILP packets")
	define(&m.limitedMoney, "rate_limited_money", "counter", "Total of rate limited money requests")
	define(&m.balance, "balance", "gauge", "Balances on peer account")
}

func (m *referenceMetrics) list() []Metric {
	return []Metric{
		m.incomingPackets, m.incomingValue, m.outgoingPackets, m.outgoingValue,
		m.incomingMoney, m.outgoingMoney, m.limitedPackets, m.limitedMoney, m.balance,
	}
}

func (m *Metric) add(value *big.Int, labels map[string]string, more ...string) {
	own := make(map[string]string, len(labels)+len(more)/2)
	for name, label := range labels {
		own[name] = label
	}
	for i := 0; i < len(more); i += 2 {
		own[more[i]] = more[i+1]
	}
	m.Values = append(m.Values, Sample{Value: json.Number(value.String()), Labels: own})
}

// addSome adds a value that is there only if something was counted.
func (m *Metric) addSome(value *big.Int, labels map[string]string, more ...string) {
	if value.Sign() != 0 {
		m.add(value, labels, more...)
	}
}

func (m *referenceMetrics) packets(number, value *Metric, d *middleware.DirectionStats, labels map[string]string) {
	number.addSome(new(big.Int).SetUint64(d.Fulfilled.Count), labels, "result", "fulfilled")
	value.addSome(d.Fulfilled.Amount, labels, "result", "fulfilled")
	codes := make([]ilp.Code, 0, len(d.Rejected))
	for code := range d.Rejected {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		total := d.Rejected[code]
		number.addSome(new(big.Int).SetUint64(total.Count), labels, "result", "rejected", "code", string(code))
		value.addSome(total.Amount, labels, "result", "rejected", "code", string(code))
	}
}

func money(metric *Metric, d *middleware.DirectionStats, labels map[string]string) {
	metric.addSome(d.Money.Amount, labels, "result", "succeeded")
	metric.addSome(d.MoneyFailed.Amount, labels, "result", "failed")
}
