package ilphttp_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
)

// trust is the TLS configuration of a client of s.
func trust(s *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots}
}
