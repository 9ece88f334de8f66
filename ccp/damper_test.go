package ccp_test

import (
	"testing"
	"time"

	"github.com/interledger-go/connector/ccp"
)

func TestDamper(t *testing.T) {
	const halfLife = time.Minute
	for _, c := range []struct {
		name  string
		flaps []time.Duration
		at    time.Duration
		want  time.Duration // to the second
	}{
		{"never", nil, 0, 0},
		{"once", []time.Duration{0}, 0, 0},
		{"twice at once", []time.Duration{0, 0}, 0, time.Minute},
		{"twice at once, later", []time.Duration{0, 0}, 45 * time.Second, 15 * time.Second},
		{"twice at once, much later", []time.Duration{0, 0}, time.Hour, 0},
		{"four times at once", []time.Duration{0, 0, 0, 0}, 0, 2 * time.Minute},
		{"a half-life apart", []time.Duration{0, time.Minute}, time.Minute, 35 * time.Second},
		{"an hour apart", []time.Duration{0, time.Hour}, time.Hour, 0},
		{"without end", make([]time.Duration, 10_000), 0, 5 * time.Minute},
		{"without end, later", make([]time.Duration, 10_000), 3 * time.Minute, 2 * time.Minute},
	} {
		d := ccp.NewDamper(ccp.DamperOptions{HalfLife: halfLife})
		for _, at := range c.flaps {
			d.Flap(start.Add(at))
		}
		if got := d.Delay(start.Add(c.at)).Round(time.Second); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
