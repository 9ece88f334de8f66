package btplink

import "container/list"

// waiting is the sockets of an Acceptor that are not authenticated. Their
// number is bounded. Past the bound the socket that has been silent for
// longest gives way to the one that comes: were that refused, a thousand
// sockets that never speak would keep everybody out for as long as somebody
// dials them again. A client has to be quicker than a whole turn of the flood,
// and needs one round trip. Only those who have shown credentials that are
// being looked at keep their place.
//
// The lock of the Acceptor guards it, and the fields of sockets that it uses.
type waiting struct {
	max    int
	taken  int       // places, from the request for a socket to its authentication
	silent list.List // of *Socket: those that give way, the first one first
}

// place is what a socket knows of its place.
type place struct {
	silent *list.Element // nil if it does not give way
	lost   bool          // it has given way
}

// enter takes a place for a socket that is about to be made; ok is false if
// there is none. out is the socket that has given way for it, if one had to.
func (w *waiting) enter() (out *Socket, ok bool) {
	if w.taken < w.max {
		w.taken++
		return nil, true
	}
	first := w.silent.Front()
	if first == nil {
		return nil, false
	}
	out = w.silent.Remove(first).(*Socket)
	out.place = place{lost: true}
	return out, true
}

// listen notes that s has not said anything yet.
func (w *waiting) listen(s *Socket) { s.place.silent = w.silent.PushBack(s) }

// hear notes that s has; it is false if it had given way before.
func (w *waiting) hear(s *Socket) bool {
	if s.place.lost {
		return false
	}
	w.silent.Remove(s.place.silent)
	s.place.silent = nil
	return true
}

// dismiss notes that what s has said was wrong: it is the first to give way
// until its end.
func (w *waiting) dismiss(s *Socket) { s.place.silent = w.silent.PushFront(s) }

// leave gives the place of s back, unless it has given way.
func (w *waiting) leave(s *Socket) {
	if s.place.lost {
		return
	}
	if s.place.silent != nil {
		w.silent.Remove(s.place.silent)
		s.place.silent = nil
	}
	w.taken--
}
