package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/interledger-go/connector/plugin/ilphttp"
	"github.com/interledger-go/connector/tlsfile"
)

// Listen is the part that a plugin has in a listener.
type Listen struct {
	// Option is the name of the option that asks for it, for faults.
	Option string
	// Address is host:port, as net.Listen takes it, and Path that of the URL;
	// "/" is every path that nobody else serves.
	Address, Path string
	// TLS is the certificate; nil: none. It is the same for all at an address.
	TLS *Certificate
	// Kind says what serves at Address and Path. Plugins share what serves
	// there if it is the same.
	Kind string
	// Claim tells apart those that share it: two of the same cannot.
	Claim string

	account string // whose it is
	path    string // of the option in the configuration, where it is no plugin's
}

func (l Listen) tls() Certificate {
	if l.TLS == nil {
		return Certificate{}
	}
	return *l.TLS
}

func (l Listen) String() string {
	scheme := "http"
	if l.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s%s (%s)", scheme, l.Address, l.Path, l.Kind)
}

// listeners are the addresses that are listened on, each for as long as
// somebody takes part in it.
type listeners struct {
	logger *slog.Logger
	// Of each listener, see Config.
	maxUnauthenticated, maxConnections int

	mu        sync.Mutex // guards what follows, and the places of listeners
	byAddress map[string]*listener
}

// listener is one address.
type listener struct {
	address string
	tls     Certificate
	server  *http.Server
	direct  *ilphttp.Listener                          // before server
	mux     atomic.Pointer[http.ServeMux]              // of places
	packets atomic.Pointer[map[string]*ilphttp.Server] // the places that take packets
	places  map[string]*place                          // by path
	files   *tlsfile.Files                             // nil without TLS
	addr    net.Addr
	serving sync.WaitGroup
}

// place is what serves at one path.
type place struct {
	kind    string
	handler http.Handler
	users   int
}

func newListeners(logger *slog.Logger, c *Config) *listeners {
	return &listeners{logger: logger, maxUnauthenticated: c.MaxUnauthenticated, maxConnections: c.MaxConnections, byAddress: make(map[string]*listener)}
}

// join takes part in a listener; see [Parts.Listen].
func (ls *listeners) join(at Listen, handler func() http.Handler) (http.Handler, func(), error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byAddress[at.Address]
	if l == nil {
		var err error
		if l, err = ls.listen(at); err != nil {
			return nil, nil, err
		}
		ls.byAddress[at.Address] = l
	}
	p := l.places[at.Path]
	switch {
	case l.tls != at.tls():
		return nil, nil, fmt.Errorf("config: %s is served with another certificate: choose another port", at.Address)
	case p != nil && p.kind != at.Kind:
		return nil, nil, fmt.Errorf("config: %s%s is served as %s, not %s: choose another port or path", at.Address, at.Path, p.kind, at.Kind)
	case p == nil:
		p = &place{kind: at.Kind, handler: handler()}
		l.places[at.Path] = p
		l.route()
	}
	p.users++
	return p.handler, sync.OnceFunc(func() { ls.leave(l, at.Path) }), nil
}

// listen begins a listener.
func (ls *listeners) listen(at Listen) (*listener, error) {
	l := &listener{address: at.Address, tls: at.tls(), places: make(map[string]*place)}
	l.route()
	l.server = ilphttp.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.mux.Load().ServeHTTP(w, r) }))
	ilphttp.LimitConnections(l.server, ls.maxUnauthenticated, ls.maxConnections)
	l.server.ErrorLog = slog.NewLogLogger(ls.logger.Handler(), slog.LevelDebug)
	if at.TLS != nil {
		files, err := at.TLS.load(ls.logger)
		if err != nil {
			return nil, err
		}
		l.files, l.server.TLSConfig = files, files.Server(nil)
	}
	// Listening takes no time, so there is no context to end it with.
	socket, err := net.Listen("tcp", at.Address)
	if err != nil {
		return nil, fmt.Errorf("config: cannot listen on %s: %w", at.Address, err)
	}
	l.addr = socket.Addr()
	l.direct = ilphttp.NewListener(socket, l.server, func(path string) (*ilphttp.Server, string) {
		return (*l.packets.Load())[path], ""
	})
	l.direct.LimitConnections(ls.maxConnections)
	l.serving.Go(func() {
		if err := l.server.Serve(l.direct); !errors.Is(err, http.ErrServerClosed) {
			ls.logger.Error("a listener has stopped", slog.String("address", l.address), slog.Any("error", err))
		}
	})
	ls.logger.Info("listening", slog.String("address", l.addr.String()), slog.Bool("tls", l.files != nil))
	return l, nil
}

// route makes the places those that requests are served by.
func (l *listener) route() {
	mux, packets := http.NewServeMux(), make(map[string]*ilphttp.Server)
	for path, p := range l.places {
		mux.Handle(path, p.handler)
		if srv, ok := p.handler.(*ilphttp.Server); ok {
			packets[path] = srv
		}
	}
	l.mux.Store(mux)
	l.packets.Store(&packets)
}

// leave takes one user from a place; the last one of an address ends its
// listener.
func (ls *listeners) leave(l *listener, path string) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	p := l.places[path]
	if p.users--; p.users > 0 {
		return
	}
	delete(l.places, path)
	l.route()
	if len(l.places) == 0 {
		delete(ls.byAddress, l.address)
		l.close()
	}
}

// close ends a listener. Its packets have been answered, or their accounts
// closed.
func (l *listener) close() {
	l.server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), serveTimeout)
	defer cancel()
	_ = l.direct.Shutdown(ctx) // connections that do not end in time are closed
	l.serving.Wait()
}

// address is where at is listened on, with the port that was chosen for 0;
// nil if it is not.
func (ls *listeners) address(at string) net.Addr {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.byAddress[at]; l != nil {
		return l.addr
	}
	return nil
}

// reload reads all certificates again.
func (ls *listeners) reload() error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var faults []error
	for _, l := range ls.byAddress {
		if l.files != nil {
			faults = append(faults, l.files.Reload())
		}
	}
	return errors.Join(faults...)
}

// close ends all listeners.
func (ls *listeners) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.byAddress {
		l.close()
	}
	clear(ls.byAddress)
}

// load reads the files.
func (c *Certificate) load(logger *slog.Logger) (*tlsfile.Files, error) {
	return tlsfile.Load(tlsfile.Options{Certificate: c.CertFile, Key: c.KeyFile, Authorities: c.Authorities, Logger: logger})
}

// serveTimeout bounds what an http.Server is waited for.
const serveTimeout = 5 * time.Second

// shutdown ends an http.Server when its requests are answered.
func shutdown(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), serveTimeout)
	defer cancel()
	err := s.Shutdown(ctx)
	if err != nil {
		err = cmp.Or(s.Close(), err)
	}
	return err
}
