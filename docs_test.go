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
	source := unindented(text(t, "example_test.go"))
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(text(t, "README.md"), -1)
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

// Every command of the README is run by continuous integration or by a test:
// here is where, and in which words. A command that is new has to say it, too.
func TestReadmeCommandsAreTested(t *testing.T) {
	run := map[string]struct{ file, words string }{
		"go run ./examples/quickstart":                     {".ci/run", "\ngo run ./examples/quickstart\n"},
		"go run ./examples/quickstart -listen":             {"examples/quickstart/main_test.go", "o.listen = true"},
		"go test ./...":                                    {".ci/run", "go test -race ./...\n"},
		"npm ci --prefix interop/js":                       {".ci/run", "npm ci --prefix interop/js"},
		"go test ./internal/killtest -run Kill -kills=500": {"internal/killtest/kill_test.go", `"kills"`},
		"go get github.com/interledger-go/connector":       {"go.mod", "module github.com/interledger-go/connector\n"},
		"go doc ./plugin":                                  {"plugin/doc.go", "package plugin\n"},
		"go doc ./backend":                                 {"backend/doc.go", "package backend\n"},
		"go doc ./store":                                   {"store/doc.go", "package store\n"},
		"go doc ./middleware":                              {"middleware/doc.go", "package middleware\n"},
		"ilp-connector config check":                       {"cmd/ilp-connector/serve_test.go", `"config", "check"`},
		"ilp-connector config explain":                     {"cmd/ilp-connector/serve_test.go", `"config", "explain"`},
		`CONNECTOR_STORE_PATH=~/.connector-data CONNECTOR_ACCOUNTS='{}' CONNECTOR_ADMIN_API=true CONNECTOR_ILP_ADDRESS=test.quickstart go run ./cmd/ilp-connector`: {
			"cmd/ilp-connector/serve_test.go", "func TestQuickstart"},
	}
	commands := commandsOf(text(t, "README.md"))
	if len(commands) < len(run) {
		t.Errorf("the README has %d commands, %d are known: %q", len(commands), len(run), commands)
	}
	for _, command := range commands {
		where, known := run[command]
		if !known {
			t.Errorf("nothing is known to run %q", command)
		} else if !strings.Contains(text(t, where.file), where.words) {
			t.Errorf("%q is not in %s, which should run %q", where.words, where.file, command)
		}
	}
}

// commandsOf gives the commands of a document: the lines of its blocks of
// shell, and what is written as code within its sentences.
func commandsOf(document string) []string {
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindAllStringSubmatch(document, -1) {
		whole := regexp.MustCompile(`\s*\\\n\s*`).ReplaceAllString(block[1], " ")
		commands = append(commands, strings.Split(whole, "\n")...)
	}
	inline := regexp.MustCompile("`((?:go (?:run|test|get|doc)|npm|ilp-connector) [^`\n]+)`")
	for _, code := range inline.FindAllStringSubmatch(document, -1) {
		commands = append(commands, code[1])
	}
	return commands
}

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
