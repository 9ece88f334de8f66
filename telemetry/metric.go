package telemetry

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is one kind of figure.
type metric struct {
	name, help string
	kind       kind
	labels     []string
	desc       *prometheus.Desc
}

type kind int

const (
	counter kind = iota
	gauge
	durations // a histogram of nanoseconds, shown in seconds
	sizes     // a histogram of numbers
)

// metrics are all kinds of figures.
type metrics struct {
	all []*metric

	// As in the reference.
	incomingPackets, incomingValue, incomingMoney *metric
	outgoingPackets, outgoingValue, outgoingMoney *metric
	rateLimitedPackets, rateLimitedMoney, balance *metric

	// Packets.
	incomingMoneyPayments, outgoingMoneyPayments *metric
	duration, refused, malformed, inFlight       *metric
	latePackets, lateValue                       *metric
	lateFulfills, unexpectedReplies              *metric

	// Accounts.
	accounts, up, reserved, inDoubt               *metric
	settlements, settlementsValue, settlementsAge *metric

	// Routes.
	routes, ccpRoutes, ccpLag, ccpReceived, ccpSent, ccpRefused, ccpExpiries *metric

	// Rates.
	rateAge, rateSuccess, rateFetches, rateCurrencies, rateJumps *metric

	// The books, and what is wrong.
	commitDuration, commitRecords, commitWaiters, commitFailures, storeFailing *metric
	alerts                                                                     *metric
}

