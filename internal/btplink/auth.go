package btplink

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// The sub-protocols of authentication (BTP-20).
const (
	protocolAuth     = "auth"
	protocolUsername = "auth_username"
	protocolToken    = "auth_token"
)

// maxAuthMessage is the longest message taken from a client that is not
// authenticated, in bytes.
const maxAuthMessage = 4 << 10

// The reasons for which a first packet is refused (BTP-21), before anybody
// has looked at the credentials. The client is told which.
var (
	errNoMessage = errors.New("the first packet must be a message")
	errNoAuth    = errors.New("the first entry must be auth, without data")
	errNoToken   = errors.New("an entry auth_token is needed")
)

// readAuth takes the credentials out of a client's first packet (BTP-20).
func readAuth(p *Packet) (username, token []byte, err error) {
	if p.Type != TypeMessage {
		return nil, nil, errNoMessage
	}
	if len(p.Entries) == 0 || p.Entries[0].Name != protocolAuth ||
		p.Entries[0].ContentType != OctetStream || len(p.Entries[0].Data) > 0 {
		return nil, nil, errNoAuth
	}
	t, ok := p.Entry(protocolToken)
	if !ok {
		return nil, nil, errNoToken
	}
	u, _ := p.Entry(protocolUsername)
	return u.Data, t.Data, nil
}

// RefusedError says that the server did not accept the credentials.
type RefusedError struct{ Reply *Error }

// Error gives what the server answered.
func (e *RefusedError) Error() string {
	return "btp: authentication refused: " + e.Reply.Error()
}

// Unwrap gives the answer itself.
func (e *RefusedError) Unwrap() error { return e.Reply }

// Auth is what a client shows: its credentials (BTP-20), and entries besides.
type Auth struct {
	Username, Token string
	More            []Entry
}

func (a *Auth) packet(id uint32) *Packet {
	return &Packet{Type: TypeMessage, RequestID: id, Entries: append([]Entry{
		{Name: protocolAuth, ContentType: OctetStream},
		{Name: protocolUsername, ContentType: TextPlain, Data: []byte(a.Username)},
		{Name: protocolToken, ContentType: TextPlain, Data: []byte(a.Token)},
	}, a.More...)}
}

// Check says why this cannot be sent, without the token.
func (a *Auth) Check() error {
	for _, e := range a.More {
		if e.Name == protocolAuth || e.Name == protocolUsername || e.Name == protocolToken {
			return fmt.Errorf("btp: an entry besides the credentials has the name %s", e.Name)
		}
	}
	b, err := a.packet(0).AppendBinary(nil)
	if err != nil {
		return err
	}
	if len(b) > maxAuthMessage {
		return fmt.Errorf("btp: the credentials, and the entries besides, take %d bytes: they must not take more than %d", len(b), maxAuthMessage)
	}
	return nil
}

// Authenticate sends the credentials of a client and waits for the answer
// (BTP-22, BTP-24), which is a *RefusedError if they are not taken.
func (s *Socket) Authenticate(a *Auth) error {
	id := rand.Uint32()
	if err := s.write(a.packet(id)); err != nil {
		return err
	}
	s.conn.Flush()
	if err := s.conn.SetReadDeadline(time.Now().Add(s.link.Limits.AuthTimeout)); err != nil {
		return err
	}
	for {
		message, err := s.conn.ReadMessage()
		if err != nil {
			return fmt.Errorf("btp: no answer to the authentication: %w", err)
		}
		if err := s.packet.Decode(message); err != nil {
			return err
		}
		switch p := &s.packet; {
		case p.RequestID != id: // a note that the server may send (BTP-23)
		case p.Type == TypeResponse:
			return s.conn.SetReadDeadline(time.Time{})
		case p.Type == TypeError:
			reply := p.Clone()
			return &RefusedError{&reply.Error}
		}
	}
}
