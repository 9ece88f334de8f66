package ledgertest_test

// fault is something that a ledger does wrong.
type fault string

const (
	none fault = ""

	ignoresMaximum     fault = "the maximum is not looked at"
	ignoresMinimum     fault = "the minimum is not looked at"
	ignoresInFlight    fault = "limits are about the balance alone"
	wraps              fault = "sums are made in 64 bits"
	doubles            fault = "sums are made in floating point"
	outgoingAdds       fault = "both sides add to the balance"
	keepsReservations  fault = "Post does not end the reservation"
	releasesNothing    fault = "Release does nothing"
	releasesIntoIt     fault = "Release adds to the balance"
	postsAnything      fault = "Post does not look at what is reserved"
	releasesAnything   fault = "Release does not look at what is reserved"
	tellsTwice         fault = "Waiters are told twice"
	tellsNever         fault = "some Waiters are never told"
	tellsAlways        fault = "Waiters are told though the answer was given"
	needsWaiter        fault = "Post without a Waiter is lost"
	refusesNothing     fault = "a posting of 0 needs a reservation"
	losesUpdates       fault = "two postings at the same time are one"
	notImmediate       fault = "an Immediate book gives ErrPending"
	takesAnyID         fault = "any account id is taken"
	foldsIDs           fault = "account ids fold case"
	endsIDs            fault = "account ids end at a zero"
	wrongAccount       fault = "State has no Account"
	opensTwice         fault = "a book is opened twice"
	closesOthers       fault = "closing a book again closes that of another"
	keepsLimits        fault = "limits are read from the caller's memory"
	firstLimits        fault = "limits are those of the first opening"
	ignoresAsset       fault = "the asset of a book is not looked at"
	comparesCodes      fault = "the scale of a book's asset is not looked at"
	looksAtBalance     fault = "a book with settlements to pay is opened in another asset"
	looksAtUnits       fault = "a book with a fraction is opened in another asset"
	keepsAsset         fault = "a book that holds nothing keeps its asset"
	comparesUnsaid     fault = "the zero Asset is another asset"
	forgetsUnsaid      fault = "the zero Asset is remembered"
	forgetsAsset       fault = "the asset is forgotten when a ledger is opened again"
	refusesBeyond      fault = "a book beyond its limits is not opened"
	forgetsLast        fault = "the last posting is forgotten when a book is closed"
	closedTakes        fault = "a closed book goes on"
	closeEndsPackets   fault = "Close ends the reservations"
	stopsWithError     fault = "Run returns the error of its context"
	stopsDeaf          fault = "Run returns without writing"
	goesOn             fault = "a ledger that has stopped goes on"
	opensStopped       fault = "a ledger that has stopped opens books"
	forgetsBalance     fault = "opening again begins at zero"
	keepsInFlight      fault = "what was reserved is so after opening again"
	receiveAdds        fault = "a settlement that is received raises the balance"
	receivesTwice      fault = "keys of settlements are not looked at"
	receivesElsewhere  fault = "keys of settlements are those of all accounts"
	forgetsKeys        fault = "keys of settlements are forgotten when a ledger is opened again"
	forgetsKeysOnClose fault = "keys of settlements are forgotten when a book is closed"
	receivesUnnamed    fault = "settlements without a key are booked"
	foldsKeys          fault = "keys of settlements fold case"
	cutsKeys           fault = "keys of settlements have 199 bytes"
	receiveHasLimits   fault = "a settlement that is received keeps the minimum"
	keysOfFirstUse     fault = "a key is known for a day since it was first used"
	keysOfGoodUse      fault = "a key is known for a day since it was last used with its amount"
	keysAlone          fault = "a key is all that is looked at"
	saysReusedAlone    fault = "who uses a key twice is not told what it stands for"
	refusesZero        fault = "a settlement of 0 is refused"
	forgetsZero        fault = "the key of a settlement of 0 stands for nothing"
	saysLast           fault = "who uses a key twice is told its own amount"
	dropsFractions     fault = "fractions that are received are dropped"
	roundsFractions    fault = "fractions that are received are rounded up"
	fractionsTwice     fault = "fractions are received again with each call"
	forgetsFractions   fault = "fractions are forgotten when a ledger is opened again"
	hidesFractions     fault = "State does not show fractions"
	takesAnyFraction   fault = "fractions of a unit and more are taken"

	settlesAtThreshold fault = "a settlement is made at the threshold"
	settlesAll         fault = "a settlement brings the balance to zero"
	settlesTwice       fault = "each posting below the threshold settles what was settled before"
	settlesEarly       fault = "settlements are made before Settle"
	paysEarly          fault = "settlements are paid before Settle"
	settlesLate        fault = "Settle waits for the next posting"
	settlesUnpaid      fault = "the balance is settled where nobody can pay"
	settlesUnasked     fault = "the balance is settled without a threshold"
	settlesPast        fault = "a settlement passes the maximum"
	settlesOnce        fault = "a settlement that has no room is not made later"
	newKeys            fault = "each attempt has a key of its own"
	refundsUnknown     fault = "an unknown outcome is refunded"
	refundsDown        fault = "a link that is down is a definite no"
	refundsBusy        fault = "a link that is busy is a definite no"
	refundsClosed      fault = "a link that is closed is a definite no"
	refundsEnded       fault = "a context that has ended is a definite no"
	givesUp            fault = "an unknown outcome is not tried again"
	saysNothing        fault = "State does not say why a settlement is not paid"
	neverRefunds       fault = "a definite no is tried again"
	losesRefused       fault = "a definite no is not refunded"
	storms             fault = "each posting makes a settlement that is refused again"
	restsForever       fault = "after a definite no nothing is settled any more"
	paysNewest         fault = "the newest settlement is paid first"
	paysTogether       fault = "settlements are paid at the same time"
	oneKey             fault = "all settlements of an account have one key"
	sendsPast          fault = "Send does not look at the maximum"
	sendsInFlight      fault = "Send does not look at what is in flight"
	sendsNothing       fault = "Send of nothing makes a settlement"
	sendsUnpaid        fault = "Send makes settlements that nobody can pay"
	forgetsOutbox      fault = "settlements are forgotten when a ledger is opened again"
	renamesOutbox      fault = "settlements have new keys when a ledger is opened again"
	keepsPaid          fault = "what was paid is there when a ledger is opened again"
)

