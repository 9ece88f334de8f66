package connector_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every Go snippet of the README stands, line for line, in an example that is
// compiled and run. The indentation may differ.
func TestReadmeSnippetsAreExamples(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	source := unindented(string(examples))
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(snippets) < 5 {
		t.Fatalf("the README has %d Go snippets; is it read as it should be?", len(snippets))
	}
	for _, snippet := range snippets {
		if !strings.Contains(source, unindented(snippet[1])) {
			t.Errorf("this snippet of the README is in no example:\n%s", snippet[1])
		}
	}
}

func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeft(line, "\t ")
	}
	return strings.Join(lines, "\n")
}

// The commands of the README are those that .ci/run runs.
func TestReadmeCommandsAreTested(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	for readmeHas, ciHas := range map[string]string{
		"\ngo run ./examples/quickstart\n": "\ngo run ./examples/quickstart\n",
		"\ngo test ./...\n":                "go test -race ./...\n",
		"npm ci --prefix interop/js":       "npm ci --prefix interop/js",
	} {
		if !strings.Contains(string(readme), readmeHas) || !strings.Contains(string(ci), ciHas) {
			t.Errorf("%q is not in the README, or %q is not in .ci/run", readmeHas, ciHas)
		}
	}
}
