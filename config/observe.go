package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/interledger-go/connector/middleware"
)

// PacketLog are the fields of middleware.PacketLogOptions.
type PacketLog struct {
	Packets          int  `json:"packets,omitempty" config:"positive"`
	MaxAccounts      int  `json:"maxAccounts,omitempty" config:"positive"`
	HashDestinations bool `json:"hashDestinations,omitempty"`
	Conditions       bool `json:"conditions,omitempty"`
}

// maxLoggedPackets is the most that a middleware.PacketLog keeps of an account.
const maxLoggedPackets = 1 << 16

// Names of the middleware that stands around all others, for the admin API.
// They can be disabled as those of the standard chain can.
const (
	packetLogName = "packetLog"
	meterName     = "meter"
)

var observerNames = []string{packetLogName, meterName}

func isObserver(name string) bool { return slices.Contains(observerNames, name) }

// observes reports whether the observer of this name is in the chain.
func (p *Plan) observes(name string) bool {
	return p.config.AdminAPI && !slices.Contains(p.config.DisableMiddleware, name)
}

// observe puts around the chain what the admin API shows of packets: outside
// of everything, so that it sees what a limit refuses, and outcomes as the
// counterparty does. logs is nil where there is no admin API.
func (p *Plan) observe(chain []middleware.Middleware) (list []middleware.Middleware, logs *packetLogs) {
	if p.observes(meterName) {
		chain = middleware.NewMeter().Around(chain)
	}
	if !p.config.AdminAPI {
		return chain, nil
	}
	logs = newPacketLogs(p.newPacketLog()) // if there is none it may come
	return slices.Insert(chain, 0, middleware.Middleware(logs)), logs
}

// newPacketLog makes the packet log; nil if there is to be none.
func (p *Plan) newPacketLog() *middleware.PacketLog {
	if !p.observes(packetLogName) {
		return nil
	}
	return middleware.NewPacketLog(p.packetLog())
}

// observeNames is observe for names.
func (p *Plan) observeNames(names []string) []string {
	if p.observes(meterName) {
		names = slices.Concat([]string{meterName}, names, []string{meterName + "Inside"})
	}
	if p.observes(packetLogName) {
		names = slices.Insert(names, 0, packetLogName)
	}
	return names
}

func (p *Plan) packetLog() middleware.PacketLogOptions {
	var o middleware.PacketLogOptions
	if l := p.config.PacketLog; l != nil {
		o = middleware.PacketLogOptions(*l)
	}
	return o
}

func (p *Plan) explainPacketLog() string {
	o := p.packetLog()
	text := fmt.Sprintf("the last %d packets of each account, for the admin API", cmp.Or(o.Packets, middleware.DefaultLoggedPackets))
	if o.HashDestinations {
		text += ", with hashes for destinations"
	}
	return text
}

// observers looks at what stands around the chain.
func (k *checker) observers() {
	l := k.config.PacketLog
	if l == nil {
		return
	}
	k.count("packetLog.packets", l.Packets)
	k.count("packetLog.maxAccounts", l.MaxAccounts)
	if l.Packets > maxLoggedPackets {
		k.add("packetLog.packets", "is %d: at most %d are possible", l.Packets, maxLoggedPackets)
	}
	if !k.plan.observes(packetLogName) {
		k.note("packetLog has no effect: it needs adminApi, and the middleware of this name")
	}
}
