//go:build unix

package admin_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/testenv"
)

// patience is how long anything may take in the browser. It is no measure: the
// machine may be busy.
const patience = 2 * time.Minute

// browser is a Chromium without a window that a test drives by the DevTools
// protocol, over a pair of pipes.
type browser struct {
	t   *testing.T
	cmd *exec.Cmd
	out io.WriteCloser

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
	faults  []string // what the pages have complained of
	ended   chan struct{}
}

// message is a call of the protocol, the answer to one, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// newBrowser starts a browser for the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := testenv.NeedCommand(t, "chromium", "apt-get install -y --no-install-recommends chromium")
	toBrowser, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "page")
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, out: out, waiting: make(map[int]chan message), ended: make(chan struct{})}
	b.cmd = exec.Command(path, "--headless", "--remote-debugging-pipe", "--user-data-dir="+profile,
		"--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--hide-scrollbars",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--force-device-scale-factor=1", "--window-size=1280,900", "about:blank")
	b.cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser} // 3 and 4, as the protocol has it
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toBrowser.Close()
	fromBrowser.Close()
	go b.read(in)
	t.Cleanup(func() {
		_ = b.try("", "Browser.close", nil, nil) // it goes without an answer
		out.Close()
		select {
		case <-b.ended: // nobody has the pipe any more: its children have gone, too
		case <-time.After(patience):
			t.Error("the browser does not end")
		}
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) // the browser and its children, which are nobody else's
		_ = b.cmd.Wait()
		<-b.ended
		in.Close()
		_ = os.RemoveAll(profile) // what is left of it does no harm
	})
	return b
}

// read hands out what the browser says, until it has gone.
func (b *browser) read(in io.Reader) {
	defer close(b.ended)
	for r := bufio.NewReaderSize(in, 1<<20); ; {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if answer := b.waiting[m.ID]; m.ID != 0 && answer != nil {
			answer <- m
		} else if fault := faultOf(m); fault != "" {
			b.faults = append(b.faults, fault)
		}
		b.mu.Unlock()
	}
}

// faultOf gives what a page complains of: an exception, a policy that was
// broken, a file that is not there.
func faultOf(m message) string {
	text := string(must(json.Marshal(m.Params)))
	switch {
	case m.Method == "Runtime.exceptionThrown":
		return text
	case m.Method == "Log.entryAdded" && strings.Contains(text, `"level":"error"`) && !strings.Contains(text, "401"):
		return text
	}
	return ""
}

