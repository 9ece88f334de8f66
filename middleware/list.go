package middleware

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Standard gives the built-in middleware in the order of the reference, each
// with nothing to configure: the limits are the account's own, and a limit
// that an account does not set does not limit.
func Standard() []Middleware {
	return []Middleware{
		ErrorHandler(),
		RateLimit(),
		MaxPacketAmount(),
		Throughput(),
		Balance(),
		Deduplicate(DeduplicateOptions{}),
		Echo(),
		Expire(),
		ValidateFulfillment(),
		NewStats(),
		NewAlerts(AlertsOptions{}),
	}
}

// InsertBefore gives list with m put before the entry named name.
func InsertBefore(list []Middleware, name string, m ...Middleware) ([]Middleware, error) {
	i, err := index(list, name)
	if err != nil {
		return nil, err
	}
	return slices.Insert(slices.Clone(list), i, m...), nil
}

// InsertAfter gives list with m put after the entry named name.
func InsertAfter(list []Middleware, name string, m ...Middleware) ([]Middleware, error) {
	i, err := index(list, name)
	if err != nil {
		return nil, err
	}
	return slices.Insert(slices.Clone(list), i+1, m...), nil
}

// Without gives list without the entries of these names.
func Without(list []Middleware, names ...string) ([]Middleware, error) {
	list = slices.Clone(list)
	for _, name := range names {
		i, err := index(list, name)
		if err != nil {
			return nil, err
		}
		list = slices.Delete(list, i, i+1)
	}
	return list, nil
}

// Find gives the entry of list that is a T, such as *Stats.
func Find[T Middleware](list []Middleware) (T, bool) {
	for _, m := range list {
		if t, ok := m.(T); ok {
			return t, true
		}
	}
	var none T
	return none, false
}

// Validate refuses a list that has a nil entry, or two of the same name.
func Validate(list []Middleware) error {
	var faults []error
	seen := make(map[string]bool, len(list))
	for i, m := range list {
		switch {
		case m == nil:
			faults = append(faults, fmt.Errorf("middleware: entry %d is nil: leave it out instead", i))
		case seen[m.Name()]:
			faults = append(faults, fmt.Errorf("middleware: two entries are named %q: names must differ", m.Name()))
		default:
			seen[m.Name()] = true
		}
	}
	return errors.Join(faults...)
}

func index(list []Middleware, name string) (int, error) {
	i := slices.IndexFunc(list, func(m Middleware) bool { return m != nil && m.Name() == name })
	if i < 0 {
		names := make([]string, 0, len(list))
		for _, m := range list {
			if m != nil { // Validate's to refuse
				names = append(names, m.Name())
			}
		}
		return 0, fmt.Errorf("middleware: no entry is named %q; there are: %s", name, strings.Join(names, ", "))
	}
	return i, nil
}
