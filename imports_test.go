package connector_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// houseRules says which packages of this module each package may import,
// besides itself and what is below it in the table of docs/architecture.md.
// Imports point one way: from assembly to contracts to codecs. The first row
// whose pattern fits a package is its row; a package without one fails the
// test, so that the table stays the map of the house.
var houseRules = []struct {
	packages string   // a path.Match pattern, below the module's path
	imports  []string // patterns; "*" stands for one element
}{
	// Codecs.
	{"oer", nil},
	{"ilp", []string{"oer"}},

	// Contracts. A plugin's names a link, an account a counterparty.
	{"plugin", []string{"ilp"}},
	{"backend", []string{"ilp"}},
	{"store", nil},
	{"histogram", nil},
	{"account", []string{"ilp", "plugin"}},
	{"ledger", []string{"ilp", "plugin", "store", "account", "histogram"}},
	{"middleware", []string{"ilp", "plugin", "store", "account", "ledger", "ping", "histogram"}},

	// Settlement engines.
	{"settlement", []string{"ilp", "plugin", "account"}},

	// Peer protocols: no sockets, no clocks.
	{"ildcp", []string{"oer", "ilp", "plugin"}},
	{"ccp", []string{"oer", "ilp", "account"}},
	{"ping", []string{"oer", "ilp"}},

	// Conformance suites know their contract and what it is about.
	{"plugin/plugintest", []string{"oer", "ilp", "plugin"}},
	{"backend/backendtest", []string{"ilp", "backend"}},
	{"store/storetest", []string{"store"}},
	{"ledger/ledgertest", []string{"ilp", "plugin", "store", "account", "ledger"}},
	{"middleware/middlewaretest", []string{"oer", "ilp", "plugin", "account", "ledger", "middleware", "store", "store/memstore"}},

	// Drivers know their contract and never one another, nor the connector.
	{"plugin/ilphttp", []string{"ilp", "plugin", "ildcp", "internal/clientcert", "internal/idleconns", "internal/replay"}},
	// Miniaccounts is a small connector of its own: its users have limits, and
	// books, as accounts have.
	{"plugin/miniaccounts", []string{"ilp", "plugin", "store", "account", "ledger", "middleware", "ildcp", "internal/btplink"}},
	{"plugin/*", []string{"oer", "ilp", "plugin", "internal/*"}},
	{"backend/*", []string{"ilp", "backend", "internal/*"}},
	{"store/*", []string{"store", "internal/*"}},

	// Certificates for the host's servers and clients.
	{"tlsfile", nil},

	// What nobody outside should import.
	{"internal/routetable", nil},
	{"internal/rib", []string{"account", "ccp"}},
	{"internal/testenv", nil},
	{"internal/testcert", nil},
	{"internal/testengine", nil},
	{"internal/testserver", []string{"internal/testenv"}},
	{"internal/teststore", []string{"store"}},
	{"internal/vectors", nil},
	{"internal/replay", nil},
	{"internal/clientcert", nil},
	{"internal/groupcommit", []string{"store"}},
	{"internal/killtest", nil},    // tests alone
	{"internal/hostiletest", nil}, // tests alone
	{"internal/wsconn", []string{"internal/replay"}},
	{"internal/idleconns", nil},
	{"internal/ratefeed", []string{"ilp", "backend"}},
	{"internal/pipenet", nil},
	{"internal/btptest", []string{"ilp", "internal/btplink", "internal/wsconn"}},
	{"internal/btplink", []string{"oer", "ilp", "plugin", "internal/wsconn"}},

	// The connector stands on the contracts.
	{".", []string{"ilp", "plugin", "backend", "store", "account", "ledger", "middleware", "ildcp", "ccp", "ping", "internal/rib", "internal/routetable"}},

	// Operation of a connector over HTTP: public packages only, and no driver.
	{"admin", []string{".", "ilp", "plugin", "backend", "account", "ledger", "middleware", "ccp"}},

	// Assembly: from names to what they stand for, programs, and tests against
	// real peers.
	{"config", []string{".", "*", "*/*"}},
	{"examples/*", []string{".", "*", "*/*"}},
	{"cmd/*", []string{".", "*", "*/*"}},
	{"telemetry", []string{".", "*"}},
	{"internal/load", []string{".", "*", "*/*"}},
	{"internal/httpload", []string{".", "*", "*/*"}},
	{"connectortest", []string{".", "ilp", "plugin", "store", "ccp", "middleware", "plugin/inproc", "backend/onetoone", "store/memstore"}},
	{"interop", []string{".", "*", "*/*", "internal/testenv"}},
}

const modulePath = "github.com/interledger-go/connector"

type listedPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func goList(t *testing.T, args ...string) []listedPackage {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard"}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listedPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// local is the path of a package below the module's; ok is false for others.
func local(importPath string) (string, bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range goList(t, "./...") {
		name, _ := local(p.ImportPath)
		row := -1
		for i := range houseRules {
			if matches(houseRules[i].packages, name) {
				row = i
				break
			}
		}
		if row < 0 {
			t.Errorf("package %s has no row in the house rules", name)
			continue
		}
		for _, imported := range p.Imports {
			below, ok := local(imported)
			if !ok {
				continue
			}
			allowed := false
			for _, pattern := range houseRules[row].imports {
				allowed = allowed || matches(pattern, below)
			}
			if !allowed {
				t.Errorf("package %s imports %s; it may import %v", name, below, houseRules[row].imports)
			}
		}
	}
}

// The core links the standard library and this module, nothing else; nor do
// the contracts that others implement.
func TestCoreHasNoDependencies(t *testing.T) {
	std := make(map[string]bool)
	for _, p := range goList(t, "-deps", ".") {
		if p.Standard {
			std[p.ImportPath] = true
		}
	}
	for _, p := range goList(t, ".", "./oer", "./ilp", "./plugin", "./plugin/inproc", "./backend", "./backend/onetoone", "./backend/ecb", "./backend/ecbxrp", "./backend/ecbcoinmarketcap", "./backend/httprates", "./backend/static", "./backend/randomizer", "./store", "./store/memstore", "./histogram", "./middleware") {
		for _, dep := range p.Deps {
			if _, ours := local(dep); !ours && !std[dep] && strings.Contains(strings.Split(dep, "/")[0], ".") {
				t.Errorf("package %s depends on %s", p.ImportPath, dep)
			}
		}
	}
}
