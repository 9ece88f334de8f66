package ccp_test

import (
	"testing"

	"github.com/interledger-go/connector/ccp"
)

// connie is the table of the reference's tests 79 and 80.
func connie(t *testing.T) *ccp.Table {
	t.Helper()
	origin := func(prefix string, by ccp.Neighbor) ccp.Best {
		return ccp.Best{Prefix: prefix, NextHop: by, Route: ccp.OriginRoute(secret(t), prefix)}
	}
	learnt := func(prefix string, by ccp.Neighbor) ccp.Best {
		b := best(prefix, by, prefix)
		b.Route.Auth = auth(t, "RLQ3sZWn8Y5TSNJM9qXszfxVlcuERxsxpy+7RhaUadk=")
		return b
	}
	return newTable(
		origin("test.connie", self), origin("test.prefix", cad), origin("test.eur-ledger", eur),
		learnt("test.cad-ledger", cad), learnt("test.usd-ledger", usd),
	)
}

// told is an update of connie.
func told(t *testing.T, current uint32, withdrawn []string, routes ...*ccp.Route) *ccp.Update {
	t.Helper()
	for _, r := range routes {
		r.Path = append(path("test.connie"), r.Path...)
		r.Auth = auth(t, map[string]string{
			"test.connie":     "muk4Yc9MJfF9JOiCVhwdG/+Iffhw+g7fUPjRJTef24o=",
			"test.prefix":     "2mgQJ9MAIe91vuQ+PddM6j8DGfqOAu0PH8ni5n+8lTM=",
			"test.eur-ledger": "pzvpeQd5hc2o53xnDqXfNKH3ghg9lb3b1bZb8N3Wzqk=",
			"test.cad-ledger": "VpLK9Fmhx11TynRzmQTvnynGYc+tOwoShsJ5QW61/O8=",
			"test.usd-ledger": "VpLK9Fmhx11TynRzmQTvnynGYc+tOwoShsJ5QW61/O8=",
		}[r.Prefix])
	}
	return &ccp.Update{
		TableID: tableID, CurrentEpoch: current, ToEpoch: current, HoldDown: ccp.DefaultHoldDown,
		Speaker: addr("test.connie"), NewRoutes: routes, WithdrawnRoutes: withdrawn,
	}
}

// bytes of the message must be those of the update.
func sameBytes(t *testing.T, m *ccp.Message, want *ccp.Update) {
	t.Helper()
	equal(t, update(t, m), want)
	p, err := want.Prepare(m.Prepare.ExpiresAt)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, wire(t, m.Prepare, nil), wire(t, p, nil))
}

// Reference test 79, and CCP-25, CCP-29, CCP-35.
func TestReference79(t *testing.T) {
	table := connie(t)
	at := start.Add(ccp.DefaultSpacing)
	sameBytes(t, newSender(table, cad).Poll(at), told(t, 5, []string{"test.prefix", "test.cad-ledger"},
		route("test.connie"), route("test.eur-ledger"), route("test.usd-ledger", "test.usd-ledger")))
	sameBytes(t, newSender(table, usd).Poll(at), told(t, 5, []string{"test.usd-ledger"},
		route("test.connie"), route("test.prefix"), route("test.eur-ledger"), route("test.cad-ledger", "test.cad-ledger")))
}

// Reference test 80: a superseded epoch is left out.
func TestReference80(t *testing.T) {
	table := connie(t)
	table.Set([]ccp.Best{none("test.cad-ledger")})
	sameBytes(t, newSender(table, usd).Poll(start.Add(ccp.DefaultSpacing)), told(t, 6, []string{"test.usd-ledger", "test.cad-ledger"},
		route("test.connie"), route("test.prefix"), route("test.eur-ledger")))
}

// Reference test 81: a route is learnt, and withdrawn again.
func TestReference81(t *testing.T) {
	r := newReceiver(t)
	equal(t, said(r.Apply(start, news(0, 1, by("test.xrp-ledger")))), []string{"+test.xrp-ledger"})
	equal(t, learnt(r), []string{"test.xrp-ledger"})
	equal(t, said(r.Apply(start, withdrawal(1, 2, "test.xrp-ledger"))), []string{"-test.xrp-ledger"})
	equal(t, r.Len(), 0)
}

// Reference tests 82 and 83: what is not learnt.
func TestReference82And83(t *testing.T) {
	r := newReceiver(t)
	equal(t, said(r.Apply(start, news(0, 1, by("peer.do.not.add.me")))), nil)
	equal(t, said(r.Apply(start, news(1, 2, route("test.xrp-ledger", "test.xrp-ledger", "test.connie")))), nil)
	equal(t, r.Len(), 0)
	want := ccp.Refusals{ccp.OutsideGlobalPrefix: 1, ccp.Loop: 1}
	equal(t, r.Status().Refused, want)
}
