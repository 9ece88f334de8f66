package telemetry_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/admin"
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

// The admin API serves the metrics at GET /metrics, to whoever has one of its
// tokens.
func ExampleNewCollector_admin() {
	rates, err := onetoone.New(onetoone.Options{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := connector.New(connector.Config{
		Address: "test.alice", Store: memstore.New(), Backend: rates, Middleware: middleware.Standard(),
	})
	if err != nil {
		log.Fatal(err)
	}
	collector, err := telemetry.NewCollector(telemetry.Options{Connector: c})
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)

	const token = "from a file that nobody else can read"
	h, err := admin.New(admin.Options{
		Connector: c, ReadTokens: []string{token},
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	scrape := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	scrape.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, scrape)
	fmt.Println(answer.Code, strings.Contains(answer.Body.String(), `ilp_connector_routes{origin="local"} 1`))
	// Output: 200 true
}