// call calls a method of the protocol, and reads its result into result.
func (b *browser) call(session, method string, params, result any) {
	b.t.Helper()
	if err := b.try(session, method, params, result); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// try is call for what may fail.
func (b *browser) try(session, method string, params, result any) error {
	b.mu.Lock()
	b.last++
	id, answer := b.last, make(chan message, 1)
	b.waiting[id] = answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, id)
	}()
	text := must(json.Marshal(message{ID: id, Session: session, Method: method, Params: params}))
	if _, err := b.out.Write(append(text, 0)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	select {
	case m := <-answer:
		if m.Error != nil {
			return errors.New(m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-b.ended:
		return errors.New("the browser has gone")
	case <-ctx.Done():
		return fmt.Errorf("no answer: %w", ctx.Err())
	}
}

// tab is a page of a browser.
type tab struct {
	*browser
	session string
}

type arguments map[string]any

// open opens a page in a context of its own, with no token of another.
func (b *browser) open(url string, width, height int) *tab {
	b.t.Helper()
	var made struct{ BrowserContextID, TargetID, SessionID string }
	b.call("", "Target.createBrowserContext", nil, &made)
	b.call("", "Target.createTarget", arguments{"url": "about:blank", "browserContextId": made.BrowserContextID}, &made)
	b.call("", "Target.attachToTarget", arguments{"targetId": made.TargetID, "flatten": true}, &made)
	p := &tab{b, made.SessionID}
	for _, domain := range []string{"Page", "Runtime", "Log", "Accessibility"} {
		p.do(domain+".enable", nil)
	}
	p.size(width, height)
	p.do("Page.navigate", arguments{"url": url})
	return p
}

func (p *tab) do(method string, params any) { p.t.Helper(); p.call(p.session, method, params, nil) }

func (p *tab) size(width, height int) {
	p.t.Helper()
	p.do("Emulation.setDeviceMetricsOverride", arguments{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
}

// scheme makes the system's colors light or dark.
func (p *tab) scheme(name string) {
	p.t.Helper()
	p.do("Emulation.setEmulatedMedia", arguments{"features": []arguments{{"name": "prefers-color-scheme", "value": name}}})
}

// eval gives the value of an expression, or of what it promises.
func (p *tab) eval(expression string) any {
	p.t.Helper()
	value, err := p.tryEval(expression)
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

func (p *tab) tryEval(expression string) (any, error) {
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	err := p.try(p.session, "Runtime.evaluate",
		arguments{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &answer)
	if err == nil && answer.ExceptionDetails != nil {
		err = errors.New(answer.ExceptionDetails.Exception.Description)
	}
	return answer.Result.Value, err
}

// reload makes the page begin anew, by an expression that has it do so.
func (p *tab) reload(expression string) {
	p.t.Helper()
	p.eval("window.isFormer = true")
	_, _ = p.tryEval(expression) // the page may be gone before it has answered
	p.await("!window.isFormer && document.readyState === 'complete'")
}

// await waits until an expression is true. The page may become another
// meanwhile.
func (p *tab) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		came, err := p.tryEval(fmt.Sprintf(`new Promise((done) => {
			const end = Date.now() + %d;
			const look = () => {
				let is = false;
				try { is = %s } catch {} // what it speaks of is not there yet
				if (is || Date.now() > end) done(Boolean(is));
				else setTimeout(look, 20);
			};
			look();
		})`, (patience / 2).Milliseconds(), expression))
		switch {
		case came == true:
			return
		case err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "navigated") && !strings.Contains(err.Error(), "context"):
			page, _ := p.tryEval("document.body.innerText")
			p.t.Fatalf("it never is true that %s (%v); the page says: %v", expression, err, page)
		}
	}
}

// text gives what an element says.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return fmt.Sprint(p.eval(fmt.Sprintf("document.querySelector(%q)?.innerText ?? '(nothing)'", selector)))
}

// key presses a key.
func (p *tab) key(name, text string) {
	p.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		event := arguments{"type": kind, "key": name, "code": name}
		switch name {
		case "Tab":
			event["windowsVirtualKeyCode"] = 9
		case "Enter":
			event["windowsVirtualKeyCode"] = 13
			event["text"] = "\r"
		case "Escape":
			event["windowsVirtualKeyCode"] = 27
		}
		if text != "" && kind == "keyDown" {
			event["text"] = text
		}
		p.do("Input.dispatchKeyEvent", event)
	}
}

// screenshot stores what the page looks like as a PNG; all of it, or what fits.
func (p *tab) screenshot(file string, whole bool) {
	p.t.Helper()
	var answer struct{ Data string }
	p.call(p.session, "Page.captureScreenshot", arguments{"format": "png", "captureBeyondViewport": whole}, &answer)
	if err := os.WriteFile(file, must(base64.StdEncoding.DecodeString(answer.Data)), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// forgetFaults forgets what a page has complained of that has part in it: what
// the connector refuses the browser notes by itself, mostly, and in its own
// time.
func (b *browser) forgetFaults(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = slices.DeleteFunc(b.faults, func(fault string) bool { return strings.Contains(fault, part) })
}

// wantNoFaults fails the test if a page has complained.
func (b *browser) wantNoFaults() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		b.t.Errorf("a page complains: %s", fault)
	}
}
