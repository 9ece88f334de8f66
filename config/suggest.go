package config

import (
	"fmt"
	"slices"
	"strings"
)

// known says which names there are, for one that is none of them, and the one
// that was probably meant.
func known(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	if len(names) == 0 {
		return "there are none"
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return "there are " + strings.Join(names, ", ")
}

// nearest is the name that the fewest changes make of name; empty if it would
// take more than a typing error does.
func nearest(name string, names []string) string {
	if len(name) > maxSuggested {
		return ""
	}
	best, fewest := "", max(len(name)/3, 1)+1
	for _, candidate := range names {
		if strings.EqualFold(name, candidate) {
			return candidate
		}
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < fewest {
			best, fewest = candidate, d
		}
	}
	return best
}

// maxSuggested is the longest name that is compared: all of ours are shorter.
const maxSuggested = 100

// distance counts the insertions, deletions, replacements and swaps of
// neighbors that make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
