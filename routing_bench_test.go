package connector_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/plugin/btp"
)

// BenchmarkRouteExchange is how long it takes until a connector has learned
// 100,000 routes of another over BTP on loopback, from the moment that the link
// comes up.
func BenchmarkRouteExchange(b *testing.B) {
	const count = 100_000
	for b.Loop() {
		b.StopTimer()
		teacher := newNetwork(b, connector.Config{Address: "test.teacher"})
		teacher.add(peer("origin"))
		routes := make([]connector.Route, count)
		for i := range routes {
			routes[i] = connector.Route{Prefix: fmt.Sprintf("test.region%02d.connector-%05d", i%40, i), NextHop: "origin"}
		}
		if err := teacher.c.Router().SetRoutes(routes); err != nil {
			b.Fatal(err)
		}
		pupil := newNetwork(b, connector.Config{Address: "test.pupil"})
		learned := make(chan struct{})
		known := 0
		pupil.c.Router().Subscribe(func(changes []connector.RouteChange) {
			if known += len(changes); known == count+1 { // its own address, too
				close(learned)
			}
		})
		server := btp.NewServer(btp.ServerOptions{})
		join := func(n *network, a connector.Account) {
			a.Relation, a.Asset, a.MaxRoutes = connector.Peer, usd9, 2*count
			if err := n.c.AddAccount(context.Background(), a); err != nil {
				b.Fatal(err)
			}
		}
		join(teacher, connector.Account{ID: "pupil", Plugin: must(server.Account(btp.Credentials{Username: "pupil", Token: "token"}))})
		http := httptest.NewServer(http.Handler(server))
		url := "btp+ws://pupil:token@" + strings.TrimPrefix(http.URL, "http://")
		stopTeacher, stopPupil := teacher.run(), pupil.run()
		b.StartTimer()
		join(pupil, connector.Account{ID: "teacher", Plugin: btp.Dial(url)})
		select {
		case <-learned:
		case <-time.After(time.Minute):
			b.Fatal("the routes were not learned within a minute")
		}
		b.StopTimer()
		stopPupil()
		stopTeacher()
		http.Close()
		b.StartTimer()
	}
	b.ReportMetric(count, "routes/op")
}
