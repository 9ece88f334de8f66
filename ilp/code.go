package ilp

import "slices"

// Code is the three-character code of a Reject. Its first letter is its class
// and decides what a sender may do next (ILP4-50). Codes that this package
// does not know are as good as the others: they are decoded, relayed and
// encoded as they are (ILP4-55).
type Code string

// The codes of RFC 27. F: final, the same packet will not do better. T:
// temporary, it may. R: relative, it may with more money or more time.
const (
	F00BadRequest                    Code = "F00" // a fault of the sender that has no code of its own
	F01InvalidPacket                 Code = "F01" // the bytes are no packet
	F02Unreachable                   Code = "F02" // no route, or nobody at that address
	F03InvalidAmount                 Code = "F03" // for instance more than exists
	F04InsufficientDestinationAmount Code = "F04" // the receiver wants more
	F05WrongCondition                Code = "F05" // the receiver has no fulfillment for it
	F06UnexpectedPayment             Code = "F06" // the receiver does not expect it
	F07CannotReceive                 Code = "F07" // a limit of the receiver
	F08AmountTooLarge                Code = "F08" // a limit of a connector; see AmountTooLarge
	F99ApplicationError              Code = "F99" // the data says more

	T00InternalError         Code = "T00" // a fault of the node itself
	T01PeerUnreachable       Code = "T01" // a route, but no link to the next node
	T02PeerBusy              Code = "T02" // the next node has too much to do
	T03ConnectorBusy         Code = "T03" // this node has too much to do
	T04InsufficientLiquidity Code = "T04" // not enough balance or bandwidth now
	T05RateLimited           Code = "T05" // too many packets
	T99ApplicationError      Code = "T99" // the data says more

	R00TransferTimedOut         Code = "R00" // no reply before the expiry
	R01InsufficientSourceAmount Code = "R01" // too little to forward
	R02InsufficientTimeout      Code = "R02" // too little time left to forward
	R99ApplicationError         Code = "R99" // the data says more
)

// Codes gives the codes of RFC 27 in the order of the standard. The slice is
// the caller's.
func Codes() []Code {
	return slices.Clone(codes[:])
}

var codes = [...]Code{
	F00BadRequest, F01InvalidPacket, F02Unreachable, F03InvalidAmount, F04InsufficientDestinationAmount,
	F05WrongCondition, F06UnexpectedPayment, F07CannotReceive, F08AmountTooLarge, F99ApplicationError,
	T00InternalError, T01PeerUnreachable, T02PeerBusy, T03ConnectorBusy, T04InsufficientLiquidity,
	T05RateLimited, T99ApplicationError,
	R00TransferTimedOut, R01InsufficientSourceAmount, R02InsufficientTimeout, R99ApplicationError,
}

// Name gives the name that RFC 27 has for the code, such as "Bad Request", or
// "" for a code that it does not have.
func (c Code) Name() string {
	switch c {
	case F00BadRequest:
		return "Bad Request"
	case F01InvalidPacket:
		return "Invalid Packet"
	case F02Unreachable:
		return "Unreachable"
	case F03InvalidAmount:
		return "Invalid Amount"
	case F04InsufficientDestinationAmount:
		return "Insufficient Destination Amount"
	case F05WrongCondition:
		return "Wrong Condition"
	case F06UnexpectedPayment:
		return "Unexpected Payment"
	case F07CannotReceive:
		return "Cannot Receive"
	case F08AmountTooLarge:
		return "Amount Too Large"
	case T00InternalError:
		return "Internal Error"
	case T01PeerUnreachable:
		return "Peer Unreachable"
	case T02PeerBusy:
		return "Peer Busy"
	case T03ConnectorBusy:
		return "Connector Busy"
	case T04InsufficientLiquidity:
		return "Insufficient Liquidity"
	case T05RateLimited:
		return "Rate Limited"
	case R00TransferTimedOut:
		return "Transfer Timed Out"
	case R01InsufficientSourceAmount:
		return "Insufficient Source Amount"
	case R02InsufficientTimeout:
		return "Insufficient Timeout"
	case F99ApplicationError, T99ApplicationError, R99ApplicationError:
		return "Application Error"
	}
	return ""
}

// Final reports whether the sender must not retry the packet as it is: F.
func (c Code) Final() bool { return c.class() == 'F' }

// Temporary reports whether the sender should retry the same payment,
// possibly after a short while: T.
func (c Code) Temporary() bool { return c.class() == 'T' }

// Relative reports whether the sender may retry with a larger margin of money
// or time: R.
func (c Code) Relative() bool { return c.class() == 'R' }

func (c Code) class() byte {
	if len(c) != codeSize {
		return 0
	}
	return c[0]
}

const codeSize = 3

// valid reports whether c can be written: three ASCII characters (OER-20).
func (c Code) valid() bool {
	return len(c) == codeSize && c[0]|c[1]|c[2] < 0x80
}

// known gives the constant that is equal to c, which is valid, or c if there
// is none. A code that was decoded would keep its packet in memory, and codes
// are kept: as the keys of counters, for instance.
func (c Code) known() Code {
	for _, k := range codes {
		// Few have the same last character, and it is quick to see.
		if k[codeSize-1] == c[codeSize-1] && k == c {
			return k
		}
	}
	return c
}
