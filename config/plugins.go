package config

import (
	"context"

	"github.com/interledger-go/connector/plugin"
)

func builtinPlugins() map[string]Driver[plugin.Plugin] {
	return map[string]Driver[plugin.Plugin]{
		"ilp-plugin-btp":           btpPlugin,
		"btp":                      btpPlugin,
		"ilp-plugin-http":          httpPlugin,
		"http":                     httpPlugin,
		"ilp-plugin-mini-accounts": miniPlugin,
		"mini-accounts":            miniPlugin,
		"loopback":                 loopbackPlugin,
	}
}

// given is a link that the host has made.
func given(link plugin.Plugin) Made[plugin.Plugin] {
	_, settles := plugin.As[plugin.MoneySender](link)
	return Made[plugin.Plugin]{
		Summary: "a link of the program's own",
		Settles: settles,
		Build:   func(context.Context, *Parts) (plugin.Plugin, error) { return link, nil },
	}
}

// leaving is a link that takes part in a listener until it is closed.
type leaving struct {
	plugin.Plugin
	leave func()
}

// Unwrap gives the link itself, for its abilities.
func (l *leaving) Unwrap() plugin.Plugin { return l.Plugin }

// Close closes the link, and leaves the listener.
func (l *leaving) Close() error {
	err := l.Plugin.Close()
	l.leave()
	return err
}
