// Package tlsfile serves TLS from certificates in files, and reads them again
// when they have changed: a certificate that is renewed every few weeks, or
// hours, needs no restart, and no connection is lost.
//
//	files, err := tlsfile.Load(tlsfile.Options{Certificate: "cert.pem", Key: "key.pem"})
//	server := ilphttp.NewHTTPServer(mux)
//	server.TLSConfig = files.Server(nil)
//	err = server.ListenAndServeTLS("", "")
//
//	link := btp.NewClient(btp.ClientOptions{URL: url, TLS: files.Client(nil)})
//
// The configurations are for the servers and clients of all links of this
// module, and for any others. With Options.Authorities a server asks its
// clients for certificates, which is mutual TLS; what an account of
// package ilphttp is known by, is in its Credentials.
//
// There is no goroutine, and nothing to close. The files are looked at when
// somebody connects, at most once in an interval. When they cannot be read, or
// do not fit each other, because only one of them has been replaced yet, the
// former ones stay in use.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultCheckEvery is how often the files are looked at, at most.
const DefaultCheckEvery = 10 * time.Second

// Options say which files there are. All are PEM.
type Options struct {
	// Certificate is the chain that we show, our own certificate first, and
	// Key its private key. A client may have neither.
	Certificate, Key string
	// Authorities has the certificates of those who sign the other side's. A
	// server with some asks each client for a certificate and verifies it. A
	// client without trusts whom the system trusts.
	Authorities string
	// CheckEvery is the interval in which the files are looked at once.
	// 0 means DefaultCheckEvery; negative: whenever somebody connects.
	CheckEvery time.Duration
	// Logger gets that files were read again, or could not be. nil: no log.
	Logger *slog.Logger
}

// Files are the certificates that were read last. All methods may be called
// concurrently.
type Files struct {
	options Options
	log     *slog.Logger
	now     atomic.Pointer[loaded]

	mu      sync.Mutex // held while the files are looked at
	checked atomic.Int64
	seen    []os.FileInfo // when they were read last, successfully or not
}

// loaded is never changed.
type loaded struct {
	certificate *tls.Certificate // nil without
	authorities *x509.CertPool   // nil without

	serverMu sync.Mutex
	servers  map[*tls.Config]*tls.Config // by the configuration they are made from
}

// Load reads the files. An error says which one is missing or wrong.
func Load(o Options) (*Files, error) {
	if (o.Certificate == "") != (o.Key == "") {
		return nil, errors.New("tlsfile: a certificate needs its key, and a key its certificate")
	}
	if o.Certificate == "" && o.Authorities == "" {
		return nil, errors.New("tlsfile: there is neither a certificate nor are there authorities")
	}
	if o.CheckEvery == 0 {
		o.CheckEvery = DefaultCheckEvery
	}
	f := &Files{options: o, log: o.Logger}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the files now, whether or not they have changed. After an error
// the former certificates stay in use.
func (f *Files) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = f.stat()
	return f.read()
}

func (f *Files) read() error {
	next := &loaded{servers: make(map[*tls.Config]*tls.Config)}
	if f.options.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(f.options.Certificate, f.options.Key)
		if err != nil {
			return fmt.Errorf("tlsfile: the certificate %s and the key %s: %w", f.options.Certificate, f.options.Key, err)
		}
		next.certificate = &pair
	}
	if f.options.Authorities != "" {
		text, err := os.ReadFile(f.options.Authorities)
		if err != nil {
			return fmt.Errorf("tlsfile: the authorities: %w", err)
		}
		next.authorities = x509.NewCertPool()
		if !next.authorities.AppendCertsFromPEM(text) {
			return fmt.Errorf("tlsfile: the authorities: %s has no certificate", f.options.Authorities)
		}
	}
	f.now.Store(next)
	return nil
}

// stat gives what the file system says of the files; nil for one that is not
// there.
func (f *Files) stat() []os.FileInfo {
	var all []os.FileInfo
	for _, name := range []string{f.options.Certificate, f.options.Key, f.options.Authorities} {
		if name != "" {
			info, _ := os.Stat(name)
			all = append(all, info)
		}
	}
	return all
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// current gives what is to be used for a connection that begins now.
func (f *Files) current() *loaded {
	now := time.Now().UnixNano()
	if now-f.checked.Load() < int64(f.options.CheckEvery) || !f.mu.TryLock() {
		return f.now.Load()
	}
	defer f.mu.Unlock()
	f.checked.Store(now)
	seen := f.stat()
	if slices.EqualFunc(seen, f.seen, same) {
		return f.now.Load()
	}
	f.seen = seen
	if err := f.read(); err != nil {
		f.log.Warn("tlsfile: files have changed and cannot be used", slog.Any("error", err))
	} else {
		f.log.Info("tlsfile: files were read again", slog.String("certificate", f.options.Certificate))
	}
	return f.now.Load()
}

var errNoCertificate = errors.New("tlsfile: there is no certificate: a server needs one")

// Server gives a configuration for servers, made from base, which may be nil
// and is not changed. With Authorities it asks for client certificates and
// verifies them: all clients need one, unless base.ClientAuth is
// tls.VerifyClientCertIfGiven. Without NextProtos in base it offers HTTP/2 and
// HTTP/1.1.
func (f *Files) Server(base *tls.Config) *tls.Config {
	config := clone(base)
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	config.Certificates = nil
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if c := f.current().certificate; c != nil {
			return c, nil
		}
		return nil, errNoCertificate
	}
	if f.options.Authorities == "" {
		return config
	}
	if config.ClientAuth != tls.VerifyClientCertIfGiven {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	inner := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return f.current().server(inner), nil
	}
	return config
}

// server is the configuration made from base with these authorities. It is the
// same one each time, so that clients can resume their sessions until the
// files change.
func (l *loaded) server(base *tls.Config) *tls.Config {
	l.serverMu.Lock()
	defer l.serverMu.Unlock()
	config := l.servers[base]
	if config == nil {
		config = base.Clone()
		config.ClientCAs = l.authorities
		l.servers[base] = config
	}
	return config
}

// Client gives a configuration for clients, made from base, which may be nil
// and is not changed. The certificate that it shows is read again when it has
// changed; the authorities are those of now. With a certificate no sessions are
// resumed, whatever base says: to the server a session is that of the
// certificate which it began with.
func (f *Files) Client(base *tls.Config) *tls.Config {
	config := clone(base)
	if f.options.Authorities != "" {
		config.RootCAs = f.current().authorities
	}
	if f.options.Certificate != "" {
		config.Certificates, config.ClientSessionCache = nil, nil
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return f.current().certificate, nil
		}
	}
	return config
}

func clone(base *tls.Config) *tls.Config {
	if base == nil {
		return &tls.Config{}
	}
	return base.Clone()
}
