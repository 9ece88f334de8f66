package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/interledger-go/connector/internal/idleconns"
	"github.com/interledger-go/connector/tlsfile"
)

// adminServer serves the admin API.
type adminServer struct {
	server  *http.Server
	socket  net.Listener
	addr    net.Addr
	logger  *slog.Logger
	files   *tlsfile.Files // nil without TLS
	handler http.Handler
	serving sync.WaitGroup
	ended   func() error
}

// maxAdminHeader is the longest head of a request to the admin API, in bytes: a
// browser may bring what other programs on this machine have it keep.
const maxAdminHeader = 64 << 10

// buildAdmin listens for the admin API, if there is one.
func (a *Assembly) buildAdmin() error {
	c := &a.plan.config
	if !c.AdminAPI {
		return nil
	}
	handler, err := a.adminHandler()
	if err != nil {
		return fmt.Errorf("config: the admin API: %w", err)
	}
	s := &adminServer{logger: a.logger, handler: handler, server: &http.Server{
		Handler: idleconns.EndBodies(handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxAdminHeader,
		ConnState:      idleconns.New(c.MaxUnauthenticated, c.MaxConnections).ConnState,
		ErrorLog:       slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
	}}
	if streams, ok := handler.(interface{ Close() }); ok { // they would not end by themselves
		s.server.RegisterOnShutdown(streams.Close)
	}
	if c.AdminAPITLS != nil {
		if s.files, err = c.AdminAPITLS.load(a.logger); err != nil {
			return err
		}
	}
	address := net.JoinHostPort(c.AdminAPIHost, portText(c.AdminAPIPort))
	if s.socket, err = net.Listen("tcp", address); err != nil {
		return fmt.Errorf("config: the admin API cannot listen on %s: %w", address, err)
	}
	s.addr = s.socket.Addr()
	if s.files != nil {
		s.socket = tls.NewListener(s.socket, s.files.Server(nil))
	}
	s.ended = sync.OnceValue(func() error {
		err := shutdown(s.server)
		s.socket.Close() // if it was never served
		s.serving.Wait()
		return err
	})
	a.admin = s
	return nil
}

// adminHandler gives what the host serves. Where it has nothing, others can
// still see whether the process is alive.
func (a *Assembly) adminHandler() (http.Handler, error) {
	if a.options.Admin != nil {
		return a.options.Admin(a)
	}
	a.logger.Warn("configuration", slog.String("note", "adminApi: this program serves GET /healthz alone"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux, nil
}

func (s *adminServer) start() {
	s.logger.Info("the admin API listens", slog.String("address", s.addr.String()))
	s.serving.Go(func() {
		if err := s.server.Serve(s.socket); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("the admin API has stopped", slog.Any("error", err))
		}
	})
}

func (s *adminServer) stop() error { return s.ended() }

// tokenSetter is a handler whose tokens can be changed while it serves; see
// admin.Handler.SetTokens.
type tokenSetter interface {
	SetTokens(tokens, readTokens []string, loopbackWithoutToken bool) error
}

// tokens is the handler, if its tokens can be changed; nil if not.
func (s *adminServer) tokens() tokenSetter {
	setter, _ := s.handler.(tokenSetter)
	return setter
}
