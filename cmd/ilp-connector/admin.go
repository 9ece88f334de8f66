package main

import (
	"net/http"

	"github.com/interledger-go/connector/admin"
	"github.com/interledger-go/connector/config"
)

// serveAdmin makes the admin API of a connector.
func serveAdmin(a *config.Assembly) (http.Handler, error) {
	o := admin.Options{Connector: a.Connector, NewAccount: a.NewAccount, PluginName: a.PluginName}
	if token := a.Plan().Config().AdminAPIToken; token != "" {
		o.Tokens = []string{string(token)}
	} else { // config has it listen on a loopback address alone
		o.LoopbackWithoutToken = true
	}
	return admin.New(o)
}
