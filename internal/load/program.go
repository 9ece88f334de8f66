package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"
)

// accountsOfProgram are those of a program, as newConnector has them.
const accountsOfProgram = `{"source": ` + accountOfProgram + `"source", "secret": "source"}}},
	"sink": ` + accountOfProgram + `"sink", "secret": "sink"}}}}`

const accountOfProgram = `{"relation": "child", "plugin": "btp", "assetCode": "USD", "assetScale": 9, "maxInFlight": 100000,
	"balance": {"maximum": "Infinity"}, "rateLimit": {"refillCount": 1000000000},
	"options": {"listener": {"host": "127.0.0.1", "port": 0, "path": "` + accountsPath + `", "username": `

// observed and unobserved are what a program looks at while it forwards: all
// that it can, for somebody who asks each second, or nothing.
var (
	observed   = []string{"CONNECTOR_ADMIN_API=true", "CONNECTOR_ADMIN_API_PORT=0"}
	unobserved = []string{`CONNECTOR_DISABLE_MIDDLEWARE=["stats", "meter", "packetLog"]`}
)

// daemon is a process of ilp-connector with a pair of clients.
type daemon struct {
	command *exec.Cmd
	metrics string // URL; empty: it has none
	pair    *pair
}

// startProgram starts ilp-connector with an environment, and joins it.
func startProgram(ctx context.Context, path string, environ []string, data int) (*daemon, error) {
	d := &daemon{command: exec.CommandContext(ctx, path)}
	d.command.Env = append([]string{"CONNECTOR_ILP_ADDRESS=test.load", "CONNECTOR_BACKEND=one-to-one", "CONNECTOR_ACCOUNTS=" + accountsOfProgram}, environ...)
	log, err := d.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.command.Start(); err != nil {
		return nil, err
	}
	address, err := d.read(log)
	if err == nil {
		d.pair, err = join(ctx, address, data)
	}
	if err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// read reads the log until the connector runs, and gives where its accounts
// are. The rest of the log is thrown away.
func (d *daemon) read(log io.Reader) (address string, err error) {
	listening := regexp.MustCompile(`msg=listening address=(\S+)`)
	admin := regexp.MustCompile(`msg="the admin API listens" address=(\S+)`)
	var said bytes.Buffer
	for lines := bufio.NewScanner(log); lines.Scan(); {
		line := lines.Bytes()
		said.Write(append(line, '\n'))
		if m := listening.FindSubmatch(line); m != nil {
			address = string(m[1])
		}
		if m := admin.FindSubmatch(line); m != nil {
			d.metrics = "http://" + string(m[1]) + "/metrics"
		}
		if bytes.Contains(line, []byte(`msg="connector runs"`)) {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return address, nil
		}
	}
	return "", fmt.Errorf("the program did not start:\n%s", &said)
}

func (d *daemon) stop() error {
	if d.pair != nil {
		d.pair.close()
	}
	return errors.Join(d.command.Process.Signal(syscall.SIGTERM), d.command.Wait())
}

// cpu is the processor time that the process has had, as Linux counts it.
func (d *daemon) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	const user, system, tick = 11, 12, 10 * time.Millisecond // behind the name, which may hold anything
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= system {
		return 0, fmt.Errorf("%q is not what is expected", text)
	}
	u, err := strconv.Atoi(string(fields[user]))
	s, err2 := strconv.Atoi(string(fields[system]))
	return time.Duration(u+s) * tick, errors.Join(err, err2)
}

// scrape asks for the metrics each second until ctx ends.
func (d *daemon) scrape(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for d.metrics != "" {
		response, err := http.Get(d.metrics)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("the metrics are %s: %w", response.Status, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// run is a run of the load, and the processor time that a packet of it took.
func (d *daemon) run(window int, length time.Duration) (rate float64, cpu time.Duration, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	scraped := make(chan error, 1)
	go func() { scraped <- d.scrape(ctx) }()
	before, err := d.cpu()
	result := d.pair.run(window, length)
	after, err2 := d.cpu()
	cancel()
	if err := errors.Join(err, err2, <-scraped); err != nil {
		return 0, 0, err
	}
	if result.failed > 0 {
		return 0, 0, fmt.Errorf("window %d: %d packets of %d were not fulfilled: %v", window, result.failed, result.packets, result.failure)
	}
	return float64(result.packets) / result.elapsed.Seconds(), (after - before) / time.Duration(max(result.packets, 1)), nil
}

// mostMore is what looking on may cost, in percent of the processor time that a
// packet takes without.
const mostMore = 15

// measureProgram runs a built ilp-connector twice, one with all that looks on
// and one with nothing, and has them take turns. It is an error if that costs
// more than mostMore.
func measureProgram(path string, windows []int, data, rounds int, length time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	var daemons [2]*daemon
	for i, environ := range [][]string{unobserved, observed} {
		d, err := startProgram(ctx, path, environ, data)
		if err != nil {
			return err
		}
		defer d.stop()
		daemons[i] = d
	}
	fmt.Printf("%s; %d turns of %v each\n", machine(data), rounds, length)
	var tooMuch error
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "window\tpackets/s, off\ton\tCPU/packet, off\ton\tmore\t")
	for _, window := range windows {
		var rates [2][]float64
		var cpus [2][]time.Duration
		for round := range rounds + 1 {
			for k := range daemons {
				i := (k + round) % len(daemons)
				rate, cpu, err := daemons[i].run(window, length)
				if err != nil {
					return err
				}
				if round > 0 { // the first warms up
					rates[i], cpus[i] = append(rates[i], rate), append(cpus[i], cpu)
				}
			}
		}
		off, on := middle(cpus[0]), middle(cpus[1])
		more := 100 * (float64(on)/float64(off) - 1)
		fmt.Fprintf(out, "%d\t%.0f\t%.0f\t%v\t%v\t%+.0f %%\t\n", window, middle(rates[0]), middle(rates[1]), off, on, more)
		if more > mostMore {
			tooMuch = fmt.Errorf("looking on costs %.0f %% more with a window of %d: it must not cost more than %d %%", more, window, mostMore)
		}
	}
	return errors.Join(out.Flush(), tooMuch)
}

// middle gives the median.
func middle[T float64 | time.Duration](of []T) T {
	slices.Sort(of)
	return of[len(of)/2]
}
