// Command ilp-connector is an Interledger connector that runs by itself. It
// takes the configuration of the JavaScript reference: variables CONNECTOR_…,
// a JSON file, or both.
//
//	ilp-connector [-config FILE]            run until SIGTERM or SIGINT
//	ilp-connector config check              say everything that is wrong
//	ilp-connector config explain            say what would run
//	ilp-connector health                    exit 0 if one runs here, as its admin API says
//	ilp-connector status, accounts, routes, rates, balance, ping, trace, send, watch
//	                                        ask its admin API
//	ilp-connector version, help
//
// SIGTERM and SIGINT stop it: it takes no new packets, waits for those in
// flight, keeps its books and exits 0; a second one exits at once, with 1.
// SIGHUP reads the configuration again and applies what differs. It exits 2 if
// the configuration or the command line is wrong, and 1 if something fails;
// send exits 3 if the packet was rejected, and 4 if nobody knows the outcome.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitRejected = 3 // send: nothing was paid
	exitUnknown  = 4 // send: nobody knows yet
)

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run runs a command and gives the exit code.
func run(args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		return program{environ, stdout, stderr}.help()
	}
	command, rest := split(args)
	for _, c := range commands {
		if slices.Equal(c.name, command) {
			return c.run(program{environ, stdout, stderr}, rest)
		}
	}
	fmt.Fprintf(stderr, "ilp-connector: there is no command %q\n\n", strings.Join(command, " "))
	usage(stderr)
	return exitUsage
}

// program is what the commands speak to.
type program struct {
	environ        []string
	stdout, stderr io.Writer
}

func (p program) fail(code int, err error) int {
	fmt.Fprintln(p.stderr, "ilp-connector:", err)
	return code
}

type command struct {
	name  []string
	usage string
	run   func(p program, args []string) int
}

var commands = []command{
	{nil, "run the connector", program.serve},
	{[]string{"config", "check"}, "say everything that is wrong with the configuration", program.check},
	{[]string{"config", "explain"}, "say what would run", program.explain},
	{[]string{"health"}, "exit 0 if a connector runs here, as its admin API says", program.health},
	ask("status", "print an overview", "", 0, question.status),
	ask("accounts", "print the accounts and their state", "", 0, question.accounts),
	ask("routes", "print the routes in use", "[SEARCH]", 1, question.routes),
	ask("rates", "print the rates between accounts", "", 0, question.rates),
	ask("balance", "print balances and their limits", "[ACCOUNT]", 1, question.balance),
	ask("ping", "find out whether an address can be reached; the amount is spent", "ADDRESS [AMOUNT]", 2, question.ping),
	ask("trace", "find the connectors on the way to an address", "ADDRESS", 1, question.trace),
	askWith("send", "send one packet, and print the reply; the amount is spent", "DESTINATION AMOUNT", 2, bindSend),
	askWith("watch", "print what moves, or packets, until a signal ends it", "[ACCOUNT...]", 1000, bindWatch),
	{[]string{"version"}, "print the version", program.version},
}

// help prints the commands, and the flags of the connector itself. It is none
// of them: the list would refer to itself.
func (p program) help() int {
	usage(p.stdout)
	set, _ := p.flags("")
	logFlags(set)
	set.SetOutput(p.stdout)
	fmt.Fprintln(p.stdout, "\nflags of the connector itself:")
	set.PrintDefaults()
	return exitOK
}

// split parts the words of a command from its flags.
func split(args []string) (command, rest []string) {
	for i, arg := range args {
		if arg == "" || arg[0] == '-' || i == 1 && args[0] != "config" || i == 2 {
			return args[:i:i], args[i:]
		}
	}
	return args, nil
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage:")
	for _, c := range commands {
		line := "ilp-connector"
		for _, word := range c.name {
			line += " " + word
		}
		fmt.Fprintf(w, "  %-32s%s\n", line, c.usage)
	}
	fmt.Fprintln(w, "\nEach takes -h. docs/operating.md has the configuration.")
}
