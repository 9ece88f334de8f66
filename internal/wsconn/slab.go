package wsconn

const (
	minSlab = 4 << 10
	maxSlab = 64 << 10
	// maxStreamSlab is the largest slab of a connection that is read by
	// blocking calls. It stays with the connection while that is idle. One
	// TLS record fits.
	maxStreamSlab = 16 << 10
	// cheapCopy is a number of bytes that are moved faster than read.
	cheapCopy = 512
)

// slab is the memory that is read into. Bytes before w have been read and are
// never written again; bytes before r have been handed out.
type slab struct {
	buf  []byte
	r, w int
	size int // of the next slab
	max  int // bound of size
	peak int // largest number of bytes that one read put into this slab
}

// unread is what has been read and not handed out.
func (s *slab) unread() []byte { return s.buf[s.r:s.w] }

// take hands out the next n bytes, which the caller knows to be there. Their
// capacity ends with them, so that nobody can append into the next message.
func (s *slab) take(n int) []byte {
	b := s.buf[s.r : s.r+n : s.r+n]
	s.r += n
	return b
}

// reserve makes room behind w such that a frame of need bytes, which begins
// at r, will lie in one piece. What is there of it moves to a fresh slab when
// this one ends too early, and also, if it is short, when there is little
// room left: a short read costs more than the copy.
func (s *slab) reserve(need int) {
	rest := s.unread()
	if s.r+need <= len(s.buf) && (len(s.buf)-s.w >= len(s.buf)/8 || len(rest) >= cheapCopy) {
		return
	}
	if s.buf != nil && s.peak < len(s.buf)/4 {
		s.size /= 2
	}
	s.size = min(max(s.size, minSlab), s.max)
	fresh := make([]byte, max(s.size, need))
	s.w = copy(fresh, rest)
	s.r, s.buf, s.peak = 0, fresh, 0
}

// room is where the next read goes.
func (s *slab) room() []byte { return s.buf[s.w:] }

// filled notes that a read has put n bytes into room.
func (s *slab) filled(n int) {
	if space := len(s.buf) - s.w; n == space && space >= len(s.buf)/2 {
		s.size = min(2*s.size, s.max)
	}
	s.w += n
	s.peak = max(s.peak, n)
}

// drop lets go of the memory if nothing in it is waiting.
func (s *slab) drop() {
	if s.r == s.w {
		s.buf, s.r, s.w, s.size, s.peak = nil, 0, 0, minSlab, 0
	}
}
