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
	p, err := srv.authenticate(s)
	srv.leave()
	if err != nil {
		s.conn.Close()
		return
	}
	err = s.read()
	p.detach(s, err)
}

// authenticate waits for the client's first packet, and makes s a socket of
// the account that it names (BTP-20, BTP-22). On an error the client has been
// told, and s is at its end.
func (srv *Server) authenticate(s *socket) (*Peer, error) {
	s.conn.SetReadLimit(min(maxAuthMessage, srv.limits.MaxMessage))
	if err := s.conn.SetReadDeadline(time.Now().Add(srv.limits.AuthTimeout)); err != nil {
		return nil, err
	}
	message, err := s.conn.ReadMessage()
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.conn.Shutdown(wsconn.CodePolicy, "no authentication")
		}
		return nil, err
	}
	if err := s.packet.Decode(message); err != nil {
		s.conn.Shutdown(wsconn.CodeInvalidPayload, "unreadable BTP packet")
		return nil, err // not answered (BTP-33)
	}
	id := s.packet.RequestID
	username, token, err := readAuth(&s.packet)
	if err != nil {
		return nil, srv.refuse(s, id, F00NotAcceptedError, err)
	}
	p := srv.accounts.find(username, token)
	if p == nil {
		return nil, srv.refuse(s, id, F00NotAcceptedError, errCredentials)
	}
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	s.conn.SetReadLimit(srv.limits.MaxMessage)
	if !p.attach(s, id) {
		return nil, srv.refuse(s, id, T00UnreachableError, errNotReady)
	}
	return p, nil
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
