package ilphttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/internal/idleconns"
	"github.com/interledger-go/connector/plugin"
)

const (
	mediaType    = "application/octet-stream"     // RFC 35
	oldMediaType = "application/ilp+octet-stream" // what ilp-plugin-http sends
)

// octetStream is the Content-Type of all packets. It is shared by all header
// maps, and never changed.
var octetStream = []string{mediaType}

// ServeHTTP takes a request with a Prepare or, in the asynchronous form, with
// the reply to one. A request that it answers with a status from 400 to 499
// has had no effect. Every reply has status 200, a Reject too (HTTP-20). It
// returns when the packet has been answered, when the client has gone, or some
// time after the packet has expired; a packet that was taken has its effect
// whoever is there to read the answer.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		endConnection(w, r)
	}
	id, status, err := srv.admit(w, r)
	if err != nil {
		// net/http reads what is left of the body before the answer leaves.
		_ = control.SetReadDeadline(time.Now().Add(idleconns.UnwantedBodyTimeout))
		refuse(w, status, err)
		return
	}
	timed := control.SetReadDeadline(time.Now().Add(srv.limits.BodyTimeout)) == nil
	packet, status, err := id.peer.readBody(r)
	if err != nil {
		endConnection(w, r)
		refuse(w, status, err)
		return
	}
	if timed {
		_ = control.SetReadDeadline(time.Time{}) // it has worked before
	}
	if r.ProtoMajor > 1 { // where the deadline of the http.Server ends the stream, whether or not something is written
		_ = control.SetWriteDeadline(time.Now().Add(srv.limits.MaxHold + srv.limits.LateWindow + srv.limits.BodyTimeout))
	}
	id.peer.serve(w, r, control, id, packet)
}

// admit gives whose request it is, if its body is to be read. With an error
// comes the status that says so to the client.
func (srv *Server) admit(w http.ResponseWriter, r *http.Request) (*identity, int, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, errMethod
	}
	if len(r.TransferEncoding) > 0 {
		// net/http takes chunks even if there is a length as well, or if the
		// line that says so was folded. A proxy may have read it otherwise:
		// what follows on this connection is no request of anybody we know.
		endConnection(w, r)
		return nil, http.StatusLengthRequired, errChunks
	}
	if len(r.Header["Content-Length"]) > 1 { // HTTP/2; net/http believes the first
		return nil, http.StatusBadRequest, errBody
	}
	id := srv.registry.authenticate(r, srv.accountName(r))
	if id == nil {
		srv.refused.Add(1)
		w.Header().Set("WWW-Authenticate", "Bearer")
		return nil, http.StatusUnauthorized, errUnknown
	}
	if !isPacket(r.Header) {
		return nil, http.StatusUnsupportedMediaType, errType
	}
	return id, 0, nil
}

// endConnection makes a request the last one of its connection, since it is not
// certain where the next one would begin: a body was not read to its end, or
// the proxy before us speaks HTTP/1.0, in which chunks are none, and may not
// know that. HTTP/2 has no such doubts.
func endConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// refuse answers with a status code. The connection goes on, unless it was
// ended, or a body is left that does not come.
func refuse(w http.ResponseWriter, status int, err error) {
	http.Error(w, err.Error(), status)
}

func isPacket(h http.Header) bool {
	values := h["Content-Type"]
	if len(values) != 1 {
		return false
	}
	t, _, _ := strings.Cut(values[0], ";")
	t = strings.TrimSpace(t)
	return strings.EqualFold(t, mediaType) || strings.EqualFold(t, oldMediaType)
}

var (
	errMethod   = errors.New("packets are sent by POST")
	errChunks   = errors.New("the length of the body is needed: chunks are not taken")
	errUnknown  = errors.New("invalid credentials")
	errType     = errors.New("packets are of type " + mediaType)
	errTooLarge = errors.New("no packet is that large")
	errBody     = errors.New("the body could not be read")
	errSlowBody = errors.New("the body has not come in time")
	errReading  = errors.New("too many requests of this account are being read")
)

// readBody reads a packet into memory of its own. With the error comes the
// status that says so to the client.
func (p *Peer) readBody(r *http.Request) ([]byte, int, error) {
	if r.ContentLength > int64(p.limits.MaxBody) {
		return nil, http.StatusRequestEntityTooLarge, errTooLarge
	}
	if !p.beginReading() {
		status, err := unread(errReading)
		return nil, status, err
	}
	defer p.endReading()
	packet, err := readPacket(r.Body, r.ContentLength, p.limits.MaxBody)
	if err != nil {
		status, err := unread(err)
		return nil, status, err
	}
	return packet, 0, nil
}

// unread says to the client why its body was not read.
func unread(err error) (int, error) {
	switch {
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, errTooLarge
	case errors.Is(err, errReading):
		return http.StatusServiceUnavailable, errReading
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout, errSlowBody
	}
	return http.StatusBadRequest, errBody
}

// beginReading counts a body that is being read, if there is room for it.
// Replies to our own packets are read as well as packets, so there is room for
// both.
func (p *Peer) beginReading() bool {
	if p.reading.Add(1) > 2*int64(p.limits.MaxInFlight) {
		p.reading.Add(-1)
		return false
	}
	return true
}

func (p *Peer) endReading() { p.reading.Add(-1) }

