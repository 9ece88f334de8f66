package ilp

import "strconv"

// Asset is the unit of the amounts on a link. An amount of n is n times
// 10^-Scale of the currency: at scale 9, an amount of 1 is a billionth of it.
// Assets are comparable; two links have the same unit if their assets are
// equal.
type Asset struct {
	// Code names the currency, as a rule by its ISO 4217 code or ticker.
	Code string
	// Scale is the number of decimal places.
	Scale uint8
}

// String gives the code and the scale: "USD/9".
func (a Asset) String() string {
	return a.Code + "/" + strconv.Itoa(int(a.Scale))
}
