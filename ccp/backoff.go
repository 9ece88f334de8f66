package ccp

import (
	"math/rand/v2"
	"time"
)

const (
	firstRetry   = time.Second
	longestRetry = 30 * time.Second // that of the reference (CCP-15)
)

// backoff is how long to wait after so many failures in a row: twice as long
// each time, up to half a minute, and somewhere between half of it and all, so
// that connectors that failed together do not come back together.
func backoff(failures int, random rand.Source) time.Duration {
	wait := longestRetry
	if doublings := failures - 1; doublings < 5 {
		wait = min(firstRetry<<max(doublings, 0), longestRetry)
	}
	half := uint64(wait / 2)
	return time.Duration(half + random.Uint64()%(half+1))
}
