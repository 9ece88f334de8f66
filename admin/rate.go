package admin

import (
	"encoding/json"
	"math/big"
	"net/http"
	"strings"

	"github.com/interledger-go/connector/backend"
)

// Rates is what GET /rates answers: how many units of the second account one
// unit of the first buys now, as a number of up to 17 digits. Pairs that have
// no rate at the moment are missing.
type Rates map[string]map[string]json.Number

func (h *Handler) rates(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	all := h.c.Accounts()
	sources, _ := cut(p, all, accountID)
	answer := make(Rates, len(sources))
	for _, source := range sources {
		row := make(map[string]json.Number)
		for _, destination := range all {
			if source.ID == destination.ID {
				continue
			}
			if rate, err := h.c.Rate(source.ID, destination.ID); err == nil {
				row[destination.ID] = number(rate)
			}
		}
		answer[source.ID] = row
	}
	return answer, nil
}

// confirmRate has the backend believe a price that has jumped and waits.
func (h *Handler) confirmRate(r *http.Request) (any, error) {
	if err := h.c.ConfirmRate(r.PathValue("currency")); err != nil {
		return nil, problemf(http.StatusConflict, "%v", err)
	}
	return nil, nil
}

// rateDigits is how many significant digits a rate is shown with.
const rateDigits = 17

// number writes a rate as a JSON number. It is for people and for charts:
// packets are converted at the exact ratio.
func number(rate backend.Ratio) json.Number {
	text := new(big.Float).SetPrec(128).SetRat(rate.Rat()).Text('g', rateDigits)
	return json.Number(strings.Replace(text, "e+", "e", 1))
}
