package testserver

// CrashDuring kills the server while load runs, which reaches it through p,
// and starts it again when load has come to its end. The crash comes upon a
// request that contains part. In round 0 that has not reached the server, in
// round 1 its reply has not reached the client, and in all others the crash
// comes at any instant after it.
func (s *Server) CrashDuring(p *Proxy, part string, round int, load func()) {
	s.t.Helper()
	hold := p.HoldReply
	if round == 0 {
		hold = p.HoldRequest
	}
	held := hold(part)
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		load()
	}()
	<-held
	if round > 1 {
		p.Release()
	}
	s.Kill()
	p.Break()
	<-loaded
	s.Start()
}
