package btplink

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/oer"
)

// maxErrorData is the bound on Error.Data (BTP-06).
const maxErrorData = 8192

// Code is the code of an Error: three ASCII characters. Those that begin with
// T may be tried again later, those that begin with F must not (BTP-40).
type Code string

// The codes of RFC 23. F02 is not assigned.
const (
	T00UnreachableError         Code = "T00"
	F00NotAcceptedError         Code = "F00"
	F01InvalidFieldsError       Code = "F01"
	F03TransferNotFoundError    Code = "F03"
	F04InvalidFulfillmentError  Code = "F04"
	F05DuplicateIDError         Code = "F05"
	F06AlreadyRolledBackError   Code = "F06"
	F07AlreadyFulfilledError    Code = "F07"
	F08InsufficientBalanceError Code = "F08"
)

// Name is the name that RFC 23 gives the code, or "".
func (c Code) Name() string {
	switch c {
	case T00UnreachableError:
		return "UnreachableError"
	case F00NotAcceptedError:
		return "NotAcceptedError"
	case F01InvalidFieldsError:
		return "InvalidFieldsError"
	case F03TransferNotFoundError:
		return "TransferNotFoundError"
	case F04InvalidFulfillmentError:
		return "InvalidFulfillmentError"
	case F05DuplicateIDError:
		return "DuplicateIdError"
	case F06AlreadyRolledBackError:
		return "AlreadyRolledBackError"
	case F07AlreadyFulfilledError:
		return "AlreadyFulfilledError"
	case F08InsufficientBalanceError:
		return "InsufficientBalanceError"
	}
	return ""
}

// Temporary reports whether the same request may succeed later (BTP-40).
func (c Code) Temporary() bool { return strings.HasPrefix(string(c), "T") }

// known gives a constant for the codes that have one, so that a decoded code
// keeps no buffer.
func (c Code) known() Code {
	for _, k := range [...]Code{T00UnreachableError, F00NotAcceptedError, F01InvalidFieldsError, F03TransferNotFoundError,
		F04InvalidFulfillmentError, F05DuplicateIDError, F06AlreadyRolledBackError, F07AlreadyFulfilledError, F08InsufficientBalanceError} {
		if c == k {
			return k
		}
	}
	return Code(strings.Clone(string(c)))
}

// Error says that a request could not be delivered or handled at all (BTP-06,
// BTP-35). As a Go error it is what the counterparty answered to a request.
type Error struct {
	Code        Code
	Name        string // ASCII
	TriggeredAt time.Time
	Data        []byte // for humans or programs: up to 8192 bytes
}

// Error says what the counterparty answered, as far as it can be printed.
func (e *Error) Error() string { return "btp: the counterparty answered " + e.text() }

func (e *Error) text() string {
	text := fmt.Sprintf("%s %s", printable([]byte(e.Code)), printable([]byte(e.Name)))
	if len(e.Data) > 0 {
		text += ": " + printable(e.Data)
	}
	return text
}

// Errorf makes the error that a request is answered with now.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Name: code.Name(), TriggeredAt: time.Now(), Data: fmt.Appendf(nil, format, args...)}
}

// reject is what the sender of an ILP packet is told: the counterparty has not
// accepted the packet, and no money has moved.
func (e *Error) reject() *ilp.Reject {
	code := ilp.F02Unreachable
	if e.Code.Temporary() {
		code = ilp.T01PeerUnreachable
	}
	return &ilp.Reject{Code: code, Message: "the counterparty refused the packet: " + e.text()}
}

var errCode = errors.New("it must be three ASCII characters")

func (e *Error) decode(r *oer.Reader) error {
	code, name := r.Bytes(3), r.Octets()
	at := r.Octets()
	e.Data = r.Octets()
	if err := r.Err(); err != nil {
		return invalid("error", err)
	}
	if !ascii(code) {
		return invalid("code", errCode)
	}
	if !ascii(name) {
		return invalid("name", errNotASCII)
	}
	if len(e.Data) > maxErrorData {
		return tooMuchData(len(e.Data))
	}
	t, err := oer.ParseGeneralizedTime(at)
	if err != nil {
		return invalid("triggeredAt", err)
	}
	e.Code, e.Name, e.TriggeredAt = Code(alias(code)).known(), alias(name), t
	return nil
}

func (e *Error) check() error {
	if len(e.Code) != 3 || !ascii(e.Code) {
		return invalid("code", errCode)
	}
	if !ascii(e.Name) {
		return invalid("name", errNotASCII)
	}
	if len(e.Data) > maxErrorData {
		return tooMuchData(len(e.Data))
	}
	return nil
}

func tooMuchData(n int) error {
	return invalid("data", fmt.Errorf("%d bytes, at most %d are allowed", n, maxErrorData))
}

func (e *Error) append(dst []byte) []byte {
	dst = oer.AppendString(append(dst, e.Code...), e.Name)
	dst = e.appendTime(dst)
	return oer.AppendOctets(dst, e.Data)
}

func (e *Error) appendTime(dst []byte) []byte {
	var text [24]byte
	return oer.AppendOctets(dst, oer.AppendGeneralizedTime(text[:0], e.TriggeredAt))
}

func (e *Error) size() int {
	var text [24]byte
	return 3 + oer.OctetsSize(len(e.Name)) + len(e.appendTime(text[:0])) + oer.OctetsSize(len(e.Data))
}

// printable gives the text of b as far as it goes into a log or a message:
// cut to 200 bytes, only what can be printed, always UTF-8.
func printable(b []byte) string {
	const most = 200
	var text strings.Builder
	for _, c := range string(b[:min(len(b), most)]) {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			c = '?'
		}
		text.WriteRune(c)
	}
	return text.String()
}
