// Package interop holds no code of its own: its tests run the JavaScript
// implementations that this connector has to work with, under node, and let
// them pay one another across it.
//
// The peers are the published packages ilp-plugin-btp, ilp-plugin-http and
// ilp-protocol-stream, at the versions pinned in js/package-lock.json.
// js/peer.js puts them together into one node of the network, with a BTP client
// or listener, or both ends of an HTTP link, and a STREAM receiver and sender
// behind it, and does what a test tells it in JSON lines over its stdin and
// stdout. Nothing of the connector is imitated there:
// what these tests see is what a deployed counterparty sees.
//
// js/connector.js is the JavaScript connector, ilp-connector, as it is
// published. Ours stands in one network with it as its parent, its child and
// its peer, and the two tell one another their routes.
//
// cmd/ilp-connector is run as well, as a process with the environment that comes
// with the JavaScript connector, and in one network with that as its program.
//
// The tests need node, 18 or later, and the packages:
//
//	npm ci --prefix interop/js
//
// Without them the tests that need them are skipped; see package testenv.
package interop
