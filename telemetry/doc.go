// Package telemetry shows a connector to those who run it: its figures as a
// collector for Prometheus, its packets as spans for OpenTelemetry.
//
//	meter := middleware.NewMeter()
//	c, err := connector.New(connector.Config{Middleware: meter.Around(middleware.Standard()), ...})
//	collector, err := telemetry.NewCollector(telemetry.Options{Connector: c})
//	registry := prometheus.NewRegistry() // the host's own
//	err = registry.Register(collector)
//	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//
// Nothing is registered globally, and nothing runs until somebody asks. What
// is shown is counted by the connector and its middleware on the way of
// packets, with a few atomic additions; a Collector reads it when it is
// scraped.
//
// # Metrics
//
// The metrics of the JavaScript reference have its names and its labels, so
// that its dashboards go on working. Where it is wrong they are right: sums of
// money are sums, not the last amount. What it does not have is named by the
// rules of Prometheus. contrib/grafana has a dashboard, contrib/prometheus the
// alert rules.
//
// Labels are bounded: they name accounts, assets, outcomes, error codes and
// the like, never an address or anything else that a counterparty chooses.
// Accounts beyond Options.MaxAccounts are added up, by asset, under the
// account "other". A value is a float64, as all of Prometheus is: exact as
// long as it is below 2^53. The exact ones are those of connector.Connector's
// Stats and Accounts.
package telemetry
