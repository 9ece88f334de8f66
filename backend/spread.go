package backend

import "fmt"

// AfterSpread reads a spread, the share of every converted amount that the
// connector keeps, and returns the rest: the factor 1 - spread that a rate is
// multiplied by. A spread is written as [ParseRatio] reads it: "0.002" keeps
// two thousandths and gives 499/500. The empty text is no spread and gives 1.
//
// A spread of 1 would take everything and a greater one would make rates
// negative, so anything outside [0, 1) is an error.
func AfterSpread(spread string) (Ratio, error) {
	if spread == "" {
		return one, nil
	}
	kept, err := ParseRatio(spread)
	if err != nil {
		return Ratio{}, fmt.Errorf("backend: spread: want at least 0 and less than 1, such as 0.002 for 0.2 %%: %w", err)
	}
	if kept.Cmp(one) >= 0 {
		return Ratio{}, fmt.Errorf("backend: spread %s: want at least 0 and less than 1, such as 0.002 for 0.2 %%", brief(spread))
	}
	rest := one.Rat()
	return fromRat(rest.Sub(rest, kept.Rat())), nil
}
