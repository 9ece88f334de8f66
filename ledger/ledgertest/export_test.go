package ledgertest

import (
	"errors"
	"testing"
)

// Verdict runs one case and returns what is wrong with the ledger, in place of
// failing t. checked is false if the case has nothing to check.
func Verdict(t *testing.T, opts Options, name string) (checked bool, err error) {
	for _, c := range cases() {
		if c.name == name {
			err = c.verdict(t, opts)
			_, spared := errors.AsType[notApplicable](err)
			return !spared, err
		}
	}
	t.Fatalf("there is no case %s", name)
	return false, nil
}

// CaseNames returns the names of all cases.
func CaseNames() []string {
	var names []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}
