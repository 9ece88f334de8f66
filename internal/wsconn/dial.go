package wsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/gobwas/ws"
)

// maxHandshake bounds what a server may answer to the handshake, in bytes.
const maxHandshake = 64 << 10

// Dial opens a connection to rawURL, a ws:// or wss:// URL without user
// information. ctx bounds the call. A server that answers with another status
// than 101 gives a StatusError.
func Dial(ctx context.Context, rawURL string, o Options) (*Conn, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || (u.Scheme != "ws" && u.Scheme != "wss") || u.User != nil {
		return nil, errors.New("websocket: the URL must be ws://host[:port][/path] or wss://host[:port][/path]")
	}
	conn, err := dialNet(ctx, u, o)
	if err != nil {
		return nil, fmt.Errorf("websocket: dial %s: %w", u.Host, err)
	}
	rest, err := upgrade(ctx, conn, u)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("websocket: handshake with %s: %w", u.Host, err)
	}
	return newConn(conn, true, o, rest), nil
}

// dialNet connects, with TLS where the URL asks for it.
func dialNet(ctx context.Context, u *url.URL, o Options) (net.Conn, error) {
	dial := o.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil || u.Scheme == "ws" {
		return conn, err
	}
	config := o.TLS.Clone() // nil stays nil
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName = u.Hostname()
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// upgrade makes the handshake on conn, and returns what the server has sent
// behind its answer.
func upgrade(ctx context.Context, conn net.Conn, u *url.URL) (rest []byte, err error) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0)) // long ago: wakes whoever reads or writes
		close(interrupted)
	})
	br, _, err := ws.Dialer{}.Upgrade(struct {
		io.Reader
		io.Writer
	}{io.LimitReader(conn, maxHandshake), conn}, u)
	if !stop() {
		<-interrupted
		return nil, context.Cause(ctx)
	}
	if status, ok := errors.AsType[ws.StatusError](err); ok {
		return nil, StatusError(status)
	}
	if err != nil {
		return nil, err
	}
	if br != nil {
		rest = make([]byte, br.Buffered())
		_, err = io.ReadFull(br, rest)
		ws.PutReader(br)
	}
	return rest, err
}
