package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// maxUsers is how many users there are at most.
const maxUsers = 1000

// scenario is the trouble that is made in a run, and what the runs have shown.
type scenario struct {
	name     string
	troubles []string
	p50, p99 []time.Duration // of each run
	growth   []float64       // of p99, for each run: against the runs without trouble beside it
	packets  int             // of the crowd
	cpu      time.Duration   // of the connector
	outcomes map[string]int  // of those who make the trouble
}

// measureUsers runs the connector in a process of its own and has a crowd of
// users send packets. Runs with trouble and without take turns, so that each
// with trouble stands between two without, and its growth is against these: a
// machine that others use is slower at some times than at others, by more than
// the trouble makes it, but rarely so for one run and not for the two around
// it. The median of the growths is what counts. The row without trouble has the
// growth from each such run to the next, which is what the machine does by
// itself.
func measureUsers(users, rounds, data int, length time.Duration, profile string) error {
	quiet := &scenario{name: "none"}
	troubles := []*scenario{
		{name: "one who floods", troubles: []string{"flood"}},
		{name: "one who never reads", troubles: []string{"deaf"}},
		{name: "one with a dead next hop", troubles: []string{"stuck"}},
		{name: "all three", troubles: []string{"flood", "deaf", "stuck"}},
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	child, err := startSelf(ctx, "-serve", "-cpuprofile", profile)
	if err != nil {
		return err
	}
	defer child.stop()
	c, err := newCrowd(ctx, child.first, users, data)
	if err != nil {
		return err
	}
	defer c.close()
	c.run(length / 5) // warm up
	if err := quiet.run(ctx, child, c, length); err != nil {
		return err
	}
	for range rounds {
		for _, s := range troubles {
			for _, run := range []*scenario{s, quiet} {
				if err := run.run(ctx, child, c, length); err != nil {
					return fmt.Errorf("%s: %w", run.name, err)
				}
			}
			before, after := quiet.p99[len(quiet.p99)-2], quiet.p99[len(quiet.p99)-1]
			s.growth = append(s.growth, 2*float64(s.p99[len(s.p99)-1])/float64(before+after))
			quiet.growth = append(quiet.growth, float64(after)/float64(before))
		}
	}

	fmt.Printf("%s %s/%s, %d cores; %d users who each send %d packets a second with %d bytes of data, %d rounds of runs of %v\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), users, time.Second/pause, data, rounds, length)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\t\tbest run\t\tmedian\t\tgrowth of p99\t\tCPU of the\twhat those who make it\ntrouble\tpackets\tp50\tp99\tp50\tp99\tmedian\trange\tconnector\tget in a second")
	for _, s := range append([]*scenario{quiet}, troubles...) {
		total := length * time.Duration(len(s.p99))
		fmt.Fprintf(out, "%s\t%d\t%v\t%v\t%v\t%v\t%.2f\t%.2f to %.2f\t%.0f %%\t%s\n", s.name, s.packets,
			slices.Min(s.p50), slices.Min(s.p99), median(s.p50), median(s.p99),
			median(s.growth), slices.Min(s.growth), slices.Max(s.growth),
			100*s.cpu.Seconds()/total.Seconds(), perSecond(s.outcomes, total))
	}
	return out.Flush()
}

// run is one measurement.
func (s *scenario) run(ctx context.Context, child *process, c *crowd, length time.Duration) error {
	var makers []*process
	defer func() {
		for _, m := range makers {
			m.stop()
		}
	}()
	for _, kind := range s.troubles {
		m, err := startSelfNicely(ctx, "-trouble", kind, "-address", child.first, "-data", fmt.Sprint(c.data))
		if err != nil {
			return err
		}
		makers = append(makers, m)
	}
	c.run(length / 5) // until the trouble is at its height
	if _, err := s.report(makers); err != nil {
		return err
	}
	before, err := child.usage()
	if err != nil {
		return err
	}
	v := c.run(length)
	after, err := child.usage()
	if err != nil {
		return err
	}
	outcomes, err := s.report(makers)
	if err != nil {
		return err
	}
	if v.failed > 0 {
		return fmt.Errorf("%d packets of %d users who make no trouble were not fulfilled: %w", v.failed, len(c.users), v.failure)
	}
	s.p50 = append(s.p50, v.latencies.percentile(50))
	s.p99 = append(s.p99, v.latencies.percentile(99))
	s.packets += v.latencies.total
	s.cpu += after.CPU - before.CPU
	if s.outcomes == nil {
		s.outcomes = make(map[string]int)
	}
	for outcome, n := range outcomes {
		s.outcomes[outcome] += n
	}
	return nil
}

// report adds up what those who make the trouble have met since the last
// report.
func (s *scenario) report(makers []*process) (map[string]int, error) {
	sum := make(map[string]int)
	var faults []error
	for i, m := range makers {
		outcomes := make(map[string]int)
		if err := m.ask(&outcomes); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", s.troubles[i], err))
		}
		for outcome, n := range outcomes {
			sum[s.troubles[i]+" "+outcome] += n
		}
	}
	return sum, errors.Join(faults...)
}

func perSecond(outcomes map[string]int, total time.Duration) string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		parts = append(parts, fmt.Sprintf("%s: %.3g", outcome, float64(outcomes[outcome])/total.Seconds()))
	}
	return strings.Join(parts, ", ")
}

func median[T cmp.Ordered](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
