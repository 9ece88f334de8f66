package redisstore_test

import (
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/internal/teststore"
	"github.com/interledger-go/connector/store/redisstore"
)

// A server is refused that may lose what it has acknowledged, in words that
// say what to change, unless the host says that it may.
func TestDurability(t *testing.T) {
	r := start(t)
	client := connect(t, r.Addr())
	for _, test := range []struct {
		name     string
		settings []string // each with its value
		says     string   // nothing if the server is good
	}{
		{"as it is", nil, ""},
		{"a policy that evicts what expires", []string{"maxmemory-policy", "volatile-lru"}, ""},
		{"no file", []string{"appendonly", "no"}, "appendonly is no, want yes"},
		{"synced at times", []string{"appendfsync", "everysec"}, "appendfsync is everysec, want always"},
		{"synced by the system", []string{"appendfsync", "no"}, "appendfsync is no, want always"},
		{"not synced at times", []string{"no-appendfsync-on-rewrite", "yes"}, "no-appendfsync-on-rewrite is yes, want no"},
		{"evicts", []string{"maxmemory-policy", "allkeys-lru"}, "maxmemory-policy is allkeys-lru, want noeviction"},
		{
			"several", []string{"appendonly", "no", "appendfsync", "everysec"},
			"appendonly is no, want yes; appendfsync is everysec, want always: or Options.AllowLoss",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i := 0; i < len(test.settings); i += 2 {
				do(t, client, "CONFIG", "SET", test.settings[i], test.settings[i+1])
			}
			defer do(t, client, "CONFIG", "SET", "appendonly", "yes", "appendfsync", "always",
				"no-appendfsync-on-rewrite", "no", "maxmemory-policy", "noeviction")
			s, err := redisstore.Open(t.Context(), client, redisstore.Options{})
			if (err == nil) != (test.says == "") {
				t.Errorf("Open: %v", err)
			}
			if err != nil && (s != nil || !strings.Contains(err.Error(), "may lose what it has acknowledged: "+test.says) || !strings.Contains(err.Error(), r.Addr())) {
				t.Errorf("Open: %v, want it to say %q of %s", err, test.says, r.Addr())
			}
			teststore.MustWrite(t, r.open(t, client, redisstore.Options{AllowLoss: true}), "k", "v")
		})
	}
}

// Where the configuration is not to be read, as with servers that others
// manage, nothing is known, and that is not enough.
func TestDurabilityThatCannotBeKnown(t *testing.T) {
	r := start(t)
	do(t, connect(t, r.Addr()), "ACL", "SETUSER", "tenant", "on", ">secret", "~*", "+@all", "-config")
	client := connect(t, r.Addr(), func(o *rueidis.ClientOption) { o.Username, o.Password = "tenant", "secret" })
	_, err := redisstore.Open(t.Context(), client, redisstore.Options{})
	for _, want := range []string{"cannot be known", "CONFIG GET appendonly", "NOPERM", "Options.AllowLoss"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v, want it to say %q", err, want)
		}
	}
	s := r.open(t, client, redisstore.Options{AllowLoss: true})
	teststore.MustWrite(t, s, "k", "v")
	teststore.WantValue(t, s, "k", "v")
}
