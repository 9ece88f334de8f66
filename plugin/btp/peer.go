package btp

import (
	"context"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/btplink"
	"github.com/interledger-go/connector/plugin"
)

// Peer is an account of a Server: the side of a BTP link that is dialled. It
// implements plugin.Plugin. It is connected while at least one socket has
// been authenticated for it. All methods may be called concurrently.
type Peer struct {
	server          *Server
	named, hasToken bool // has a user name, a token
	username, token digest
	certificates    []digest      // their marks
	certified       bool          // one of these is needed
	group           btplink.Group // its sockets
}

var _ plugin.Plugin = (*Peer)(nil)

// Open lets clients in. It opens no connection.
func (p *Peer) Open(_ context.Context, h plugin.Handler) error { return p.group.Open(h) }

// SendPrepare sends a packet to the client; see plugin.Plugin.
func (p *Peer) SendPrepare(ctx context.Context, prepare *ilp.Prepare, r plugin.Responder) {
	p.group.SendPrepare(ctx, prepare, r)
}

// Request sends a Message or a Transfer of packet's entries (its RequestID is
// chosen here) and waits for the Response. When the client answers with an
// Error, the error is an *Error. ctx ends the wait, with an error that wraps
// plugin.ErrUnknownOutcome. It must not be called from a Handler.
func (p *Peer) Request(ctx context.Context, packet *Packet) (Packet, error) {
	return p.group.Request(ctx, packet)
}

// HandleRequests sets what takes requests without an ILP packet. It is called
// before Open.
func (p *Peer) HandleRequests(h RequestHandler) { p.group.HandleRequests(h) }

// Connected reports whether a client is connected.
func (p *Peer) Connected() bool { return p.group.Connected() }

// Stats counts what has happened.
func (p *Peer) Stats() Stats { return Stats(p.group.Stats()) }

// Close takes the account from the server, ends its sockets and waits for
// their goroutines. What is outstanding is answered with an error that wraps
// net.ErrClosed. An account with the same credentials may be added then.
// Close is idempotent and must not be called from a Handler.
func (p *Peer) Close() error {
	p.server.accounts.remove(p)
	p.group.Close()
	return nil
}
