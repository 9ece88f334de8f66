package connectortest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/backend"
	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/connectortest"
)

// judge keeps what a check finds wrong.
type judge struct {
	testing.TB
	faults []string
}

func (j *judge) Errorf(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

// double is a rate source that makes money.
type double struct{}

func (double) Rate(_, _ backend.Party) (backend.Ratio, error) { return backend.NewRatio(2, 1) }

// The checks find what is wrong with a connector.
func TestChecksFindFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(c *connector.Config)
		want   string
	}{
		{"a loop", func(c *connector.Config) {
			c.Routes = []connector.Route{{Prefix: "test.c.app", NextHop: "a"}}
		}, "packets from a to c go in a loop (a b a)"},
		{"a route that nobody has told", func(c *connector.Config) {
			c.Routes = []connector.Route{{Prefix: "test.elsewhere", NextHop: "a"}}
		}, `b has for test.elsewhere the route configured to "a" by []: want none`},
		{"a route that is missing", func(c *connector.Config) {
			c.Exchange.Export = func(to, from ccp.Neighbor) bool { return from.ID == "" }
		}, "a has no route for test.c"},
		{"money that is lost", func(c *connector.Config) { c.Backend = double{} }, "b has lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &judge{TB: t}
				w := connectortest.New(j, 1, connectortest.Options{Config: func(node string, config *connector.Config) {
					if node == "b" {
						c.config(config)
					}
				}})
				w.Build(func(w *connectortest.Network, f connectortest.Faults) {
					a, b, c := w.Node("a"), w.Node("b"), w.Node("c")
					w.Link(a, b, connector.Peer, f)
					w.Link(b, c, connector.Peer, f)
				}, connectortest.Faults{})
				w.Converge()
				w.Check()
				if found := strings.Join(j.faults, "\n"); !strings.Contains(found, c.want) {
					t.Errorf("the checks found %q, want %q", found, c.want)
				}
			})
		})
	}
}
