package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/internal/testenv"
)

// program is a node that is a process of its own, as somebody would run it who
// has no more than its environment: ours, or the JavaScript one.
type program struct {
	adminAPI
	name       string
	javaScript bool
	cmd        *exec.Cmd
	ended      chan struct{} // closed when it is gone
	output     logBuffer
	ports      map[string]int // of the listeners, by account
}

// buildProgram builds ours, and returns its path.
func buildProgram(t *testing.T) string {
	t.Helper()
	compiler := testenv.NeedCommand(t, "go", "apt-get install golang")
	path := filepath.Join(t.TempDir(), "ilp-connector")
	if out, err := exec.Command(compiler, "build", "-o", path, "../cmd/ilp-connector").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return path
}

// javaScriptProgram is the command that runs the JavaScript one, as it is
// published.
func javaScriptProgram(t *testing.T) []string {
	t.Helper()
	const script = "js/node_modules/ilp-connector/dist/index.js"
	testenv.NeedFile(t, script, "npm ci --prefix interop/js")
	return []string{testenv.NeedCommand(t, "node", "apt-get install nodejs npm"), script}
}

// startProgram returns when the admin API of the program answers.
func startProgram(t *testing.T, options nodeOptions, ends []end) *program {
	t.Helper()
	ctx, kill := context.WithCancel(context.Background())
	p := &program{
		name:       options.Name,
		javaScript: len(options.Command) > 1,
		cmd:        exec.CommandContext(ctx, options.Command[0], options.Command[1:]...),
		ended:      make(chan struct{}),
		ports:      make(map[string]int),
	}
	adminPort := freePort(t)
	p.adminAPI = adminAPI{t, "http://" + loopback(adminPort)}
	p.cmd.Env = p.environ(options, ends, adminPort)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.cmd.Wait()
	}()
	t.Cleanup(func() {
		kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s says:\n%s", p.name, p.output.String())
		}
	})
	eventually(t, func() error {
		select {
		case <-p.ended:
			t.Fatalf("%s has ended with %d", p.name, p.cmd.ProcessState.ExitCode())
		default:
		}
		_, err := p.state()
		return err
	})
	return p
}

// environ is the environment that comes with the JavaScript connector, with
// other ports, on the loopback interface. Nothing is kept of what is forwarded,
// so that an amount arrives as it was sent, whichever way it took.
func (p *program) environ(options nodeOptions, ends []end, adminPort int) []string {
	p.t.Helper()
	for _, id := range options.Programs {
		ends = append(ends, end{account: id, relation: connector.Child})
	}
	accounts := make(map[string]map[string]any)
	for _, e := range ends {
		accounts[e.account] = p.account(e)
	}
	text, err := json.Marshal(accounts)
	if err != nil {
		p.t.Fatal(err)
	}
	identity := "CONNECTOR_ILP_ADDRESS=" + options.Address
	if options.InheritFrom != "" {
		identity = "CONNECTOR_ILP_ADDRESS_INHERIT_FROM=" + options.InheritFrom
	}
	return []string{
		identity,
		"DEBUG=connector*,ilp*",
		"CONNECTOR_STORE=memory",
		"CONNECTOR_BACKEND=one-to-one",
		"CONNECTOR_SPREAD=0",
		"CONNECTOR_ADMIN_API=true",
		"CONNECTOR_ADMIN_API_PORT=" + strconv.Itoa(adminPort),
		"CONNECTOR_ACCOUNTS=" + string(text),
	}
}

// account is the record of an end.
func (p *program) account(e end) map[string]any {
	record := map[string]any{"relation": e.relation.String(), "plugin": "ilp-plugin-btp", "assetCode": "USD", "assetScale": 9}
	if e.record != nil {
		maps.Copy(record, e.record)
		return record
	}
	if e.relation == connector.Child && e.exchange {
		record["sendRoutes"], record["receiveRoutes"] = true, true
	}
	if e.dials != nil {
		record["options"] = map[string]any{"server": "btp+ws://:" + e.dials.token + "@" + e.dials.addr}
		return record
	}
	port := freePort(p.t)
	p.ports[e.account] = port
	record["options"] = map[string]any{"listener": map[string]any{
		"secret": tokenOf(e.account),
		"wsOpts": map[string]any{"host": "127.0.0.1", "port": port},
	}}
	return record
}

func (p *program) endpoint(account string) endpoint {
	return endpoint{loopback(p.ports[account]), account, tokenOf(account)}
}

// terminate ends the program as an operator does; theirs knows SIGINT alone.
func (p *program) terminate() {
	p.t.Helper()
	signal := syscall.SIGTERM
	if p.javaScript {
		signal = syscall.SIGINT
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Errorf("%s: %v", p.name, err)
	}
}

// checkEnd waits until the program has ended, and checks that all went well. Of
// theirs only the end is asked for.
func (p *program) checkEnd() {
	p.t.Helper()
	eventually(p.t, func() error {
		select {
		case <-p.ended:
			return nil
		default:
			return fmt.Errorf("%s still runs", p.name)
		}
	})
	if p.javaScript {
		return
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || strings.Contains(p.output.String(), "level=ERROR") {
		p.t.Errorf("%s ends with %d, or has logged an error", p.name, code)
	}
}

// freePort is one that nobody listens on, and that no socket gets by chance:
// systems give those from 32768 on to sockets that do not ask for one.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if socket, err := net.Listen("tcp", loopback(port)); err == nil {
			socket.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
