package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/middleware"
)

// Packets is what GET /packets answers.
type Packets struct {
	// Packets are the last received first.
	Packets []Packet `json:"packets"`
	// Omitted counts those that the log left out, because more accounts were at
	// it than have room of their own.
	Omitted uint64 `json:"omitted"`
}

// PacketEvent is the data of each event of GET /packets/live.
type PacketEvent struct {
	// Packets were answered since the event before, in the order in which they
	// were received. There is none in the first event, and in one that says
	// that there was none for a while.
	Packets []Packet `json:"packets"`
	// Lost counts packets since the event before that came too fast to be shown:
	// those of the filter, and of others where they were gone before it was
	// known.
	Lost uint64 `json:"lost"`
}

// Packet is a packet that the log of the connector has kept: see
// middleware.LoggedPacket. Its data is not.
type Packet struct {
	Received time.Time `json:"received"`
	// Latency is how long it took to answer it.
	Latency int64 `json:"latencyMicroseconds"`
	// Account is the id of that which it came from.
	Account string `json:"account"`
	Amount  string `json:"amount"`
	// NextHop is the id of the account that it went to, or was to go to, and
	// NextHopAmount what went there; missing if there is none.
	NextHop       string `json:"nextHop,omitempty"`
	NextHopAmount string `json:"nextHopAmount,omitempty"`
	// Destination is the address; missing where the log hashes destinations.
	Destination string `json:"destination,omitempty"`
	// DestinationLength is the length of the address, if only its beginning is
	// known.
	DestinationLength int `json:"destinationLength,omitempty"`
	// DestinationHash is 16 digits, under a key that ends with the process.
	DestinationHash string `json:"destinationHash,omitempty"`
	// Condition is in hexadecimal; missing unless the log keeps conditions.
	Condition string             `json:"condition,omitempty"`
	Outcome   middleware.Outcome `json:"outcome"`
	// Code is that of the reject.
	Code ilp.Code `json:"code,omitempty"`
}

func packetOf(l *middleware.LoggedPacket) Packet {
	p := Packet{
		Received: l.Received, Latency: l.Latency.Microseconds(), Account: l.Account, Amount: decimal(l.Amount),
		Destination: l.Destination, Outcome: l.Outcome, Code: l.Code,
	}
	if l.NextHop != "" {
		p.NextHop, p.NextHopAmount = l.NextHop, decimal(l.NextHopAmount)
	}
	if l.DestinationLength > len(l.Destination) {
		p.DestinationLength = l.DestinationLength
	}
	if l.DestinationHash != 0 {
		p.DestinationHash = fmt.Sprintf("%016x", l.DestinationHash)
	}
	if l.Condition != (ilp.Condition{}) {
		p.Condition = l.Condition.String()
	}
	return p
}

func packetsOf(logged []middleware.LoggedPacket) []Packet {
	packets := make([]Packet, len(logged))
	for i := range logged {
		packets[i] = packetOf(&logged[i])
	}
	return packets
}

// MaxPacketLimit is the most packets that GET /packets gives.
const MaxPacketLimit = 10_000

func (h *Handler) packets(r *http.Request) (any, error) {
	log, err := h.packetLog()
	if err != nil {
		return nil, err
	}
	filter, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	limit := middleware.DefaultPacketLimit
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > MaxPacketLimit {
			return nil, problemf(http.StatusBadRequest, "limit is %.40q: it must be between 1 and %d", text, MaxPacketLimit)
		}
	}
	return Packets{Packets: packetsOf(log.Packets(filter, limit)), Omitted: log.Omitted()}, nil
}

func (h *Handler) packetLog() (*middleware.PacketLog, error) {
	if log := h.c.PacketLog(); log != nil {
		return log, nil
	}
	return nil, problemf(http.StatusNotImplemented,
		"the connector keeps no packet log: the host must put middleware.NewPacketLog before all other middleware")
}

const (
	packetInterval = 250 * time.Millisecond
	// maxSilence is how long a stream says nothing: proxies and clients must not
	// think that it is dead.
	maxSilence = 15 * time.Second
)

// livePackets sends packets as they are answered, until the client goes or the
// handler is closed. The first event says that it has begun.
func (h *Handler) livePackets(w http.ResponseWriter, r *http.Request) error {
	log, err := h.packetLog()
	if err != nil {
		return err
	}
	filter, err := filterOf(r)
	if err != nil {
		return err
	}
	interval, err := parseDuration(r, "interval", packetInterval, minInterval, maxInterval)
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
	subscription := log.Subscribe(filter)
	defer subscription.Close()
	defer context.AfterFunc(h.closing, subscription.Close)()
	event, more := PacketEvent{Packets: []Packet{}}, true
	for id := 1; more && sendEvent(w, id, "packets", event) == nil; id++ {
		select {
		case <-time.After(interval): // what comes meanwhile is in one event
			event, more = nextPackets(r.Context(), subscription)
			if h.c.PacketLog() != log || h.guard.admit(r, reader) != nil { // another has taken its place, or the token is gone
				return nil
			}
		case <-r.Context().Done():
			return nil
		case <-h.closing.Done():
			return nil
		}
	}
	return nil // whoever has asked is gone, or the handler is closed
}

// nextPackets waits for packets, though not for long. more is false at the end.
func nextPackets(ctx context.Context, s *middleware.PacketSubscription) (event PacketEvent, more bool) {
	waiting, cancel := context.WithTimeout(ctx, maxSilence)
	defer cancel()
	packets, lost, err := s.Next(waiting)
	more = ctx.Err() == nil && !errors.Is(err, middleware.ErrSubscriptionClosed)
	return PacketEvent{Packets: packetsOf(packets), Lost: lost}, more
}

// filterOf reads which packets are wanted from the query.
func filterOf(r *http.Request) (middleware.PacketFilter, error) {
	query := r.URL.Query()
	f := middleware.PacketFilter{Account: query.Get("account"), Prefix: query.Get("prefix"), Code: ilp.Code(query.Get("code"))}
	for segment := range strings.SplitSeq(cmp.Or(f.Prefix, "g"), ".") {
		if !ilp.ValidSegment(segment) {
			return f, problemf(http.StatusBadRequest, "prefix is %.40q: it must be whole segments of an address, such as g.alice", f.Prefix)
		}
	}
	if f.Code != "" && len(f.Code) != len(ilp.F00BadRequest) {
		return f, problemf(http.StatusBadRequest, "code is %.40q: it must be that of a reject, such as %s", f.Code, ilp.T04InsufficientLiquidity)
	}
	if text := query.Get("outcome"); text != "" && f.Outcome.UnmarshalText([]byte(text)) != nil {
		return f, problemf(http.StatusBadRequest, "outcome is %.40q: it must be one of %v", text, middleware.Outcomes())
	}
	if text := query.Get("since"); text != "" {
		since, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return f, problemf(http.StatusBadRequest, "since is %.40q: it must be a time such as 2026-01-31T12:00:00Z", text)
		}
		f.Since = since
	}
	return f, nil
}

// filterQuery is what filterOf reads.
func filterQuery(f middleware.PacketFilter) url.Values {
	query := make(url.Values)
	set := func(name, text string) {
		if text != "" {
			query.Set(name, text)
		}
	}
	set("account", f.Account)
	set("prefix", f.Prefix)
	set("code", string(f.Code))
	if f.Outcome != 0 {
		set("outcome", f.Outcome.String())
	}
	if !f.Since.IsZero() {
		set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	return query
}