func newMetrics() *metrics {
	m := new(metrics)
	add := func(k kind, name, help string, labels ...string) *metric {
		made := &metric{name: name, help: help, kind: k, labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
		m.all = append(m.all, made)
		return made
	}
	unit := func(more ...string) []string { return slices.Concat([]string{"account", "asset", "scale"}, more) }

	m.incomingPackets = add(counter, "ilp_connector_incoming_ilp_packets", "Total number of incoming ILP packets", unit("result", "code")...)
	m.incomingValue = add(counter, "ilp_connector_incoming_ilp_packet_value", "Total value of incoming ILP packets", unit("result", "code")...)
	m.outgoingPackets = add(counter, "ilp_connector_outgoing_ilp_packets", "Total number of outgoing ILP packets", unit("result", "code")...)
	m.outgoingValue = add(counter, "ilp_connector_outgoing_ilp_packet_value", "Total value of outgoing ILP packets", unit("result", "code")...)
	m.incomingMoney = add(counter, "ilp_connector_incoming_money", "Total of incoming money", unit("result")...)
	m.outgoingMoney = add(counter, "ilp_connector_outgoing_money", "Total of outgoing money", unit("result")...)
	m.rateLimitedPackets = add(counter, "ilp_connector_rate_limited_ilp_packets", "Total of rate limited ILP packets; measured by the meter middleware", unit()...)
	m.rateLimitedMoney = add(counter, "ilp_connector_rate_limited_money", "Total of rate limited money requests; always 0, since money that has arrived is never refused", unit()...)
	m.balance = add(gauge, "ilp_connector_balance", "Balances on peer account: what it owes us, what we owe is negative", unit()...)

	m.incomingMoneyPayments = add(counter, "ilp_connector_incoming_settlements_total", "Settlements that counterparties made, or tried to", unit("result")...)
	m.outgoingMoneyPayments = add(counter, "ilp_connector_outgoing_settlements_total", "Attempts to pay settlements", unit("result")...)
	m.duration = add(durations, "ilp_connector_packet_duration_seconds", "Time from receiving a packet to its answer: of incoming ones until it may go back, of outgoing ones until the next hop gave it", "account", "direction", "outcome")
	m.refused = add(counter, "ilp_connector_refused_ilp_packets_total", "Incoming packets that this connector itself rejected, expired ones among them", unit("code")...)
	m.malformed = add(counter, "ilp_connector_malformed_ilp_packets_total", "What counterparties sent in place of packets; not kept for the account other", "account")
	m.inFlight = add(gauge, "ilp_connector_ilp_packets_in_flight", "Packets that are not answered yet", "account", "direction")
	m.latePackets = add(counter, "ilp_connector_late_fulfilled_ilp_packets_total", "Packets that the next hop fulfilled after they had expired", unit()...)
	m.lateValue = add(counter, "ilp_connector_late_fulfilled_ilp_packet_value_total", "Value of the packets that the next hop fulfilled after they had expired: what its books and ours differ by", unit()...)
	m.lateFulfills = add(counter, "ilp_connector_late_fulfills_total", "Fulfillments that came after their packets had expired")
	m.unexpectedReplies = add(counter, "ilp_connector_unexpected_replies_total", "Answers to packets that had been answered or were never sent; a plugin that gives them is faulty")

	m.accounts = add(gauge, "ilp_connector_accounts", "Accounts of the connector", "relation")
	m.up = add(gauge, "ilp_connector_account_up", "1 if the link to the counterparty is up; of the account other, how many are up", "account", "relation")
	m.reserved = add(gauge, "ilp_connector_reserved_value", "Amounts of packets in flight", unit("direction")...)
	m.inDoubt = add(gauge, "ilp_connector_in_doubt_value", "Amounts of packets that were in flight when a former process ended without stopping", unit("direction")...)
	m.settlements = add(gauge, "ilp_connector_pending_settlements", "Settlements that are being made and have no answer yet", unit()...)
	m.settlementsValue = add(gauge, "ilp_connector_pending_settlement_value", "Amounts of the settlements that have no answer yet", unit()...)
	m.settlementsAge = add(gauge, "ilp_connector_pending_settlement_age_seconds", "Age of the oldest settlement that has no answer yet; 0 if there is none", unit()...)

	m.routes = add(gauge, "ilp_connector_routes", "Routes in use", "origin")
	m.ccpRoutes = add(gauge, "ilp_connector_ccp_routes", "Routes that a neighbor tells", "account")
	m.ccpLag = add(gauge, "ilp_connector_ccp_epoch_lag", "Epochs of our table that a neighbor has not acknowledged", "account")
	m.ccpReceived = add(counter, "ilp_connector_ccp_updates_received_total", "Route updates of a neighbor: accepted, stale (they told nothing new), gap (they did not follow on what was known), rejected", "account", "result")
	m.ccpSent = add(counter, "ilp_connector_ccp_updates_sent_total", "Route updates to a neighbor, by outcome", "account", "outcome")
	m.ccpRefused = add(counter, "ilp_connector_ccp_routes_refused_total", "Routes of a neighbor that were not taken", "account", "reason")
	m.ccpExpiries = add(counter, "ilp_connector_ccp_expiries_total", "Times that the routes of a neighbor were forgotten because it was silent", "account")

	m.rateAge = add(gauge, "ilp_connector_rate_age_seconds", "Time since the rates were published; none as long as there are no rates", "feed")
	m.rateSuccess = add(gauge, "ilp_connector_rate_last_success_timestamp_seconds", "When rates were last fetched; none as long as they were not", "feed")
	m.rateFetches = add(counter, "ilp_connector_rate_fetches_total", "Attempts to fetch rates", "feed", "result")
	m.rateCurrencies = add(gauge, "ilp_connector_rate_currencies", "Currencies by the state of their price", "feed", "state")
	m.rateJumps = add(counter, "ilp_connector_rate_rejected_jumps_total", "Prices that were not believed at first sight", "feed")

	m.commitDuration = add(durations, "ilp_connector_ledger_commit_duration_seconds", "Time that it takes to make postings durable")
	m.commitRecords = add(sizes, "ilp_connector_ledger_commit_records", "Records of the store that are written together")
	m.commitWaiters = add(sizes, "ilp_connector_ledger_commit_waiters", "Fulfillments and settlements that wait for the same commit")
	m.commitFailures = add(counter, "ilp_connector_ledger_commit_failures_total", "Attempts to write that failed")
	m.storeFailing = add(gauge, "ilp_connector_ledger_store_failing", "1 if nothing can be made durable: no packets are taken")
	m.alerts = add(gauge, "ilp_connector_alerts", "Alerts that were not dismissed", "kind")
	return m
}
