package main

import (
	"context"
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
	at := p.placeFlags(set)
	if code, ok := parse(set, args); !ok {
		return code
	}
	client, err := at.http()
	if err != nil {
		return p.fail(exitUsage, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *at.url+"/healthz", nil)
	if err != nil {
		return p.fail(exitUsage, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return p.fail(exitFailure, err)
	}
	response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return p.fail(exitFailure, fmt.Errorf("%s answers %s", *at.url, response.Status))
	}
	fmt.Fprintln(p.stdout, "The connector runs.")
	return exitOK
}
