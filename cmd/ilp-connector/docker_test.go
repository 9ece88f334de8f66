package main

import (
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// instruction gives what the one instruction of the Dockerfile says that
// matches a pattern.
func instruction(t *testing.T, dockerfile, pattern string) string {
	t.Helper()
	all := regexp.MustCompile("(?m)"+pattern).FindAllStringSubmatch(dockerfile, -1)
	if len(all) != 1 {
		t.Fatalf("the Dockerfile has %q for %s, want one", all, pattern)
	}
	return all[0][1]
}

// What the Dockerfile builds needs no library, runs in the environment that it
// sets, and is found well by its health check, whatever else is set.
func TestDockerfile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("containers run on Linux")
	}
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, dir := string(text), t.TempDir()
	build := strings.NewReplacer("/out/ilp-connector", filepath.Join(dir, "ilp-connector")).
		Replace(instruction(t, dockerfile, `^RUN (CGO_ENABLED=0 go build .*?) &&`))
	cmd := exec.Command("sh", "-c", build)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	program, err := elf.Open(filepath.Join(dir, "ilp-connector"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			t.Error("the program is not static")
		}
	}

	var entry, health []string
	for pattern, args := range map[string]*[]string{`^ENTRYPOINT (.*)$`: &entry, `^HEALTHCHECK .* CMD (.*)$`: &health} {
		if err := json.Unmarshal([]byte(instruction(t, dockerfile, pattern)), args); err != nil {
			t.Fatal(err)
		}
	}
	if len(entry) != 1 || health[0] != entry[0] || !strings.Contains(dockerfile, "/out"+entry[0]+" "+entry[0]+"\n") {
		t.Errorf("it runs %q, and asks %q", entry, health)
	}
	if user := instruction(t, dockerfile, `^USER (.*)$`); strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root") {
		t.Errorf("it runs as %s", user)
	}
	environ := strings.Fields(strings.ReplaceAll(instruction(t, dockerfile, `^ENV (.*)$`), "/data/", dir+"/"))
	environ = append(environ, "CONNECTOR_ILP_ADDRESS=test.alice", "CONNECTOR_ACCOUNTS={}", "CONNECTOR_BACKEND=one-to-one", "CONNECTOR_ADMIN_API_PORT="+freePort(t))
	p := launch(t, environ, entry[1:]...)
	p.says(runs)
	launch(t, environ, health[1:]...).exits(exitOK)
	p.signal(map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM}[instruction(t, dockerfile, `^STOPSIGNAL (.*)$`)])
	p.exits(exitOK)
	launch(t, environ, health[1:]...).exits(exitFailure)
	if _, err := os.Stat(filepath.Join(dir, "connector.db")); err != nil {
		t.Errorf("the books are not where they should be: %v", err)
	}
}
