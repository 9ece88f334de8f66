package testserver

import (
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

const (
	// PostgreSQLUser is the superuser of a PostgreSQL server. It has no
	// password.
	PostgreSQLUser = "postgres"

	// PostgreSQLDatabase is the database that is there.
	PostgreSQLDatabase = "postgres"
)

// PostgreSQL starts a PostgreSQL server. settings are added to its
// configuration: "fsync=off".
func PostgreSQL(t testing.TB, settings ...string) *Server {
	t.Helper()
	program := find(t, "apt-get install postgresql", "postgres")
	// Where that is a link, initdb is beside what it points to.
	if target, err := filepath.EvalSymlinks(program); err == nil {
		program = target
	}
	const data = "data"
	return launch(t, &Server{
		name:  "postgresql",
		ready: "database system is ready to accept connections",
		// It does not wait for its clients.
		quit: syscall.SIGINT,
		command: func(s *Server) []string {
			args := []string{
				program,
				"-D", s.path(data), "-h", s.host, "-p", strconv.Itoa(s.port),
				"-c", "unix_socket_directories=", "-c", "shared_buffers=16MB", "-c", "recovery_init_sync_method=syncfs",
			}
			for _, setting := range settings {
				args = append(args, "-c", setting)
			}
			return args
		},
	}, func(s *Server) error {
		return run(s.dir, filepath.Join(filepath.Dir(program), "initdb"),
			"-D", s.path(data), "-U", PostgreSQLUser, "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync")
	})
}
