package ilphttp

// Inner seams for the tests.
type Body = body

var (
	ErrRevoked   = errRevoked
	ParseKeySet  = parseKeySet
	NewRequestID = newRequestID
)

// NewBody makes a body, and counts how often its end was told.
func NewBody(packet []byte) (b *Body, ended *int) {
	ended = new(int)
	return &Body{packet: packet, ended: func() { *ended++ }}, ended
}

func (b *Body) Revoke() bool { return b.revoke() }

const (
	HeadShort = headShort
	HeadPlain = headPlain
)

// Head is what is read of a plain request.
type Head struct {
	Path, Authorization string
	Length, Size        int
}

func ParseHead(b []byte) (Head, verdict) {
	var h head
	v := h.parse(b)
	return Head{string(h.path), string(h.authorization), h.length, h.size}, v
}

func ParseResponseHead(b []byte) (length, size int, last bool, v verdict) {
	var h responseHead
	v = h.parse(b)
	return h.length, h.size, h.last, v
}
