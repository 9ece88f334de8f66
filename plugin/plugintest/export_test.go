package plugintest

import "testing"

// CaseNames gives the names of all cases.
func CaseNames() []string {
	var names []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}

// Check runs one case and returns what is wrong with the plugins.
func Check(t testing.TB, name string, opts Options) error {
	t.Helper()
	for _, c := range cases() {
		if c.name == name {
			return c.run(t, opts)
		}
	}
	t.Fatalf("there is no case %q", name)
	return nil
}
