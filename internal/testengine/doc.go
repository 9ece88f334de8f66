// Package testengine is a settlement engine for tests (RFC 38): it takes the
// orders of connectors over HTTP, moves money on a ledger, which is a file, and
// tells the connector at the other end what has arrived. It outlives its own
// death at any instant, and misbehaves as a test tells it to.
//
// One engine serves several connectors, each at a path of its own:
// POST /NAME/accounts and so on, with NAME in place of a port.
package testengine
