// Load measures a connector from outside: it runs one in a process of its
// own, joins two BTP clients to it over loopback, keeps a window of packets
// in flight from one to the other, and asks the operating system how much
// time the connector's process took.
//
//	go run ./internal/load                       # windows of 1, 50 and 500
//	go run ./internal/load -windows 64 -data 8 -time 10s
//
// Or it measures what users behind one account notice of others behind the
// same who make trouble: how long their packets take with each kind of trouble,
// and with all of them at once, each time between two runs without, and by how
// much their p99 grows.
//
//	go run ./internal/load -users 10
//
// Or it measures what it costs a built ilp-connector to be looked at: with the
// admin API, durations, a packet log, counters and somebody who asks for the
// metrics each second, beside one with none of them. It needs Linux.
//
//	go build ./cmd/ilp-connector && go run ./internal/load -program ./ilp-connector
//
// The load is bounded in time and goes over loopback only. Clients and
// connector share the machine, so on two cores a rate is of both together;
// the CPU time for a packet is of the connector alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	var (
		serve   = flag.Bool("serve", false, "be the connector (used by this program itself)")
		trouble = flag.String("trouble", "", "be a user who makes it (used by this program itself)")
		address = flag.String("address", "", "of the connector, for the user who makes trouble")
		windows = flag.String("windows", "1,50,500", "how many packets are in flight, for each run")
		program = flag.String("program", "", "measure this ilp-connector, observed and not, instead")
		users   = flag.Int("users", 0, "measure what this many users notice of those who make trouble, instead")
		rounds  = flag.Int("rounds", 5, "how often each kind of trouble is made, or how many turns a program has")
		data    = flag.Int("data", 300, "bytes of data in each packet, 8 at least")
		length  = flag.Duration("time", 5*time.Second, "how long each run is, at most a minute")
		profile = flag.String("cpuprofile", "", "where the connector writes a CPU profile")
	)
	flag.Parse()
	bytes, duration := max(*data, numberSize), min(*length, time.Minute)
	var err error
	switch {
	case *serve:
		err = runConnector(os.Stdin, os.Stdout, *profile)
	case *trouble != "":
		err = runTrouble(*trouble, *address, bytes, os.Stdin, os.Stdout)
	case *users > 0:
		err = measureUsers(min(*users, maxUsers), max(*rounds, 1), bytes, duration, *profile)
	default:
		err = measureAll(*program, *windows, *rounds, bytes, duration, *profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// measureAll measures a connector, or a program, with each window.
func measureAll(program, windows string, rounds, data int, length time.Duration, profile string) error {
	var all []int
	for text := range strings.SplitSeq(windows, ",") {
		window, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || window < 1 || window > maxWindow {
			return fmt.Errorf("-windows: %q: each must be a number from 1 to %d", text, maxWindow)
		}
		all = append(all, window)
	}
	if program != "" {
		return measureProgram(program, all, data, max(rounds, 1), length)
	}
	return measure(all, data, length, profile)
}

// machine says what is measured where.
func machine(data int) string {
	return fmt.Sprintf("%s %s/%s, %d cores; %d bytes of data", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), data)
}

// measure runs the connector in a process of its own, and the load against
// it for each window.
func measure(windows []int, data int, length time.Duration, profile string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	child, err := startSelf(ctx, "-serve", "-cpuprofile", profile)
	if err != nil {
		return err
	}
	defer child.stop()

	pair, err := join(ctx, child.first, data)
	if err != nil {
		return err
	}
	defer pair.close()
	fmt.Printf("%s, %v for each window\n", machine(data), length)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "window\tpackets/s\tp50\tp99\tCPU/packet\tmemory\t")
	for _, window := range windows {
		pair.run(window, length/5) // warm up
		before, err := child.usage()
		if err != nil {
			return err
		}
		result := pair.run(window, length)
		after, err := child.usage()
		if err != nil {
			return err
		}
		if result.failed > 0 {
			return fmt.Errorf("window %d: %d packets of %d were not fulfilled: %v", window, result.failed, result.packets, result.failure)
		}
		cpu := (after.CPU - before.CPU) / time.Duration(max(result.packets, 1))
		fmt.Fprintf(out, "%d\t%.0f\t%v\t%v\t%v\t%d MiB\t\n", window, float64(result.packets)/result.elapsed.Seconds(),
			result.percentile(50), result.percentile(99), cpu, after.Memory>>20)
	}
	return out.Flush()
}
