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
