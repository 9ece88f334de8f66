package connector

// TableEpoch is how many epochs the table has had that neighbors are told of.
func (r *Router) TableEpoch() uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exchange.table.CurrentEpoch()
}

// TableFloor is the epoch from which on that table remembers withdrawals.
func (r *Router) TableFloor() uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exchange.table.Floor()
}
