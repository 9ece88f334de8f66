package connector

import "github.com/interledger-go/connector/ilp"

// identity is who the connector is in the network.
type identity struct {
	address ilp.Address
	network string // of address; see network
}

// foreign reports whether address is of the test network while we are on the
// live one, or the other way round: a node is never on both (NODE-14).
func (c *Connector) foreign(address ilp.Address) bool {
	theirs, ours := network(address), c.identity.Load().network
	return theirs != ours && theirs != "" && ours != ""
}

// network is "g" for live addresses, "test" for those of test networks, and
// empty for all others.
func network(address ilp.Address) string {
	switch scheme := address.Scheme(); scheme {
	case "g":
		return "g"
	case "test", "test1", "test2", "test3":
		return "test"
	}
	return ""
}
