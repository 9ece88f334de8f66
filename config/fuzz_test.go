package config_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
)

// Whatever a file and a variable hold, reading them gives a plan or faults,
// each with a sentence; and never what a secret refers to.
func FuzzLoad(f *testing.F) {
	f.Add(`{"accounts": {}, "ilpAddress": "test.a", "backend": "one-to-one"}`, "0.1")
	f.Add(`{"accounts": {"bob": `+record(`"balance": {"maximum": "Infinity", "minimum": -5}`)+`}}`, "NaN")
	f.Add(`{"accounts": {"bob": `+record(`"plugin": "btp"`, `"options": {"server": {"file": "/x"}, "listener": {"port": 1}}`)+`}}`, "")
	f.Add(`{"accounts": {"bob": `+record(`"plugin": "http"`, `"options": {"incoming": {"port": 1, "staticToken": "x", "path": "/{a}"}}`)+`}}`, "1e999")
	f.Add(`{"accounts": {"bob": `+record(`"relation": "child"`, `"plugin": "mini-accounts"`, `"options": {"users": {"balance": {"maximum": 1}}, "allowedOrigins": ["("]}`)+`}}`, "-")
	f.Add(`{"backend": "ecb", "backendConfig": {"mockData": {"base": "EUR", "rates": {"USD": 1.05}}}, "spreads": {"pairs": {"USD": {"EUR": 2}}}}`, "{}")
	f.Add(`{"store": "redis", "storeConfig": {"url": "redis://"}, "routes": [{"targetPrefix": "a.", "peerId": "b"}], "disableMiddleware": ["echo"]}`, "1")
	f.Fuzz(func(t *testing.T, content, spread string) {
		plan, err := config.Builtins().Load(config.Source{
			File: "c.json", Environ: []string{"CONNECTOR_SPREAD=" + spread},
			ReadFile: func(name string) ([]byte, error) {
				if name == "c.json" {
					return []byte(content), nil
				}
				return nil, fs.ErrNotExist
			},
		})
		if err == nil {
			if plan.Explain() == "" {
				t.Error("a plan that explains nothing")
			}
			return
		}
		var wrong *config.Error
		if !errors.As(err, &wrong) || len(wrong.Faults) == 0 || plan != nil {
			t.Fatalf("the error is %v, and the plan %v", err, plan)
		}
		for _, fault := range wrong.Faults {
			if strings.TrimSpace(fault.Problem) == "" {
				t.Errorf("a fault without a sentence: %+v", fault)
			}
		}
	})
}
