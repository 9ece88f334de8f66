package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/interledger-go/connector/config"
)

// serve runs the connector until a signal ends it.
func (p program) serve(args []string) int {
	set, source := p.flags("")
	logs := logFlags(set)
	if code, ok := parse(set, args); !ok {
		return code
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	plan, ok := p.load(source)
	if !ok {
		return exitUsage
	}
	logger, err := logs.logger(p, plan.Config())
	if err != nil {
		return p.fail(exitUsage, err)
	}
	d := &daemon{source: *source, logs: logs, logger: logger, ready: make(chan struct{})}
	d.note(plan)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx, plan) }()
	return d.wait(ctx, stop, signals, ended)
}

// daemon is a connector that runs, and what changes it while it does.
type daemon struct {
	source config.Source
	logs   *logOptions
	logger *slog.Logger

	assembly *config.Assembly // set when ready is closed
	ready    chan struct{}

	mu     sync.Mutex // held by a reload, and guards what follows
	closed bool       // there is nothing to reload any more
	noted  []string   // of the configuration as it was read last
}

// note writes down what in a configuration has no effect, or should be known,
// and was not said of the one before it. The caller holds mu, or is alone.
func (d *daemon) note(plan *config.Plan) {
	for _, text := range plan.Notes() {
		if !slices.Contains(d.noted, text) {
			d.logger.Warn("configuration", slog.String("note", text))
		}
	}
	d.noted = plan.Notes()
}

// wait answers signals until the connector has ended, and gives the exit code.
func (d *daemon) wait(ctx context.Context, stop func(), signals <-chan os.Signal, ended <-chan error) int {
	var reloading sync.WaitGroup
	for {
		select {
		case err := <-ended:
			canceled := ctx.Err() != nil
			stop()
			reloading.Wait()
			if err != nil && !(canceled && errors.Is(err, context.Canceled)) {
				d.logger.Error("failed", slog.Any("error", err))
				return exitFailure
			}
			d.logger.Info("stopped")
			return exitOK
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				reloading.Go(func() { d.reload(ctx) })
			case ctx.Err() != nil:
				d.logger.Warn("a second signal: exiting at once", slog.String("signal", s.String()))
				return exitFailure
			default:
				d.logger.Info("stopping: no new packets are taken, those in flight are waited for", slog.String("signal", s.String()))
				stop()
			}
		}
	}
}

// run builds the connector, runs it, and closes it.
func (d *daemon) run(ctx context.Context, plan *config.Plan) error {
	a, err := plan.Build(ctx, config.Options{Logger: d.logger, Admin: serveAdmin})
	if err != nil {
		return err
	}
	d.assembly = a
	close(d.ready)
	err = a.Run(ctx)
	d.mu.Lock() // a reload that is under way ends first
	d.closed = true
	d.mu.Unlock()
	return errors.Join(err, a.Close())
}

// reload reads the configuration again and applies what differs. If something
// is wrong with it nothing changes.
func (d *daemon) reload(ctx context.Context) {
	select {
	case <-d.ready:
	case <-ctx.Done():
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	plan, err := config.Builtins().Load(d.source)
	if err != nil {
		d.refuse(err)
		return
	}
	d.note(plan)
	changes, err := d.assembly.Apply(ctx, plan)
	if err != nil { // what is wrong with it shows only when it is tried
		d.logger.Error("a part of the configuration was not applied", slog.String("changes", changes.String()), slog.Any("error", err))
		return
	}
	d.logs.level.Set(d.logs.levelOf(plan.Config()))
	d.logger.Info("the configuration was read again", slog.String("changes", changes.String()))
	if len(changes.Restart) > 0 {
		d.logger.Warn("some changes need a restart", slog.Any("keys", changes.Restart))
	}
}

// refuse logs what keeps a configuration from being applied, in a line for
// each fault.
func (d *daemon) refuse(err error) {
	var wrong *config.Error
	if !errors.As(err, &wrong) {
		d.logger.Error("the configuration was not applied", slog.Any("error", err))
		return
	}
	for _, fault := range wrong.Faults {
		d.logger.Error("the configuration was not applied", slog.String("fault", fault.String()))
	}
}
