package telemetry_test

import (
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend/onetoone"
	"github.com/interledger-go/connector/middleware"
	"github.com/interledger-go/connector/store/memstore"
	"github.com/interledger-go/connector/telemetry"
)

// The host has a registry of its own, and mounts its handler where it likes.
func Example() {
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address: "test.alice", Store: memstore.New(), Backend: rates,
		Middleware: middleware.NewMeter().Around(middleware.Standard()),
	})
	if err != nil {
		log.Fatal(err)
	}
	collector, err := telemetry.NewCollector(telemetry.Options{Connector: c})
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(collector); err != nil {
		log.Fatal(err)
	}
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})

	page := httptest.NewRecorder()
	metrics.ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, "ilp_connector_routes") {
			fmt.Print(line)
		}
	}
	// Output:
	// ilp_connector_routes{origin="configured"} 0
	// ilp_connector_routes{origin="default"} 0
	// ilp_connector_routes{origin="learned"} 0
	// ilp_connector_routes{origin="local"} 1
}
