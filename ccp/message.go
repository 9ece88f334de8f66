package ccp

import (
	"encoding"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// The addresses that messages are sent to (CCP-01).
const (
	ControlDestination = "peer.route.control"
	UpdateDestination  = "peer.route.update"
)

// MessageLifetime is how long the packet of a message is good (CCP-36).
const MessageLifetime = time.Minute

// Prepare is the packet that carries c (CCP-01). An error says what of c
// cannot be written.
func (c *Control) Prepare(expiresAt time.Time) (ilp.Prepare, error) {
	return prepare(ControlDestination, c, expiresAt)
}

// Prepare is the packet that carries u (CCP-01). It is an error if u is larger
// than the data of a packet may be.
func (u *Update) Prepare(expiresAt time.Time) (ilp.Prepare, error) {
	return prepare(UpdateDestination, u, expiresAt)
}

func prepare(destination string, message encoding.BinaryAppender, expiresAt time.Time) (ilp.Prepare, error) {
	data, err := message.AppendBinary(nil)
	if err != nil {
		return ilp.Prepare{}, err
	}
	if len(data) > ilp.MaxDataLength {
		return ilp.Prepare{}, fmt.Errorf("ccp: a message of %d bytes: a packet carries at most %d", len(data), ilp.MaxDataLength)
	}
	return packet(destination, data, expiresAt), nil
}

func packet(destination string, data []byte, expiresAt time.Time) ilp.Prepare {
	return ilp.Prepare{
		ExpiresAt:   expiresAt,
		Condition:   ilp.PeerCondition,
		Destination: ilp.MustParseAddress(destination),
		Data:        data,
	}
}

// ParseControl reads the packet of a Control that arrives at now. The error is
// a [*ilp.Reject] to answer with (CCP-03, CCP-12). Neither the amount nor
// bytes after the message matter.
func ParseControl(p *ilp.Prepare, now time.Time) (*Control, error) {
	if err := check(p, now, ControlDestination, "route control"); err != nil {
		return nil, err
	}
	c := new(Control)
	if err := c.Decode(p.Data); err != nil {
		return nil, malformed(err)
	}
	return c, nil
}

// ParseUpdate reads the packet of an Update that arrives at now. The error is
// a [*ilp.Reject] to answer with, whose Cause is that of [Update.Decode]. If
// the cause is a [*RoutesError] there is an update as well: all that is sound
// of it.
func ParseUpdate(p *ilp.Prepare, now time.Time) (*Update, error) {
	if err := check(p, now, UpdateDestination, "route update"); err != nil {
		return nil, err
	}
	u := new(Update)
	if err := u.Decode(p.Data); err != nil {
		if _, ok := errors.AsType[*RoutesError](err); ok {
			return u, malformed(err)
		}
		return nil, malformed(err)
	}
	return u, nil
}

// check is in the order and the words of the reference.
func check(p *ilp.Prepare, now time.Time, destination, name string) error {
	switch {
	case p.Destination.String() != destination:
		return ilp.Rejectf(ilp.F00BadRequest, "packet is not a CCP %s request.", name)
	case p.Condition != ilp.PeerCondition:
		return ilp.Rejectf(ilp.F01InvalidPacket, "condition must be peer protocol condition.")
	case p.ExpiresAt.Before(now):
		return ilp.Rejectf(ilp.F00BadRequest, "CCP %s request packet is expired.", name)
	}
	return nil
}

func malformed(err error) *ilp.Reject {
	return &ilp.Reject{Code: ilp.F00BadRequest, Message: err.Error(), Cause: err}
}

// RejectStranger answers a message to a destination in peer.route, from an
// account that there is no exchange of routes with; or to one that is unknown.
func RejectStranger(destination ilp.Address) *ilp.Reject {
	switch destination.String() {
	case ControlDestination:
		return ilp.Rejectf(ilp.F00BadRequest, "cannot process route control messages from non-peers.")
	case UpdateDestination:
		return ilp.Rejectf(ilp.F00BadRequest, "cannot process route update messages from non-peers.")
	}
	return ilp.Rejectf(ilp.F00BadRequest, "unrecognized ccp message. destination=%s", destination)
}

// RejectNoSender answers a Control where no routes are sent (CCP-12).
func RejectNoSender() *ilp.Reject {
	return ilp.Rejectf(ilp.F00BadRequest, "rejecting route control message, we are configured not to send routes to you.")
}

// RejectNoReceiver answers an Update where no routes are received (CCP-31).
func RejectNoReceiver() *ilp.Reject {
	return ilp.Rejectf(ilp.F00BadRequest, "rejecting route update, we are configured not to receive routes from you.")
}

// Message is a packet that a machine wants sent to its peer, over the link
// itself: it carries no money. The host tells the machine the outcome under
// the same Sequence, once; until then, or until the machine gives it up, there
// is no other.
type Message struct {
	Sequence uint64
	Prepare  ilp.Prepare
}

// Outcome is what became of a Message.
type Outcome int

const (
	// Fulfilled: the peer took it (CCP-02).
	Fulfilled Outcome = iota
	// Rejected: the peer refused it.
	Rejected
	// Failed: it was not sent, the link was lost, or the answer is none.
	Failed
	// TimedOut: there was no answer in time. A machine finds that out by
	// itself if the host does not say so.
	TimedOut
)

var outcomeNames = [...]string{Fulfilled: "fulfilled", Rejected: "rejected", Failed: "failed", TimedOut: "timed out"}

// String names the outcome in a word or two.
func (o Outcome) String() string {
	if o < 0 || int(o) >= len(outcomeNames) {
		return fmt.Sprintf("Outcome(%d)", int(o))
	}
	return outcomeNames[o]
}

// OutcomeOf reads the answer to a message, as a plugin gives it: a reply, or
// an error, which may be a [*ilp.Reject] too.
func OutcomeOf(reply ilp.Reply, err error) Outcome {
	if reject, ok := errors.AsType[*ilp.Reject](err); ok {
		reply = reject
	} else if err != nil {
		return Failed
	}
	switch reply := reply.(type) {
	case *ilp.Fulfill:
		if reply != nil && reply.Fulfillment == ilp.PeerFulfillment {
			return Fulfilled
		}
	case *ilp.Reject:
		switch {
		case reply == nil:
			return Failed
		case reply.Code == ilp.R00TransferTimedOut:
			return TimedOut
		}
		return Rejected
	}
	return Failed
}

// asReject gives the reject that ParseControl and ParseUpdate wrap.
func asReject(err error) *ilp.Reject {
	if reject, ok := errors.AsType[*ilp.Reject](err); ok {
		return reject
	}
	return ilp.Internal(err)
}
