package admin

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/middleware"
)

// Snapshot is what moves, at one moment: the data of each event of GET
// /events. Counts and sums only grow while the process runs, so that the rates
// are the differences between two.
type Snapshot struct {
	Time time.Time `json:"time"`
	// Running says whether the connector forwards packets.
	Running bool `json:"running"`
	// Packets of all accounts, by outcome, as they came in.
	Packets PacketCounts `json:"packets"`
	// Assets has the value of the packets that were fulfilled, by asset.
	Assets []AssetTotals `json:"assets"`
	// Accounts by id: those that were asked for, or the first 1000.
	Accounts map[string]Activity `json:"accounts"`
	Counters Counters            `json:"counters"`
	// Alerts is the number of alerts.
	Alerts int `json:"alerts"`
}

// PacketCounts is a number of packets by outcome.
type PacketCounts struct {
	Fulfilled uint64 `json:"fulfilled"`
	Rejected  uint64 `json:"rejected"`
}

// AssetTotals is the value of all accounts in an asset.
type AssetTotals struct {
	AssetCode  string `json:"assetCode"`
	AssetScale uint8  `json:"assetScale"`
	// Incoming and Outgoing are the sums of the amounts of fulfilled packets.
	Incoming string `json:"incoming"`
	Outgoing string `json:"outgoing"`
}

// Activity is what moves on an account.
type Activity struct {
	Balance     string `json:"balance"`
	ReservedIn  string `json:"reservedIn"`
	ReservedOut string `json:"reservedOut"`
	Connected   bool   `json:"connected"`
	Paused      bool   `json:"paused"`
	InFlight    int64  `json:"inFlight"`
	Outstanding int64  `json:"outstanding"`
	// Incoming and Outgoing count packets, with the amounts of those that were
	// fulfilled.
	Incoming ActivityCounts `json:"incoming"`
	Outgoing ActivityCounts `json:"outgoing"`
	// Settlements is the number of those without an answer.
	Settlements int `json:"settlements"`
}

// ActivityCounts is one direction of an account.
type ActivityCounts struct {
	PacketCounts
	Amount string `json:"amount"`
}

const (
	standardInterval = time.Second
	minInterval      = 100 * time.Millisecond
	maxInterval      = time.Minute
	// eventTimeout is how long a client may take to read an event.
	eventTimeout = 15 * time.Second
	// maxStreamed is how many accounts are in an event that asks for none.
	maxStreamed = 1000
)

// events sends a Snapshot at once and then in each interval, until the client
// goes or the handler is closed.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) error {
	interval, err := parseDuration(r, "interval", standardInterval, minInterval, maxInterval)
	if err != nil {
		return err
	}
	end, err := h.beginStream(w)
	if err != nil {
		return err
	}
	defer end()
	if r.Method == http.MethodHead {
		return nil
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	only := r.URL.Query()["account"]
	for id := 1; sendEvent(w, id, "snapshot", h.snapshot(only)) == nil; id++ {
		select {
		case <-ticker.C:
			if h.guard.admit(r, reader) != nil { // its token is gone
				return nil
			}
		case <-r.Context().Done():
			return nil
		case <-h.closing.Done():
			return nil
		}
	}
	return nil // whoever has asked is gone
}

// beginStream takes one of the places that there are for event streams, which
// the caller gives back with end.
func (h *Handler) beginStream(w http.ResponseWriter) (end func(), err error) {
	select {
	case h.streams <- struct{}{}:
	default:
		return nil, problemf(http.StatusServiceUnavailable, "there are %d event streams already: close one, or raise Options.MaxStreams", h.o.MaxStreams)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies hand on each event at once
	return func() { <-h.streams }, nil
}

// sendEvent writes an event and waits until it has left.
func sendEvent(w http.ResponseWriter, id int, kind string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(eventTimeout)) // where the server can
	if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", id, kind, data); err != nil {
		return err
	}
	return c.Flush()
}

// snapshot looks at what moves.
func (h *Handler) snapshot(only []string) Snapshot {
	s := Snapshot{
		Time: h.c.Now().UTC(), Running: h.c.Running(), Counters: h.counters(), Alerts: len(h.c.Alerts()),
		Assets: []AssetTotals{}, Accounts: make(map[string]Activity),
	}
	counted := make(map[string]middleware.AccountStats)
	for _, stats := range h.c.Stats() {
		counted[stats.Account] = stats
	}
	sums := make(map[connector.Asset]*assetSum)
	for _, status := range h.c.Accounts() {
		stats, ok := counted[status.ID]
		a := activityOf(&status, &stats)
		if ok {
			s.Packets.Fulfilled += a.Incoming.Fulfilled
			s.Packets.Rejected += a.Incoming.Rejected
			sum := sums[status.Asset]
			if sum == nil {
				sum = &assetSum{new(big.Int), new(big.Int)}
				sums[status.Asset] = sum
			}
			sum.in.Add(sum.in, stats.Incoming.Fulfilled.Amount)
			sum.out.Add(sum.out, stats.Outgoing.Fulfilled.Amount)
		}
		if len(only) == 0 && len(s.Accounts) < maxStreamed || slices.Contains(only, status.ID) {
			s.Accounts[status.ID] = a
		}
	}
	for asset, sum := range sums {
		s.Assets = append(s.Assets, AssetTotals{asset.Code, asset.Scale, sum.in.String(), sum.out.String()})
	}
	slices.SortFunc(s.Assets, func(a, b AssetTotals) int {
		return strings.Compare(a.AssetCode+"/"+strconv.Itoa(int(a.AssetScale)), b.AssetCode+"/"+strconv.Itoa(int(b.AssetScale)))
	})
	return s
}

type assetSum struct{ in, out *big.Int }

func activityOf(s *connector.AccountStatus, stats *middleware.AccountStats) Activity {
	return Activity{
		Balance: decimal(s.Book.Balance), ReservedIn: decimal(s.Book.ReservedIn), ReservedOut: decimal(s.Book.ReservedOut),
		Connected: s.Connected, Paused: s.Paused, InFlight: s.InFlight, Outstanding: s.Outstanding,
		Incoming: countsOf(&stats.Incoming), Outgoing: countsOf(&stats.Outgoing), Settlements: len(s.Book.Settlements),
	}
}

func countsOf(d *middleware.DirectionStats) ActivityCounts {
	counts := ActivityCounts{PacketCounts{Fulfilled: d.Fulfilled.Count}, "0"}
	for _, total := range d.Rejected {
		counts.Rejected += total.Count
	}
	if d.Fulfilled.Amount != nil {
		counts.Amount = d.Fulfilled.Amount.String()
	}
	return counts
}
