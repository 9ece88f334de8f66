package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// requirement is a setting without which a server may lose what it has
// acknowledged.
type requirement struct {
	parameter, want string
	holds           func(value string) bool
}

func requirements() []requirement {
	is := func(want string) func(string) bool { return func(value string) bool { return value == want } }
	return []requirement{
		{"appendonly", "yes", is("yes")},
		{"appendfsync", "always", is("always")},
		// Otherwise nothing is synced for as long as the file is rewritten.
		{"no-appendfsync-on-rewrite", "no", is("no")},
		// The volatile ones evict keys that expire, and those of the store do
		// not.
		{"maxmemory-policy", "noeviction, or one that is volatile", func(value string) bool {
			return value == "noeviction" || strings.HasPrefix(value, "volatile-")
		}},
	}
}

// checkDurability returns an error that says what is to be changed, unless all
// nodes that client knows keep what they have acknowledged.
func checkDurability(ctx context.Context, client rueidis.Client) error {
	nodes := client.Nodes()
	for _, addr := range slices.Sorted(maps.Keys(nodes)) {
		var wrong []string
		for _, r := range requirements() {
			value, err := setting(ctx, nodes[addr], r.parameter)
			if err != nil {
				return fmt.Errorf("whether %s keeps what it has acknowledged cannot be known: CONFIG GET %s: %w: want the right to read that, or Options.AllowLoss",
					addr, r.parameter, err)
			}
			if !r.holds(value) {
				wrong = append(wrong, fmt.Sprintf("%s is %s, want %s", r.parameter, value, r.want))
			}
		}
		if len(wrong) > 0 {
			return fmt.Errorf("%s may lose what it has acknowledged: %s: or Options.AllowLoss", addr, strings.Join(wrong, "; "))
		}
	}
	return nil
}

func setting(ctx context.Context, node rueidis.Client, parameter string) (string, error) {
	settings, err := node.Do(ctx, node.B().ConfigGet().Parameter(parameter).Build()).AsStrMap()
	if err != nil {
		return "", err
	}
	value, there := settings[parameter]
	if !there {
		return "", errors.New("the server has no such setting")
	}
	return value, nil
}
