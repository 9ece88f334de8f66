package btp

import (
	"errors"
	"log/slog"
	"math/bits"
	"net/http"
	"os"
	"time"

	"github.com/interledger-go/connector/internal/wsconn"
)

// ServeHTTP takes a WebSocket connection. It returns when the handshake is
// over; the connection is served until it ends or Close is called. A request
// that asks for no WebSocket is answered with 426, one too many with 503.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wsconn.IsUpgrade(r) && !srv.enter() {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "no further connections are taken now", http.StatusServiceUnavailable)
		return
	}
	s := newSocket(srv.limits)
	o := srv.limits.options()
	o.OnIdle = s.onIdle
	conn, err := wsconn.Accept(w, r, o)
	if err != nil {
		if wsconn.IsUpgrade(r) {
			srv.leave()
		}
		return
	}
	s.conn = conn
	srv.serve(s)
}

// enter takes a place among the sockets that are not authenticated.
func (srv *Server) enter() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closed || srv.waiting >= srv.options.MaxUnauthenticated {
		return false
	}
	srv.waiting++
	return true
}

func (srv *Server) leave() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.waiting--
}

// serve starts the goroutine of s, unless the server has been closed.
func (srv *Server) serve(s *socket) {
	srv.mu.Lock()
	if srv.closed {
		srv.waiting--
		srv.mu.Unlock()
		s.conn.Close()
		return
	}
	defer srv.mu.Unlock()
	srv.sockets[s] = struct{}{}
	srv.serving.Go(func() {
		srv.run(s)
		srv.mu.Lock()
		delete(srv.sockets, s)
		srv.mu.Unlock()
	})
}

// run is the goroutine of a socket.
func (srv *Server) run(s *socket) {
	p, id, err := srv.authenticate(s)
	if err == nil {
		srv.awaitOpen(p)
	}
	srv.leave()
	if err == nil && !p.attach(s, id) {
		err = srv.refuse(s, id, T00UnreachableError, errNotReady)
	}
	if err != nil {
		s.conn.Close()
		return
	}
	p.detach(s, s.read())
}

// awaitOpen keeps a client that is early until its account is open: a program
// often listens before it runs its connector, and some clients give up for
// good when they are refused once.
func (srv *Server) awaitOpen(p *Peer) {
	select {
	case <-p.ready:
		return
	default:
	}
	patience := time.NewTimer(srv.limits.AuthTimeout)
	defer patience.Stop()
	select {
	case <-p.ready:
	case <-srv.stopping:
	case <-patience.C:
	}
}

// authenticate waits for the client's first packet, and gives the account that
// it names, and its request id (BTP-20). On an error the client has been told,
// and s is at its end.
func (srv *Server) authenticate(s *socket) (p *Peer, id uint32, err error) {
	s.conn.SetReadLimit(min(maxAuthMessage, srv.limits.MaxMessage))
	if err := s.conn.SetReadDeadline(time.Now().Add(srv.limits.AuthTimeout)); err != nil {
		return nil, 0, err
	}
	message, err := s.conn.ReadMessage()
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.conn.Shutdown(wsconn.CodePolicy, "no authentication")
		}
		return nil, 0, err
	}
	if err := s.packet.Decode(message); err != nil {
		s.conn.Shutdown(wsconn.CodeInvalidPayload, "unreadable BTP packet")
		return nil, 0, err // not answered (BTP-33)
	}
	id = s.packet.RequestID
	username, token, err := readAuth(&s.packet)
	if err != nil {
		return nil, id, srv.refuse(s, id, F00NotAcceptedError, err)
	}
	if p = srv.accounts.find(username, token); p == nil {
		return nil, id, srv.refuse(s, id, F00NotAcceptedError, errCredentials)
	}
	s.conn.SetReadLimit(srv.limits.MaxMessage)
	return p, id, s.conn.SetReadDeadline(time.Time{})
}

var errNotReady = errors.New("the account is not ready")

// refuse answers the first packet with an Error and closes (BTP-21). No other
// socket notices.
func (srv *Server) refuse(s *socket, id uint32, code Code, reason error) error {
	if n := srv.refused.Add(1); bits.OnesCount64(n) == 1 { // the first, and each time their number doubled
		srv.log.Warn("btp: authentication refused", slog.String("reason", reason.Error()),
			slog.String("remote", s.conn.RemoteAddr().String()), slog.Uint64("times", n))
	}
	if err := s.write(&Packet{Type: TypeError, RequestID: id, Error: *Errorf(code, "%v", reason)}); err != nil {
		return err
	}
	s.conn.Shutdown(wsconn.CodePolicy, reason.Error())
	// Until the client has closed too: what it has not been sent yet would be
	// lost if the connection were cut.
	for {
		if _, err := s.conn.ReadMessage(); err != nil {
			return err
		}
	}
}
