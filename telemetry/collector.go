package telemetry

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/interledger-go/connector"
)

// Options are what a Collector shows. Connector is needed.
type Options struct {
	// Connector is whose figures are shown.
	Connector *connector.Connector

	// MaxAccounts bounds the accounts that are shown by their ids, first come
	// first served, for as long as there is the Collector; the others are
	// added up as "other". An account takes some 50 series, and 25 more for
	// each outcome of its packets. 0 means DefaultMaxAccounts.
	MaxAccounts int
}

// DefaultMaxAccounts is the bound where Options set none.
const DefaultMaxAccounts = 200

// Other is the label of the accounts beyond the bound, and of those whose ids
// cannot be shown.
const Other = "other"

// Collector is a prometheus.Collector of a connector's figures. It may be
// registered with any registry, and scraped concurrently.
//
// Metrics whose source is missing from the connector are not there: without
// the stats middleware there are no numbers of packets, without the meter
// no durations. Balances are always there.
type Collector struct {
	c       *connector.Connector
	max     int
	metrics *metrics

	mu    sync.Mutex
	shown map[string]bool // accounts that have a label of their own
}

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector makes a Collector. It registers nothing.
func NewCollector(o Options) (*Collector, error) {
	if o.Connector == nil {
		return nil, errors.New("telemetry: Options.Connector is nil: give the connector whose figures are to be shown")
	}
	if o.MaxAccounts < 0 {
		return nil, fmt.Errorf("telemetry: Options.MaxAccounts is %d: it must be 0 (meaning %d) or more", o.MaxAccounts, DefaultMaxAccounts)
	}
	if o.MaxAccounts == 0 {
		o.MaxAccounts = DefaultMaxAccounts
	}
	return &Collector{c: o.Connector, max: o.MaxAccounts, metrics: newMetrics(), shown: make(map[string]bool)}, nil
}

// Describe gives all metrics that there may be.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range c.metrics.all {
		to <- m.desc
	}
}

// Collect gives the figures of now. It is called when a registry is scraped.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	scrape := &scrape{Collector: c, samples: newSamples(), units: make(map[string]connector.Asset)}
	scrape.collectAccounts()
	scrape.collectStats()
	scrape.collectMeters()
	scrape.collectCounters()
	scrape.collectRoutes()
	scrape.collectRates()
	scrape.collectLedger()
	scrape.collectAlerts()
	scrape.send(to)
}

// scrape is one call of Collect.
type scrape struct {
	*Collector
	*samples
	units map[string]connector.Asset // of the accounts that there are
}

// label gives the label of an account. An account keeps its own for ever, for
// counters must not jump from one label to another.
func (c *Collector) label(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.shown[id]:
		return id
	case len(c.shown) >= c.max || id == Other || !utf8.ValidString(id):
		return Other
	}
	c.shown[id] = true
	return id
}

// unit gives the labels of an account and the unit of its amounts, and more
// behind them.
func (c *Collector) unit(id string, asset connector.Asset, more ...string) []string {
	return append([]string{c.label(id), asset.Code, strconv.Itoa(int(asset.Scale))}, more...)
}
