package wsconn

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/interledger-go/connector/internal/replay"
)

// handshakeTimeout bounds the writing of the answer to a handshake.
const handshakeTimeout = 10 * time.Second

// IsUpgrade reports whether r asks for a WebSocket.
func IsUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Accept takes the connection of a request that asks for a WebSocket, answers
// the handshake and returns the connection, which no longer belongs to the
// http.Server. After an error the request has been answered: with 426 where
// it asks for no WebSocket.
func Accept(w http.ResponseWriter, r *http.Request, o Options) (*Conn, error) {
	if !IsUpgrade(r) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "This is a WebSocket endpoint.", http.StatusUpgradeRequired)
		return nil, fmt.Errorf("websocket: request of %s without an upgrade", r.RemoteAddr)
	}
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: handshakeTimeout}.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, fmt.Errorf("websocket: handshake of %s: %w", r.RemoteAddr, err)
	}
	rest := make([]byte, rw.Reader.Buffered())
	if _, err := io.ReadFull(rw.Reader, rest); err != nil {
		conn.Close()
		return nil, fmt.Errorf("websocket: handshake of %s: %w", r.RemoteAddr, err)
	}
	return newConn(replay.Bare(conn), false, o, rest), nil
}
