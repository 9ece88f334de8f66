package groupcommit

import (
	"context"
	"math"
	"time"
)

// Grace returns a context with the values of ctx that is done the time d after
// ctx is, or when cancel is called, which releases what it holds. It is for a
// commit that has begun: the reply is likely to come, and worth more than an
// unknown outcome.
func Grace(ctx context.Context, d time.Duration) (graced context.Context, cancel context.CancelFunc) {
	graced, end := context.WithCancel(context.WithoutCancel(ctx))
	timer := time.AfterFunc(math.MaxInt64, end)
	stop := context.AfterFunc(ctx, func() { timer.Reset(d) })
	return graced, func() {
		stop()
		timer.Stop()
		end()
	}
}
