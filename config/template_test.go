package config_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
)

// A template is wrong only where something is to be filled in, and right when
// that is done.
func TestTemplates(t *testing.T) {
	for _, template := range config.Templates() {
		t.Run(template.Name, func(t *testing.T) {
			if !json.Valid(template.Record) {
				t.Fatalf("it is no JSON: %s", template.Record)
			}
			a := build(t, mustLoad(t))
			empty := strings.Contains(string(template.Record), `""`)
			var faults *config.Error
			if _, err := load(t, `CONNECTOR_ACCOUNTS={"new": `+string(template.Record)+`}`); (err != nil) != empty || err != nil && !errors.As(err, &faults) {
				t.Errorf("as it is: %v", err)
			}
			filled := regexp.MustCompile(`"port": \d+`).ReplaceAllString(string(template.Record), `"port": 0`)
			for name, value := range map[string]string{
				"server": "btp+ws://127.0.0.1:1", "btpAccount": "us", "btpToken": "x",
				"secret": "x", "url": "http://127.0.0.1:1", "staticToken": someToken,
			} {
				filled = strings.ReplaceAll(filled, `"`+name+`": ""`, `"`+name+`": "`+value+`"`)
			}
			if strings.Contains(filled, `""`) {
				t.Fatalf("there is more to fill in: %s", filled)
			}
			account, err := a.NewAccount(t.Context(), "new", json.RawMessage(filled))
			if err != nil {
				t.Fatalf("filled in: %v", err)
			}
			account.Plugin.Close()
		})
	}
}
