package btp

import "github.com/interledger-go/connector/internal/btplink"

// Error says that a request could not be delivered or handled at all (BTP-06,
// BTP-35): a Code, its Name, the time TriggeredAt, and up to 8192 bytes of
// Data for humans or programs. As a Go error it is what the counterparty
// answered to a request.
type Error = btplink.Error

// Code is the code of an Error: three ASCII characters. Those that begin with
// T may be tried again later (Temporary), those that begin with F must not
// (BTP-40).
type Code = btplink.Code

// The codes of RFC 23. F02 is not assigned.
const (
	T00UnreachableError         = btplink.T00UnreachableError
	F00NotAcceptedError         = btplink.F00NotAcceptedError
	F01InvalidFieldsError       = btplink.F01InvalidFieldsError
	F03TransferNotFoundError    = btplink.F03TransferNotFoundError
	F04InvalidFulfillmentError  = btplink.F04InvalidFulfillmentError
	F05DuplicateIDError         = btplink.F05DuplicateIDError
	F06AlreadyRolledBackError   = btplink.F06AlreadyRolledBackError
	F07AlreadyFulfilledError    = btplink.F07AlreadyFulfilledError
	F08InsufficientBalanceError = btplink.F08InsufficientBalanceError
)

// Errorf makes the error that a request is answered with now.
func Errorf(code Code, format string, args ...any) *Error {
	return btplink.Errorf(code, format, args...)
}
