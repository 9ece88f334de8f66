// Httpload compares package ilphttp with npm's ilp-plugin-http: for each, a
// process that sends and one that fulfils, over loopback, in one run and under
// the same load; and with as many bytes over bare TCP, which is the most that
// this way of sending can do.
//
//	npm ci --prefix interop/js
//	go run ./internal/httpload                     # windows of 1 and 50
//	go run ./internal/httpload -windows 64 -data 0 -time 10s
//
// The load is bounded in time and goes over loopback only. All processes share
// the machine, so a rate is of both sides together; the CPU time for a packet
// is given for each side.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const modules = "interop/js/node_modules/ilp-plugin-http"

func main() {
	var (
		windows = flag.String("windows", "1,50", "how many packets are in flight, for each run")
		data    = flag.Int("data", 300, "bytes of data in each packet")
		length  = flag.Duration("time", 5*time.Second, "how long each run is, at most a minute")
		http2   = flag.Bool("http2", false, "have ilphttp run once more over HTTP/2, with TLS")
		role    = flag.String("role", "", "be one side (used by this program itself)")
		options = flag.String("options", "", "of the side")
	)
	flag.Parse()
	var err error
	switch *role {
	case "serve":
		err = serve(os.Stdin, os.Stdout, *options)
	case "send":
		err = send(os.Stdout, *options)
	case "tcp-serve":
		err = serveTCP(os.Stdin, os.Stdout, *options)
	case "tcp-send":
		err = sendTCP(os.Stdout, *options)
	default:
		err = compare(*windows, *data, min(*length, time.Minute), *http2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "httpload:", err)
		os.Exit(1)
	}
}

// implementation is one way to run the two sides.
type implementation struct {
	name   string
	secure bool
	side   func(ctx context.Context, role, options string) *exec.Cmd
}

func implementations(http2 bool) ([]implementation, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ours := func(ctx context.Context, role, options string) *exec.Cmd {
		return exec.CommandContext(ctx, self, "-role", role, "-options", options)
	}
	tcp := func(ctx context.Context, role, options string) *exec.Cmd { return ours(ctx, "tcp-"+role, options) }
	all := []implementation{{name: "ilphttp", side: ours}, {name: "bare TCP", side: tcp}}
	if http2 {
		all = append(all, implementation{name: "ilphttp, HTTP/2", secure: true, side: ours})
	}
	node, err := exec.LookPath("node")
	if _, absent := os.Stat(modules); err != nil || absent != nil {
		fmt.Println("SKIPPED: ilp-plugin-http is not measured: it needs node (apt-get install nodejs npm), and `npm ci --prefix interop/js`, from the root of the module")
		return all, nil
	}
	return append(all, implementation{name: "ilp-plugin-http", side: func(ctx context.Context, role, options string) *exec.Cmd {
		return exec.CommandContext(ctx, node, "interop/js/httpload.js", role, options)
	}}), nil
}

// compare runs the load over each implementation, for each window.
func compare(windows string, data int, length time.Duration, http2 bool) error {
	all, err := implementations(http2)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	fmt.Printf("%s %s/%s, %d cores; %d bytes of data, %v for each run\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), data, length)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\twindow\tpackets/s\tCPU/packet, server\tCPU/packet, client\tfirst/this\t")
	for text := range strings.SplitSeq(windows, ",") {
		window, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || window < 1 || window > 1000 {
			return fmt.Errorf("-windows: %q: each must be a number from 1 to 1000", text)
		}
		var first float64
		for i, x := range all {
			r, err := x.measure(ctx, load{Window: window, Seconds: length.Seconds(), Data: data})
			if err != nil {
				return fmt.Errorf("%s: %w", x.name, err)
			}
			rate := float64(r.Packets) / r.Seconds
			if i == 0 {
				first = rate
			}
			fmt.Fprintf(out, "%s\t%d\t%.0f\t%v\t%v\t%.1f\t\n", x.name, window, rate, r.server, r.client, first/rate)
		}
	}
	return out.Flush()
}
