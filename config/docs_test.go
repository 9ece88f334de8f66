package config_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
)

func operating(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The document has a row for each key, with its variable, type and default,
// and no others.
func TestOperatingHasAllKeys(t *testing.T) {
	doc := operating(t)
	for _, k := range config.Keys() {
		standard := ""
		if k.Default != "" {
			standard = " `" + k.Default + "`"
		}
		if row := fmt.Sprintf("\n| `%s` | `%s` | %s |%s | ", k.Name, k.Variable, k.Type, standard); !strings.Contains(doc, row) {
			t.Errorf("there is no row %q", row)
		}
	}
	for _, v := range regexp.MustCompile("\\| `(CONNECTOR_[A-Z_]+)` \\|").FindAllStringSubmatch(doc, -1) {
		keyOf(t, v[1])
	}
}

// The document has a row for each field of an account, and no others.
func TestOperatingHasAllAccountFields(t *testing.T) {
	_, section, _ := strings.Cut(operating(t), "\n### Accounts\n")
	section, _, _ = strings.Cut(section, "\n### ")
	rows := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-zA-Z.]+)` \\|").FindAllStringSubmatch(section, -1) {
		rows[row[1]] = true
	}
	var look func(prefix string, typ reflect.Type)
	look = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			if !rows[prefix+name] {
				t.Errorf("the field %s has no row", prefix+name)
			}
			delete(rows, prefix+name)
			if f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct {
				look(prefix+name+".", f.Type.Elem())
			}
		}
	}
	look("", reflect.TypeFor[config.Account]())
	for name := range rows {
		t.Errorf("the row %s is of no field", name)
	}
}

// Every name of a driver is in the document.
func TestOperatingHasAllDrivers(t *testing.T) {
	doc, r := operating(t), config.Builtins()
	for _, names := range [][]string{keys(r.Plugins), keys(r.Backends), keys(r.Stores)} {
		for _, name := range names {
			if !regexp.MustCompile("(?m)^\\| [^|]*`" + regexp.QuoteMeta(name) + "`").MatchString(doc) {
				t.Errorf("the driver %s has no row", name)
			}
		}
	}
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

// Configurations in the document can be used.
func TestOperatingExamplesAreRight(t *testing.T) {
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(operating(t), -1)
	if len(examples) == 0 {
		t.Fatal("there are none; is the document read as it should be?")
	}
	for _, example := range examples {
		_, err := config.Builtins().Load(config.Source{
			File: "example.json", Environ: []string{"WALLET_TOKEN=x"},
			ReadFile: files(map[string]string{"example.json": example[1], "/run/secrets/bob-url": "btp+wss://a:b@bob.example\n"}),
		})
		if err != nil {
			t.Errorf("%v in\n%s", err, example[1])
		}
	}
}

// Every line of the log and every alert that the document explains is one that
// the code has, and it has all alerts.
func TestOperatingExplainsWhatThereIs(t *testing.T) {
	var code strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		code.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := operating(t)
	_, lines, _ := strings.Cut(doc, "\n## Lines of the log\n")
	_, alerts, _ := strings.Cut(doc, "\n## Alerts\n")
	alerts, _, _ = strings.Cut(alerts, "\n## ")
	for _, section := range []string{lines, alerts} {
		rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1)
		if len(rows) < 5 {
			t.Fatalf("there are %d rows; is the document read as it should be?", len(rows))
		}
		for _, row := range rows {
			// Names of packages may be put in front by their loggers.
			if _, said, _ := strings.Cut(`"`+row[1]+`"`, ": "); !strings.Contains(code.String(), `"`+row[1]+`"`) && (said == "" || !strings.Contains(code.String(), `: `+said) && !strings.Contains(code.String(), `"`+said)) {
				t.Errorf("the code never says %q", row[1])
			}
		}
	}
	for _, kind := range regexp.MustCompile(`AlertKind = "(\w+)"`).FindAllStringSubmatch(code.String(), -1) {
		if !strings.Contains(alerts, "\n| `"+kind[1]+"` |") {
			t.Errorf("the alert %s has no row", kind[1])
		}
	}
}
