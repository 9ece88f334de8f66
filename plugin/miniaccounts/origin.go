package miniaccounts

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
)

// origins says which pages a browser may connect from.
type origins struct {
	exact    []string
	patterns []*regexp.Regexp // anchored
}

func newOrigins(exact []string, patterns []*regexp.Regexp) (origins, error) {
	o := origins{exact: slices.Clone(exact)}
	for _, p := range patterns {
		anchored, err := regexp.Compile(`\A(?:` + p.String() + `)\z`)
		if err != nil {
			return origins{}, fmt.Errorf("miniaccounts: Options.AllowedOriginPatterns: %w", err)
		}
		o.patterns = append(o.patterns, anchored)
	}
	return o, nil
}

// allow reports whether r, which asks for a WebSocket, may have one.
func (o *origins) allow(r *http.Request) bool {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return true
	}
	return len(values) == 1 && (slices.Contains(o.exact, values[0]) ||
		slices.ContainsFunc(o.patterns, func(p *regexp.Regexp) bool { return p.MatchString(values[0]) }))
}
