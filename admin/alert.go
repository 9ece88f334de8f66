package admin

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/interledger-go/connector/middleware"
)

// Alerts is what GET /alerts answers, by id.
type Alerts struct {
	Alerts []middleware.Alert `json:"alerts"`
	// Next is where to go on, with after; empty at the end.
	Next string `json:"next,omitempty"`
}

func (h *Handler) alerts(r *http.Request) (any, error) {
	p, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	if p.after != "" {
		id, err := parseAlertID(p.after)
		if err != nil {
			return nil, err
		}
		p.after = alertKey(id)
	}
	answer := Alerts{}
	answer.Alerts, answer.Next = cut(p, append([]middleware.Alert{}, h.c.Alerts()...), func(a middleware.Alert) string { return alertKey(a.ID) })
	if answer.Next != "" {
		answer.Next = decimal(answer.Alerts[len(answer.Alerts)-1].ID)
	}
	return answer, nil
}

// alertKey sorts as the number does.
func alertKey(id uint64) string { return fmt.Sprintf("%020d", id) }

func parseAlertID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, problemf(http.StatusBadRequest, "invalid alert id")
	}
	return id, nil
}

// dismissAlert removes an alert, if it is there.
func (h *Handler) dismissAlert(r *http.Request) (any, error) {
	id, err := parseAlertID(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	h.c.DismissAlert(id)
	return nil, nil
}
