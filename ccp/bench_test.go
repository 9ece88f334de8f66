package ccp_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
	"github.com/interledger-go/connector/ilp"
)

// manyRoutes are routes as a large network may have them: prefixes of three
// segments, of some origins each, over paths of three hops.
func manyRoutes(n int) []ccp.Best {
	routes := make([]ccp.Best, 0, n)
	var way []ilp.Address
	for i := range n {
		if i%20 == 0 { // what one origin announces
			way = path("test.cad", fmt.Sprintf("test.transit%d", i%50), fmt.Sprintf("test.origin%d", i/20))
		}
		prefix := fmt.Sprintf("test.region%d.customer%d", i%100, i)
		routes = append(routes, ccp.Best{Prefix: prefix, NextHop: cad, Route: &ccp.Route{Prefix: prefix, Path: way, Auth: ccp.Auth{byte(i), byte(i >> 8), byte(i >> 16)}}})
	}
	return routes
}

// fullUpdate is as large as a packet allows.
func fullUpdate(b *testing.B) *ccp.Update {
	b.Helper()
	table := newTable(manyRoutes(1000)...)
	s := newSender(table, usd)
	at := start.Add(spacing)
	for {
		m := s.Poll(at)
		if len(m.Prepare.Data) > ilp.MaxDataLength-200 {
			return update(b, m)
		}
		s.Answered(at, m.Sequence, ccp.Fulfilled)
	}
}

func BenchmarkEncodeUpdate(b *testing.B) {
	u := fullUpdate(b)
	buffer := make([]byte, 0, ilp.MaxDataLength)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.AppendBinary(buffer); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(u.NewRoutes)), "routes")
}

func BenchmarkDecodeUpdate(b *testing.B) {
	u := fullUpdate(b)
	data, err := u.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := new(ccp.Update).Decode(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(u.NewRoutes)), "routes")
}

// teach brings everything that a sender has to say to a receiver, and counts
// the updates.
func teach(tb testing.TB, s *ccp.Sender, r *ccp.Receiver) (updates, routes int) {
	at := start.Add(spacing)
	for {
		m := s.Poll(at)
		if m == nil {
			return updates, routes
		}
		changes, reply := r.HandleUpdate(at, &m.Prepare)
		routes += len(changes)
		s.Answered(at, m.Sequence, ccp.OutcomeOf(reply, nil))
		updates++
	}
}

// newLearner is a receiver at test.bob that takes any number of routes.
func newLearner() *ccp.Receiver {
	r := ccp.NewReceiver(ccp.ReceiverOptions{Address: addr("test.bob"), MaxRoutes: 1 << 30})
	r.LinkUp(start)
	_, m := r.Poll(start)
	r.Answered(start, m.Sequence, ccp.Fulfilled)
	return r
}

// 100,000 routes, as they come in from one peer, by way of the table, the
// sender and the codec to the next.
func BenchmarkExchange100k(b *testing.B) {
	routes := manyRoutes(100_000)
	for b.Loop() {
		table := ccp.NewTable(ccp.TableOptions{Address: addr("test.connie")})
		for i := 0; i < len(routes); i += 250 { // as many as an update holds
			table.Set(routes[i:min(i+250, len(routes))])
		}
		r := newLearner()
		updates, learnt := teach(b, newSender(table, usd), r)
		if learnt != len(routes) || r.Len() != len(routes) {
			b.Fatalf("%d routes learnt", learnt)
		}
		b.ReportMetric(float64(updates), "updates")
	}
}

// A cover that comes and goes above 100,000 routes.
func BenchmarkDragon100k(b *testing.B) {
	table := newTable(manyRoutes(100_000)...)
	for b.Loop() {
		for i := range 100 {
			table.Set([]ccp.Best{best(fmt.Sprintf("test.region%d", i), cad, "test.cad")})
		}
		for i := range 100 {
			table.Set([]ccp.Best{none(fmt.Sprintf("test.region%d", i))})
		}
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Bytes that a table takes for each route, beside the routes themselves, and a
// receiver with the routes that it owns. It is a figure, not a time.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	for range b.N {
		routes := manyRoutes(n)
		before := heapInUse()
		table := ccp.NewTable(ccp.TableOptions{Address: addr("test.connie")})
		for i := 0; i < n; i += 250 {
			table.Set(routes[i : i+250])
		}
		b.ReportMetric(float64(heapInUse()-before)/n, "B/route-table")
		sender := newSender(table, usd)
		before = heapInUse()
		began := time.Now()
		r := newLearner()
		teach(b, sender, r)
		b.ReportMetric(time.Since(began).Seconds(), "s-teach")
		text := 0
		for prefix := range r.All() {
			text += len(prefix)
		}
		b.ReportMetric(float64(heapInUse()-before)/n, "B/route-receiver")
		b.ReportMetric(float64(text)/n, "B/prefix")
		runtime.KeepAlive(table)
		runtime.KeepAlive(routes)
		runtime.KeepAlive(r)
	}
	b.ReportMetric(0, "ns/op")
}
