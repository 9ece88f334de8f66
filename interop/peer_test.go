package interop_test

import (
	"testing"
	"time"
)

// peer is a process that runs js/peer.js.
type peer struct{ *process }

// pluginOptions are those of ilp-plugin-btp.
type pluginOptions struct {
	Server   string    `json:"server,omitempty"` // of a client: btp+ws://name:token@host:port
	Listener *listener `json:"listener,omitempty"`
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

// startPeer starts a peer, which does nothing until it is told.
func startPeer(t *testing.T, name string, options pluginOptions) *peer {
	t.Helper()
	if options.ReconnectIntervals == nil {
		options.ReconnectIntervals = []int{0, 20}
	}
	if options.ResponseTimeout == 0 {
		options.ResponseTimeout = int(callTimeout / time.Millisecond)
	}
	return &peer{startProcess(t, name, "peer.js", options)}
}
