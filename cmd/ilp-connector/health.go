package main

import (
	"flag"
	"fmt"
	"net/http"
	"time"
)

// healthTimeout bounds one look.
const healthTimeout = 4 * time.Second

// health asks the admin API whether the connector runs.
func (p program) health(args []string) int {
	set := flag.NewFlagSet("ilp-connector health", flag.ContinueOnError)
	set.SetOutput(p.stderr)
	url := p.placeFlags(set).url
	if code, ok := parse(set, args); !ok {
		return code
	}
	client := http.Client{Timeout: healthTimeout}
	response, err := client.Get(*url + "/healthz")
	if err != nil {
		return p.fail(exitFailure, err)
	}
	response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return p.fail(exitFailure, fmt.Errorf("%s answers %s", *url, response.Status))
	}
	fmt.Fprintln(p.stdout, "The connector runs.")
	return exitOK
}
