package ilp

// HasPrefix is the rule behind Address.HasPrefix, on text: the prefixes that
// RFC 15 speaks of include schemes ("g"), which are no addresses.
func HasPrefix(s, prefix string) bool { return hasPrefix(s, prefix) }
