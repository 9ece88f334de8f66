package interop_test

import (
	"testing"
	"time"
)

// peer is a process that runs js/peer.js.
type peer struct{ *process }

// pluginOptions are those of ilp-plugin-btp, or in HTTP those of
// ilp-plugin-http, or in MiniAccounts those of ilp-plugin-mini-accounts.
type pluginOptions struct {
	HTTP         *httpOptions  `json:"http,omitempty"`
	Server       string        `json:"server,omitempty"` // of a client: btp+ws://name:token@host:port
	Listener     *listener     `json:"listener,omitempty"`
	MiniAccounts *miniAccounts `json:"miniAccounts,omitempty"`
	// ReconnectIntervals are the waits between attempts to dial, in
	// milliseconds; the last one for all further attempts.
	ReconnectIntervals []int `json:"reconnectIntervals,omitempty"`
	// ResponseTimeout bounds the wait for a reply, in milliseconds.
	ResponseTimeout int `json:"responseTimeout,omitempty"`
}

type listener struct {
	Port   int    `json:"port"` // 0: any
	Secret string `json:"secret"`
}

type miniAccounts struct {
	Port int `json:"port"` // 0: any
	// HostConfig is what a connector above would tell it.
	HostConfig hostConfig `json:"debugHostIldcpInfo"`
}

type hostConfig struct {
	ClientAddress string `json:"clientAddress"`
	AssetCode     string `json:"assetCode"`
	AssetScale    uint8  `json:"assetScale"`
}

// setDefaults has a client dial again soon, and wait for replies as long as
// the tests do.
func (o *pluginOptions) setDefaults() {
	if o.HTTP != nil {
		return
	}
	if o.ReconnectIntervals == nil {
		o.ReconnectIntervals = []int{0, 20}
	}
	if o.ResponseTimeout == 0 {
		o.ResponseTimeout = int(callTimeout / time.Millisecond)
	}
}

// startPeer starts a peer, which does nothing until it is told.
func startPeer(t *testing.T, name string, options pluginOptions) *peer {
	t.Helper()
	options.setDefaults()
	return &peer{startProcess(t, name, "peer.js", options)}
}
