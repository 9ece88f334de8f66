package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/config"
)

// environ is a small configuration that is right, with changes: "NAME=value"
// sets a variable, "NAME" unsets one.
func environ(changes ...string) []string {
	env := map[string]string{
		"CONNECTOR_ILP_ADDRESS": "test.connie",
		"CONNECTOR_BACKEND":     "one-to-one",
		"CONNECTOR_ACCOUNTS":    `{"bob": ` + record() + `}`,
	}
	for _, change := range changes {
		name, value, set := strings.Cut(change, "=")
		if set {
			env[name] = value
		} else {
			delete(env, name)
		}
	}
	var pairs []string
	for name, value := range env {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

// record is an account that is right, with more members.
func record(more ...string) string {
	members := []string{`"relation": "peer"`, `"plugin": "loopback"`, `"assetCode": "USD"`, `"assetScale": 9`}
	for _, m := range more {
		name, _, _ := strings.Cut(m, ":")
		members = slices.DeleteFunc(members, func(other string) bool { return strings.HasPrefix(other, name+":") })
		members = append(members, m)
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// accounts is the variable with one account.
func accounts(more ...string) string {
	return `CONNECTOR_ACCOUNTS={"bob": ` + record(more...) + `}`
}

func load(t *testing.T, changes ...string) (*config.Plan, error) {
	t.Helper()
	return config.Builtins().Load(config.Source{Environ: environ(changes...)})
}

func mustLoad(t *testing.T, changes ...string) *config.Plan {
	t.Helper()
	plan, err := load(t, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// faultsOf gives the faults of an error, as lines.
func faultsOf(t *testing.T, err error) []string {
	t.Helper()
	var wrong *config.Error
	if !errors.As(err, &wrong) {
		t.Fatalf("the error is %v, not a *config.Error", err)
	}
	lines := make([]string, len(wrong.Faults))
	for i, f := range wrong.Faults {
		lines[i] = f.String()
	}
	return lines
}

// wantFaults checks that err has these faults and no others, in any order;
// each is given as its path, a colon, a space and a part of what is said.
func wantFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want the faults %q", want)
	}
	var wrong *config.Error
	if !errors.As(err, &wrong) {
		t.Fatalf("the error is %v, not a *config.Error", err)
	}
	left := slices.Clone(wrong.Faults)
	for _, w := range want {
		path, part, _ := strings.Cut(w, ": ")
		i := slices.IndexFunc(left, func(f config.Fault) bool { return f.Path == path && strings.Contains(f.Problem, part) })
		if i < 0 {
			t.Errorf("no fault %q among\n%v", w, err)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, f := range left {
		t.Errorf("unexpected fault: %v", f)
	}
}