// beginAnswering counts an answer that is being written by a Listener, if there
// is room for it. They do not count as packets in flight any more, and a client
// that reads none of them would keep any number of connections.
func (p *Peer) beginAnswering() bool {
	if p.answering.Add(1) > int64(p.limits.MaxInFlight) {
		p.answering.Add(-1)
		return false
	}
	return true
}

func (p *Peer) endAnswering() { p.answering.Add(-1) }

// readPacket reads a body of at most limit bytes to its end, into fresh
// memory: a packet will point there. length is -1 if it is not known.
func readPacket(body io.Reader, length int64, limit int) ([]byte, error) {
	if length > int64(limit) {
		return nil, errTooLarge
	}
	if length < 0 {
		packet, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
		if err == nil && len(packet) > limit {
			err = errTooLarge
		}
		return packet, err
	}
	packet := make([]byte, length, length+1)
	if _, err := io.ReadFull(body, packet); err != nil {
		return nil, err
	}
	// The end has to be seen, for the connection to be used again.
	switch n, err := body.Read(packet[length : length+1]); {
	case n > 0:
		return nil, errTooLarge
	case err != nil && err != io.EOF:
		return nil, err
	}
	return packet, nil
}

// serve handles an authenticated packet.
func (p *Peer) serve(w http.ResponseWriter, r *http.Request, control *http.ResponseController, id *identity, packet []byte) {
	request, err := requestID(r.Header)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if t := ilp.PacketType(packet); request != "" && (t == ilp.TypeFulfill || t == ilp.TypeReject) {
		p.takeReply(w, request, packet)
		return
	}
	target, status, err := p.replyTarget(r.Header, request)
	switch {
	case err != nil:
		refuse(w, status, err)
	case target != nil:
		p.serveAsync(w, r, id, packet, request, target)
	default:
		p.serveSync(w, r, control, id, packet)
	}
}

var (
	errNotOpen    = errors.New("the account is not open")
	errNoAnswer   = errors.New("there is no reply to this packet")
	errUnanswered = errors.New("the packet was not answered in time")
	errTooMany    = errors.New("too many packets in flight")
	tooMany       = &ilp.Reject{Code: ilp.T03ConnectorBusy, Message: errTooMany.Error() + "."}
)

// serveSync answers in the same exchange (HTTP-20).
func (p *Peer) serveSync(w http.ResponseWriter, r *http.Request, control *http.ResponseController, id *identity, packet []byte) {
	answer, status, err := p.exchange(context.WithoutCancel(r.Context()), id, packet, r.Context().Done())
	if r.ProtoMajor == 1 { // that of the http.Server may be over, and was for the whole request
		_ = control.SetWriteDeadline(time.Now().Add(p.limits.BodyTimeout))
	}
	if err != nil {
		refuse(w, status, err)
		return
	}
	defer p.waiters.put(answer)
	h := w.Header()
	h["Content-Type"] = octetStream
	h["Content-Length"] = []string{strconv.Itoa(len(answer.packet))}
	_, _ = w.Write(answer.packet) // a client that is not there any more learns nothing
}

// exchange gives a packet to the handler and waits for the answer, until the
// client is gone. The caller puts the answer back when it has been written.
// With an error comes the status that says so to the client.
func (p *Peer) exchange(ctx context.Context, id *identity, packet []byte, gone <-chan struct{}) (*waiter, int, error) {
	answer, responder := p.waiters.get()
	due, taken := p.hand(ctx, id, packet, responder)
	if !taken {
		answer.abandon()
		p.waiters.put(answer)
		return nil, http.StatusServiceUnavailable, errNotOpen
	}
	answered := answer.await(due, gone, p.closing)
	p.inFlight.Add(-1) // first: whoever gets the answer may send the next packet at once
	switch {
	case !answered:
		p.waiters.put(answer)
		p.abandoned.Add(1)
		return nil, http.StatusGatewayTimeout, errUnanswered
	case answer.err != nil:
		p.waiters.put(answer)
		return nil, http.StatusInternalServerError, errNoAnswer
	}
	return answer, http.StatusOK, nil
}

// hand gives a packet to the handler, and counts it as in flight; the caller
// counts it out. It says when to give up, or that the account is not open.
func (p *Peer) hand(ctx context.Context, id *identity, packet []byte, r plugin.Responder) (due time.Time, ok bool) {
	h, ok := p.enter()
	if !ok {
		return time.Time{}, false
	}
	defer p.leave()
	now := time.Now()
	if p.inFlight.Add(1) > int64(p.limits.MaxInFlight) {
		r.Reply(ctx, tooMany)
		return now, true
	}
	prepare, ok := p.prepares.Get().(*ilp.Prepare)
	if !ok {
		prepare = new(ilp.Prepare)
	}
	defer func() {
		*prepare = ilp.Prepare{}
		p.prepares.Put(prepare)
	}()
	if err := prepare.Decode(packet); err != nil {
		h.HandleMalformed(ctx, err, r)
		return p.limits.due(now, now), true
	}
	due = p.limits.due(now, prepare.ExpiresAt)
	if id.user != "" && isConfigRequest(prepare) {
		configureUser(ctx, h, id.user, prepare, r)
		return due, true
	}
	h.HandlePrepare(ctx, prepare, r)
	return due, true
}
