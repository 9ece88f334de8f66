package main

import (
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
	packets  int             // of the crowd
	cpu      time.Duration   // of the connector
	outcomes map[string]int  // of those who make the trouble
}

// measureUsers runs the connector in a process of its own and has a crowd of
// users send packets, each round once without trouble and once with each kind.
// A row has the best of its runs, which is about the connector, and the median,
// in which what else the machine does counts, too.
func measureUsers(users, rounds, data int, length time.Duration, profile string) error {
	scenarios := []*scenario{
		{name: "none"},
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
	for range rounds {
		for _, s := range scenarios {
			if err := s.run(ctx, child, c, length); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}

	fmt.Printf("%s %s/%s, %d cores; %d users who each send %d packets a second with %d bytes of data, %d times %v for each row\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), users, time.Second/pause, data, rounds, length)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\t\tbest run\t\t\tmedian\t\t\tCPU of the\twhat those who make it\ntrouble\tpackets\tp50\tp99\tgrowth\tp50\tp99\tgrowth\tconnector\tget in a second")
	quiet := scenarios[0]
	for _, s := range scenarios {
		total := length * time.Duration(rounds)
		fmt.Fprintf(out, "%s\t%d\t%v\t%v\t%.2f\t%v\t%v\t%.2f\t%.0f %%\t%s\n", s.name, s.packets,
			slices.Min(s.p50), slices.Min(s.p99), growth(slices.Min(s.p99), slices.Min(quiet.p99)),
			median(s.p50), median(s.p99), growth(median(s.p99), median(quiet.p99)),
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

func growth(of, over time.Duration) float64 { return float64(of) / float64(over) }

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}
