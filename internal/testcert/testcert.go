// Package testcert makes the certificates that tests of TLS need: for servers
// and clients of this machine, signed by an authority or by themselves.
package testcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Subject is what a certificate says of its owner.
type Subject struct {
	CommonName string
	// Organization, where it is not empty, is the other part of the
	// distinguished name.
	Organization string
	// Names are DNS names and, where they have a scheme, URIs.
	Names []string
	// Key is the owner's; nil: a new one.
	Key *ecdsa.PrivateKey
	// Until is when the certificate expires; zero: in an hour. It is valid for
	// the two hours before.
	Until time.Time
}

// Named is the Subject of a common name.
func Named(name string) Subject { return Subject{CommonName: name} }

// Authority signs certificates.
type Authority struct {
	// Certificate is its own.
	Certificate tls.Certificate
	// Pool trusts it alone.
	Pool *x509.CertPool
}

// NewAuthority makes an authority that nobody trusts yet.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{Certificate: SelfSigned(t, Named("authority "+rand.Text())), Pool: x509.NewCertPool()}
	a.Pool.AddCert(a.Certificate.Leaf)
	return a
}

// Issue makes a certificate that the authority has signed, for a server or a
// client.
func (a *Authority) Issue(t testing.TB, s Subject) tls.Certificate {
	t.Helper()
	return s.sign(t, &a.Certificate)
}

// SelfSigned makes a certificate that nobody but its owner has signed. It is
// its own authority.
func SelfSigned(t testing.TB, s Subject) tls.Certificate {
	t.Helper()
	return s.sign(t, nil)
}

// Pool trusts these certificates.
func Pool(all ...tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c.Leaf)
	}
	return pool
}

// ReadPool trusts the certificates of a PEM file.
func ReadPool(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s has no certificate", file)
	}
	return pool
}

// NewKey makes a private key.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes the certificate, signed by parent; nil: by itself.
func (s Subject) sign(t testing.TB, parent *tls.Certificate) tls.Certificate {
	t.Helper()
	key := s.Key
	if key == nil {
		key = NewKey(t)
	}
	template := s.template(t)
	signer, by := key, template
	if parent != nil {
		signer, by = parent.PrivateKey.(*ecdsa.PrivateKey), parent.Leaf
	} else {
		template.IsCA = true
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func (s Subject) template(t testing.TB) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	until := s.Until
	if until.IsZero() {
		until = time.Now().Add(time.Hour)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: s.CommonName},
		NotBefore: until.Add(-2 * time.Hour), NotAfter: until, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if s.Organization != "" {
		c.Subject.Organization = []string{s.Organization}
	}
	for _, name := range s.Names {
		if !strings.Contains(name, ":") {
			c.DNSNames = append(c.DNSNames, name)
			continue
		}
		u, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		c.URIs = append(c.URIs, u)
	}
	return c
}

// WriteCertificate puts the chain of c into a PEM file, in the place of the
// former one as a renewal does: by a new file under the old name.
func WriteCertificate(t testing.TB, file string, c tls.Certificate) {
	t.Helper()
	var text []byte
	for _, raw := range c.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	replace(t, file, text)
}

// WriteKey puts the private key of c into a PEM file.
func WriteKey(t testing.TB, file string, c tls.Certificate) {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// WritePair puts c into the files cert.pem and key.pem of a directory.
func WritePair(t testing.TB, dir string, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	WriteCertificate(t, certFile, c)
	WriteKey(t, keyFile, c)
	return certFile, keyFile
}

func replace(t testing.TB, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}
