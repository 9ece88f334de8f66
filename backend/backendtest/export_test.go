package backendtest

import (
	"errors"
	"testing"
)

// Verdicts runs the suite and returns what is wrong by case, in place of
// failing t. Cases that have nothing to check are left out.
func Verdicts(t testing.TB, opts Options) map[string]error {
	verdicts := make(map[string]error)
	for _, c := range cases() {
		err := c.check(t, opts)
		if _, ok := errors.AsType[notApplicable](err); !ok {
			verdicts[c.name] = err
		}
	}
	return verdicts
}

// CaseNames returns the names of all cases.
func CaseNames() []string {
	var names []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}