// seen says which cases see a fault, and perhaps others do.
var seen = []struct {
	fault fault
	cases []string
}{
	{ignoresMaximum, []string{"Maximum", "Limits", "Concurrent"}},
	{ignoresMinimum, []string{"Minimum"}},
	{ignoresInFlight, []string{"Maximum", "Minimum"}},
	{wraps, []string{"Edges"}},
	{doubles, []string{"Edges"}},
	{outgoingAdds, []string{"Post"}},
	{keepsReservations, []string{"Post", "Edges"}},
	{releasesNothing, []string{"Release"}},
	{releasesIntoIt, []string{"Release"}},
	{postsAnything, []string{"NotReserved"}},
	{releasesAnything, []string{"NotReserved"}},
	{tellsTwice, []string{"Waiters"}},
	{tellsNever, []string{"Waiters"}},
	{tellsAlways, []string{"Waiters"}},
	{needsWaiter, []string{"NoWaiter"}},
	{refusesNothing, []string{"PostNothing"}},
	{losesUpdates, []string{"Concurrent"}},
	{notImmediate, []string{"Immediate"}},
	{takesAnyID, []string{"AccountIDs"}},
	{foldsIDs, []string{"AccountIDs"}},
	{endsIDs, []string{"AccountIDs"}},
	{wrongAccount, []string{"AccountIDs"}},
	{opensTwice, []string{"OpenOnce"}},
	{closesOthers, []string{"OpenOnce"}},
	{keepsLimits, []string{"Limits"}},
	{firstLimits, []string{"Limits"}},
	{ignoresAsset, []string{"Asset"}},
	{comparesCodes, []string{"Asset"}},
	{looksAtBalance, []string{"Asset"}},
	{looksAtUnits, []string{"Asset"}},
	{keepsAsset, []string{"Asset"}},
	{comparesUnsaid, []string{"Asset"}},
	{forgetsUnsaid, []string{"Asset"}},
	{forgetsAsset, []string{"Asset"}},
	{refusesBeyond, []string{"Limits"}},
	{forgetsLast, []string{"Close"}},
	{closedTakes, []string{"Close"}},
	{closeEndsPackets, []string{"CloseInFlight"}},
	{stopsWithError, []string{"Stop", "Post"}},
	{stopsDeaf, []string{"Stop"}},
	{goesOn, []string{"Stop"}},
	{opensStopped, []string{"Stop"}},
	{forgetsBalance, []string{"Reopen"}},
	{keepsInFlight, []string{"Reopen"}},
	{receiveAdds, []string{"Receive"}},
	{receivesTwice, []string{"ReceiveOnce", "ReceiveKeys"}},
	{receivesElsewhere, []string{"ReceiveOnce", "AccountIDs"}},
	{forgetsKeys, []string{"Receive", "ReceiveForADay"}},
	{forgetsKeysOnClose, []string{"ReceiveOnce"}},
	{receivesUnnamed, []string{"ReceiveKeys"}},
	{foldsKeys, []string{"ReceiveKeys"}},
	{cutsKeys, []string{"ReceiveKeys"}},
	{receiveHasLimits, []string{"ReceiveBeyondLimits"}},
	{keysOfFirstUse, []string{"ReceiveForADay"}},
	{keysOfGoodUse, []string{"ReceiveForADay"}},
	{keysAlone, []string{"ReceiveOther"}},
	{saysReusedAlone, []string{"ReceiveOther"}},
	{saysLast, []string{"ReceiveOther", "ReceiveNothing"}},
	{refusesZero, []string{"ReceiveNothing"}},
	{forgetsZero, []string{"ReceiveNothing"}},
	{dropsFractions, []string{"ReceiveFractions"}},
	{roundsFractions, []string{"ReceiveFractions"}},
	{fractionsTwice, []string{"ReceiveFractions"}},
	{forgetsFractions, []string{"ReceiveFractions"}},
	{hidesFractions, []string{"ReceiveFractions"}},
	{takesAnyFraction, []string{"ReceiveFractions"}},
	{settlesAtThreshold, []string{"Threshold", "SettleReady"}},
	{settlesAll, []string{"Threshold", "SettleReady"}},
	{settlesTwice, []string{"SettleReady"}},
	{settlesEarly, []string{"SettleReady"}},
	{paysEarly, []string{"SettleReady"}},
	{settlesLate, []string{"SettleReady"}},
	{settlesUnpaid, []string{"SettleNever"}},
	{settlesUnasked, []string{"SettleNever"}},
	{settlesPast, []string{"SettleMaximum"}},
	{settlesOnce, []string{"SettleMaximum"}},
	{newKeys, []string{"TriedAgain"}},
	{refundsUnknown, []string{"TriedAgain"}},
	{refundsDown, []string{"TriedAgain"}},
	{refundsBusy, []string{"TriedAgain"}},
	{refundsClosed, []string{"TriedAgain"}},
	{refundsEnded, []string{"TriedAgain"}},
	{givesUp, []string{"TriedAgain"}},
	{saysNothing, []string{"TriedAgain"}},
	{neverRefunds, []string{"Refused"}},
	{losesRefused, []string{"Refused"}},
	{storms, []string{"Rest"}},
	{restsForever, []string{"Rest"}},
	{paysNewest, []string{"Order"}},
	{paysTogether, []string{"Order"}},
	{oneKey, []string{"Order", "Refused"}},
	{sendsPast, []string{"Send"}},
	{sendsInFlight, []string{"Send"}},
	{sendsNothing, []string{"Send"}},
	{sendsUnpaid, []string{"Send"}},
	{forgetsOutbox, []string{"PaidAfterReopen"}},
	{renamesOutbox, []string{"PaidAfterReopen"}},
	{keepsPaid, []string{"PaidAfterReopen"}},
}
