package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What docs/operating.md says of users works, line by line, and in its order.
func TestUsersOfMiniAccounts(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	instructions := regexp.MustCompile("(?m)^ask '(.*)'$").FindAllStringSubmatch(string(text), -1)
	if len(instructions) != 7 {
		t.Fatalf("the document has the instructions %q", instructions)
	}
	port := freePort(t)
	p := launch(t, []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=" + port},
		"-config", configuration(t, "", `"wallet": `+record("child", "mini-accounts", `{"host": "127.0.0.1", "port": 0, "generateAccount": false, "limitsOf": {"bob": {"balance": {"maximum": "10"}}}}`)))
	p.says(runs)
	ask := func(instruction string) (int, string) {
		t.Helper()
		response, err := http.Post("http://127.0.0.1:"+port+"/accounts/wallet", "application/json", strings.NewReader(instruction))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(answer)
	}
	ask(`{"do": "addToken", "user": "alice", "token": "the first token"}`)
	for i, want := range []string{
		`"name":"alice","address":"test.connie.wallet.alice","tokens":1`,
		`"tokens":2`,
		`"tokens":1`,
		`"balance":"-500"`,
		`"tokens":1,"sockets":0,"incoming":0,"outgoing":0,"balance":"-500"`,
		`"sockets":0`,
		`"tokens":0`,
	} {
		if code, answer := ask(instructions[i][1]); code != http.StatusOK || !strings.Contains(answer, want) {
			t.Errorf("%s is answered %d %s; want %s", instructions[i][1], code, answer, want)
		}
	}
	ask(`{"do": "addToken", "user": "bob", "token": "a token"}`)
	if code, answer := ask(`{"do": "adjustBalance", "user": "bob", "amount": "11"}`); code != http.StatusBadRequest || !strings.Contains(answer, "limit exceeded") {
		t.Errorf("beyond the limit of one user: %d %s", code, answer)
	}
	if code, answer := ask(`{"do": "pay"}`); code != http.StatusBadRequest || !strings.Contains(answer, "removeUser") {
		t.Errorf("nonsense is answered %d %s", code, answer)
	}
	if strings.Contains(p.output(), "another token") {
		t.Errorf("a token is logged:\n%s", p.output())
	}
}
