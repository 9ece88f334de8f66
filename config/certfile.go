package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"time"
)

func (c *Certificate) readNode(d *decoder, path string, n *node) {
	d.certificate(path, n, c, func() (certFile, keyFile, authorities string) { return c.CertFile, c.KeyFile, c.Authorities })
}

func (c *ClientTLS) readNode(d *decoder, path string, n *node) {
	d.certificate(path, n, c, func() (certFile, keyFile, authorities string) { return c.CertFile, c.KeyFile, c.Authorities })
}

// certificate reads the names of files into v, and has the files looked at when
// everything else was. In a record that somebody gives to the admin API they
// are not, until they are used: who may add accounts is not to find out by it
// which files there are.
func (d *decoder) certificate(path string, n *node, v any, files func() (certFile, keyFile, authorities string)) {
	if !d.is(path, n, object) {
		return
	}
	d.structure(path, n, reflect.ValueOf(v).Elem())
	if d.secrets != nil {
		certFile, keyFile, authorities := files()
		d.later = append(d.later, func() { d.certificateFiles(path, certFile, keyFile, authorities) })
	}
}

// certificateFiles reports which of the files that an option names are missing,
// are of no use, or do not belong together: with the configuration, and not when
// the first client comes.
func (f *faults) certificateFiles(path, certFile, keyFile, authorities string) {
	now := time.Now()
	cert, okCert := f.pemFile(at(path, "certFile"), certFile)
	key, okKey := f.pemFile(at(path, "keyFile"), keyFile)
	switch {
	case !okCert || !okKey || certFile == "" && keyFile == "":
	case keyFile == "":
		f.add(at(path, "keyFile"), "is missing: a certificate is shown with its private key")
	case certFile == "":
		f.add(at(path, "certFile"), "is missing: a private key is of no use without its certificate")
	default:
		f.pair(path, certFile, keyFile, cert, key, now)
	}
	if text, ok := f.pemFile(at(path, "authorities"), authorities); ok && authorities != "" {
		f.authorities(at(path, "authorities"), authorities, text, now)
	}
}

// pemFile reads a file, if there is one.
func (f *faults) pemFile(path, name string) (text []byte, ok bool) {
	if name == "" {
		return nil, true
	}
	text, err := os.ReadFile(name)
	if err != nil {
		if about, is := errors.AsType[*fs.PathError](err); is {
			err = about.Err // the name is said
		}
		f.add(path, "is %q, which cannot be read: %v", name, err)
	}
	return text, err == nil
}

func (f *faults) pair(path, certFile, keyFile string, cert, key []byte, now time.Time) {
	all, err := certificates(cert)
	switch {
	case err != nil:
		f.add(at(path, "certFile"), "is %q, which is no chain of certificates in PEM: %v", certFile, err)
	case now.After(all[0].NotAfter):
		f.add(at(path, "certFile"), "is %q, which has expired on %s: renew it", certFile, all[0].NotAfter.Format(time.RFC3339))
	case now.Before(all[0].NotBefore):
		f.add(at(path, "certFile"), "is %q, which is not valid before %s: wait, or set the clock", certFile, all[0].NotBefore.Format(time.RFC3339))
	default:
		if _, err := tls.X509KeyPair(cert, key); err != nil {
			f.add(at(path, "keyFile"), "is %q, which is not the key of %q: %v", keyFile, certFile, err)
		}
	}
}

// authorities may be a bundle of which some have expired.
func (f *faults) authorities(path, name string, text []byte, now time.Time) {
	all, err := certificates(text)
	if err != nil {
		f.add(path, "is %q, which has no certificates in PEM: %v", name, err)
		return
	}
	for _, c := range all {
		if !now.After(c.NotAfter) {
			return
		}
	}
	f.add(path, "is %q, whose certificates have all expired, the last one in it on %s: renew them", name, all[len(all)-1].NotAfter.Format(time.RFC3339))
}

var errNoCertificate = errors.New("there is none")

// certificates gives those of a PEM file, of which there is one at least.
func certificates(text []byte) (all []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errNoCertificate
	}
	return all, nil
}
