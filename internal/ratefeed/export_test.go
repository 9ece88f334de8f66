package ratefeed

import "time"

// BackOff is the time to the next try after so many failures before.
func BackOff(failures int, refresh time.Duration) time.Duration { return backOff(failures, refresh) }

// MaxCurrencies is how many currencies one document may have.
const MaxCurrencies = maxCurrencies
