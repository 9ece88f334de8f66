package ccp

import (
	"math"
	"time"
)

// DamperOptions describe a Damper.
type DamperOptions struct {
	// HalfLife is the time in which half of the penalty is forgotten. 0 means
	// 30 seconds.
	HalfLife time.Duration
	// MaxDelay is the longest delay. 0 means 5 minutes.
	MaxDelay time.Duration
}

// Damper makes a peer wait whose link goes up and down: each loss is a
// penalty of 1, which fades with time, and the routes of the peer are learnt
// again when the penalty is down to 1. So the first loss costs nothing, the
// second soon after it one half-life, and so on up to the longest delay. It is
// a function of the losses and the time. It is not safe for concurrent use.
type Damper struct {
	halfLife, maxDelay time.Duration
	penalty            float64 // at the time of last
	last               time.Time
}

// NewDamper makes a Damper without a penalty.
func NewDamper(o DamperOptions) *Damper {
	return &Damper{halfLife: or(o.HalfLife, 30*time.Second), maxDelay: or(o.MaxDelay, 5*time.Minute)}
}

// Flap says that the link was lost.
func (d *Damper) Flap(now time.Time) {
	most := math.Exp2(float64(d.maxDelay) / float64(d.halfLife))
	d.penalty = min(d.at(now)+1, most)
	d.last = later(now, d.last)
}

// at is the penalty that is left at now.
func (d *Damper) at(now time.Time) float64 {
	age := max(now.Sub(d.last), 0)
	return d.penalty * math.Exp2(-float64(age)/float64(d.halfLife))
}

// Forgotten reports whether so little is left of the penalty that another loss
// would cost no more than a first one does, within a second or two.
func (d *Damper) Forgotten(now time.Time) bool { return d.at(now) < forgotten }

const forgotten = 1.0 / 32

// Delay is how long to wait from now on, if the link is up, until the routes
// of the peer are learnt.
func (d *Damper) Delay(now time.Time) time.Duration {
	penalty := d.at(now)
	if penalty <= 1 {
		return 0
	}
	return min(time.Duration(math.Log2(penalty)*float64(d.halfLife)), d.maxDelay)
}
