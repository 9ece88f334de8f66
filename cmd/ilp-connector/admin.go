package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/config"
	"github.com/interledger-go/connector/telemetry"
)

// serveAdmin makes the admin API of a connector.
func serveAdmin(a *config.Assembly) (http.Handler, error) {
	o := admin.Options{Connector: a.Connector, NewAccount: a.NewAccount, ReplaceAccount: a.ReplaceAccount, PluginName: a.PluginName}
	for _, t := range config.Templates() {
		o.AccountTemplates = append(o.AccountTemplates, admin.AccountTemplate(t))
	}
	c := a.Plan().Config()
	o.Tokens, o.ReadTokens = c.AdminTokens()
	if len(o.Tokens)+len(o.ReadTokens) == 0 { // config has it listen on a loopback address alone
		o.LoopbackWithoutToken = true
	}
	var err error
	if o.Metrics, err = metrics(a); err != nil {
		return nil, err
	}
	return admin.New(o)
}

// metrics serves the figures of a connector to Prometheus.
func metrics(a *config.Assembly) (http.Handler, error) {
	collector, err := telemetry.NewCollector(telemetry.Options{Connector: a.Connector})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(collector); err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}
