package testserver

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
)

const (
	// MariaDBUser is a user with all rights of a MariaDB server. It has no
	// password.
	MariaDBUser = "tester"

	// MariaDBDatabase is the database that is there, and empty.
	MariaDBDatabase = "connector"
)

// MariaDB starts a MariaDB server. args are added to its command line:
// "--sync-binlog=0".
func MariaDB(t testing.TB, args ...string) *Server {
	t.Helper()
	const (
		install   = "apt-get install mariadb-server"
		data      = "data"
		atStart   = "start.sql"
		statement = "CREATE DATABASE IF NOT EXISTS %s;\nCREATE USER IF NOT EXISTS %s@'%%';\nGRANT ALL ON *.* TO %[2]s@'%%' WITH GRANT OPTION;\n"
	)
	program := find(t, install, "mariadbd")
	installer := find(t, install, "mariadb-install-db")
	return launch(t, &Server{
		name:  "mariadb",
		ready: "ready for connections",
		quit:  syscall.SIGTERM,
		command: func(s *Server) []string {
			return append([]string{
				program,
				"--no-defaults", "--datadir=" + s.path(data), "--init-file=" + s.path(atStart),
				"--bind-address=" + s.host, "--port=" + strconv.Itoa(s.port), "--skip-name-resolve",
				"--socket=" + s.path("socket"), "--pid-file=" + s.path("pid"),
				"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=48M",
			}, args...)
		},
	}, func(s *Server) error {
		err := os.WriteFile(s.path(atStart), fmt.Appendf(nil, statement, MariaDBDatabase, MariaDBUser), 0o644)
		if err != nil {
			return err
		}
		return run(s.dir, installer, "--no-defaults", "--datadir="+s.path(data), "--auth-root-authentication-method=normal", "--skip-test-db")
	})
}
