package main

import (
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/interledger-go/connector/config"
)

// flags makes the flags of a command, and adds those of the configuration.
func (p program) flags(name string) (set *flag.FlagSet, source *config.Source) {
	set = flag.NewFlagSet(strings.TrimSpace("ilp-connector "+name), flag.ContinueOnError)
	set.SetOutput(p.stderr)
	source = &config.Source{Environ: p.environ}
	set.StringVar(&source.File, "config", "", "JSON file with the configuration; variables CONNECTOR_… replace its keys")
	return set, source
}

// parse reads the flags. ok is false if the program is to exit with code.
func parse(set *flag.FlagSet, args []string) (code int, ok bool) {
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK, false
	case err != nil:
		return exitUsage, false
	case set.NArg() > 0:
		fmt.Fprintf(set.Output(), "%s: %q is too much\n", set.Name(), set.Arg(0))
		return exitUsage, false
	}
	return exitOK, true
}

// load reads the configuration, and prints what is wrong with it.
func (p program) load(source *config.Source) (*config.Plan, bool) {
	plan, err := config.Builtins().Load(*source)
	if err != nil {
		fmt.Fprintln(p.stderr, err)
		return nil, false
	}
	return plan, true
}

func (p program) check(args []string) int {
	set, source := p.flags("config check")
	if code, ok := parse(set, args); !ok {
		return code
	}
	if _, ok := p.load(source); !ok {
		return exitUsage
	}
	fmt.Fprintln(p.stdout, "The configuration is right.")
	return exitOK
}

func (p program) explain(args []string) int {
	set, source := p.flags("config explain")
	if code, ok := parse(set, args); !ok {
		return code
	}
	plan, ok := p.load(source)
	if !ok {
		return exitUsage
	}
	fmt.Fprint(p.stdout, plan.Explain())
	return exitOK
}

func (p program) version(args []string) int {
	set := flag.NewFlagSet("ilp-connector version", flag.ContinueOnError)
	set.SetOutput(p.stderr)
	if code, ok := parse(set, args); !ok {
		return code
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return p.fail(exitFailure, errors.New("the program was built without its version"))
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = " (" + s.Value + ")"
		}
	}
	fmt.Fprintf(p.stdout, "ilp-connector %s%s, %s\n", info.Main.Version, revision, info.GoVersion)
	return exitOK
}
