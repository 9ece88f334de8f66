package testserver

import (
	"strconv"
	"syscall"
	"testing"
)

// Redis starts a Redis server, or a Valkey server where only that is
// installed, without a password. It is durable: every write is synced before
// it is acknowledged. args are added to its command line, where the later of
// two settings counts: "--appendfsync", "everysec".
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	program := find(t, "apt-get install redis-server", "redis-server", "valkey-server")
	return launch(t, &Server{
		name:  "redis",
		ready: "Ready to accept connections",
		quit:  syscall.SIGTERM,
		command: func(s *Server) []string {
			return append([]string{
				program,
				"--bind", s.host, "--port", strconv.Itoa(s.port), "--dir", s.dir,
				"--save", "", "--appendonly", "yes", "--appendfsync", "always",
			}, args...)
		},
	}, nil)
}
