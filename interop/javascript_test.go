package interop_test

import (
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/interledger-go/connector"
)

// javaScript is a process that runs js/connector.js: the JavaScript connector.
type javaScript struct {
	*process
	adminAPI
	config javaScriptConfig

	mu    sync.Mutex
	ports map[string]int // of the listeners, by account
}

// javaScriptConfig is the configuration of ilp-connector.
type javaScriptConfig struct {
	ILPAddress            string                       `json:"ilpAddress,omitempty"`
	ILPAddressInheritFrom string                       `json:"ilpAddressInheritFrom,omitempty"`
	Accounts              map[string]javaScriptAccount `json:"accounts"`
	Backend               string                       `json:"backend"`
	Spread                float64                      `json:"spread"`
	Store                 string                       `json:"store"`
	AdminAPI              bool                         `json:"adminApi"`
	AdminAPIPort          int                          `json:"adminApiPort"`
}

type javaScriptAccount struct {
	Relation      string        `json:"relation"`
	Plugin        string        `json:"plugin"`
	AssetCode     string        `json:"assetCode"`
	AssetScale    int           `json:"assetScale"`
	SendRoutes    bool          `json:"sendRoutes"`
	ReceiveRoutes bool          `json:"receiveRoutes"`
	Options       pluginOptions `json:"options"`
}

func startJavaScript(t *testing.T, options nodeOptions, ends []end) *javaScript {
	t.Helper()
	config := javaScriptConfig{
		ILPAddress:            options.Address,
		ILPAddressInheritFrom: options.InheritFrom,
		Accounts:              make(map[string]javaScriptAccount),
		Backend:               "one-to-one",
		Store:                 "memory",
		AdminAPI:              true,
	}
	for _, id := range options.Programs {
		ends = append(ends, end{account: id, relation: connector.Child})
	}
	for _, e := range ends {
		a := javaScriptAccount{
			Relation: e.relation.String(), Plugin: "ilp-plugin-btp", AssetCode: "USD", AssetScale: 9,
			SendRoutes: e.exchanges(), ReceiveRoutes: e.exchanges(),
		}
		if e.dials != nil {
			a.Options.Server = e.dials.url()
		} else {
			a.Options.Listener = &listener{Secret: tokenOf(e.account)}
		}
		a.Options.setDefaults()
		config.Accounts[e.account] = a
	}
	return runJavaScript(t, options.Name, config)
}

// runJavaScript starts a connector, and returns when its admin API answers.
func runJavaScript(t *testing.T, name string, config javaScriptConfig) *javaScript {
	t.Helper()
	j := &javaScript{
		process:  startProcess(t, name, "connector.js", config),
		adminAPI: adminAPI{t: t},
		config:   config,
		ports:    make(map[string]int),
	}
	var result struct{ Port int }
	if err := j.call(t.Context(), "start", nil, &result); err != nil {
		t.Fatal(err)
	}
	j.base = "http://" + loopback(result.Port)
	return j
}

// restart starts the connector again, after it was killed, on the same ports.
func (j *javaScript) restart() *javaScript {
	j.t.Helper()
	for id, a := range j.config.Accounts {
		if a.Options.Listener != nil {
			_, port, err := net.SplitHostPort(j.endpoint(id).addr)
			if err != nil {
				j.t.Fatal(err)
			}
			if a.Options.Listener.Port, err = strconv.Atoi(port); err != nil {
				j.t.Fatal(err)
			}
		}
	}
	return runJavaScript(j.t, j.name, j.config)
}

// endpoint waits until the listener of an account listens.
func (j *javaScript) endpoint(account string) endpoint {
	j.t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.ports[account] == 0 {
		e, err := j.await(j.t.Context(), "listening")
		if err != nil {
			j.t.Fatal(err)
		}
		j.ports[e.Account] = e.Port
	}
	return endpoint{loopback(j.ports[account]), account, tokenOf(account)}
}
