package wsconn

// Written gives the frames appended and the writes made so far.
func (c *Conn) Written() (frames, writes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames, c.calls
}

// Memory gives the bytes that the connection keeps for reading and writing.
// The reader must be waiting, or nobody reading.
func (c *Conn) Memory() (in, out int) {
	c.waitMu.Lock()
	in = cap(c.in.buf)
	c.waitMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	return in, cap(c.out) + cap(c.spare)
}

// Waiting reports whether the reader waits for the network.
func (c *Conn) Waiting() bool {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	return c.waiting
}

// ReleaseIdle does what the timer does to a connection that was idle for a
// tick.
func (c *Conn) ReleaseIdle() {
	c.mu.Lock()
	c.dropIdleBuffers()
	c.mu.Unlock()
	c.dropIdleSlab()
}
