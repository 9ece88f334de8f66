// Package testserver starts the servers of others for tests: Redis,
// PostgreSQL, MariaDB. Each server of a test is a process of its own, with a
// fresh data directory, on a free port of the loopback interface; it is gone
// when the test ends, however it ends.
//
// A test may take a server away in every way in which one goes away in
// production: [Server.Kill] is a crash, [Server.Stop] and [Server.Start] are
// maintenance, [Server.Pause] is a server that hangs. A [Proxy] in front of it
// is the network between the two, which can stall and break.
//
// Where a server is not installed, the test is skipped aloud, by package
// testenv. So it is on systems other than Linux, where a test that is killed
// could leave its servers behind.
package testserver
