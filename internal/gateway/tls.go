package gateway

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sealane/sealane/internal/readlimit"
)

// maxPEM limits a PEM file, in bytes.
const maxPEM = 1 << 20

// serverTLS is the TLS of a listener, whose certificate can be renewed while it serves.
type serverTLS struct {
	filePair
	config  *tls.Config
	issuers issuers // of client certificates
}

// issuers are the certificates of issuers in a file.
type issuers struct {
	file         string
	certificates []*x509.Certificate
}

// filePair is a certificate and its key in files, which can be renewed while they are in use.
type filePair struct {
	certificateFile, keyFile string
	current                  atomic.Pointer[tls.Certificate]
}

// newServerTLS returns nil for nil.
func newServerTLS(c *ServerTLS, dir string) (*serverTLS, error) {
	if c == nil {
		return nil, nil
	}
	t := &serverTLS{filePair: filePair{certificateFile: c.Certificate.in(dir), keyFile: c.Key.in(dir)}}
	_, err := t.reload()
	t.config = &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.current.Load(), nil },
	}
	if c.ClientCA != "" {
		pool, issuers, _, poolErr := readPool(c.ClientCA.in(dir))
		err, t.issuers = errors.Join(err, poolErr), issuers
		t.config.ClientCAs, t.config.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// reload reads the certificate and the key again. A pair that does not match is refused, and the one
// before stays.
func (t *filePair) reload() (changed bool, err error) {
	pair, _, err := readPair(t.certificateFile, t.keyFile)
	if err != nil {
		return false, err
	}
	if now := t.current.Load(); now != nil && bytes.Equal(now.Certificate[0], pair.Certificate[0]) &&
		len(now.Certificate) == len(pair.Certificate) {
		return false, nil
	}
	t.current.Store(pair)
	return true, nil
}

// readPair reads a certificate and its key, and returns the SHA-256 of both files.
func readPair(certificateFile, keyFile string) (*tls.Certificate, [sha256.Size]byte, error) {
	var none [sha256.Size]byte
	certificate, errCertificate := readlimit.File(certificateFile, maxPEM)
	key, errKey := readlimit.File(keyFile, maxPEM)
	defer clear(key)
	if err := errors.Join(errCertificate, errKey); err != nil {
		return nil, none, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, none, fmt.Errorf("certificate %s with key %s: %w", certificateFile, keyFile, err)
	}
	h := sha256.New()
	h.Write(certificate)
	h.Write(key)
	return &pair, [sha256.Size]byte(h.Sum(nil)), nil
}

// readPool reads certificates of issuers. What can't be read of them is left out, as crypto/x509 does it.
func readPool(file string) (*x509.CertPool, issuers, []byte, error) {
	data, err := readlimit.File(file, maxPEM)
	if err != nil {
		return nil, issuers{}, nil, err
	}
	pool, found := x509.NewCertPool(), issuers{file: file}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			pool.AddCert(c)
			found.certificates = append(found.certificates, c)
		}
	}
	if len(found.certificates) == 0 {
		return nil, issuers{}, nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return pool, found, data, nil
}

// clientTLS is the TLS to an upstream.
type clientTLS struct {
	config  *tls.Config       // nil: the defaults
	ours    *filePair         // our certificate there, or nil
	issuers issuers           // of the upstream's
	sum     [sha256.Size]byte // of all files
}

func newClientTLS(c *ClientTLS, dir string) (of clientTLS, err error) {
	if c == nil {
		return of, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.Name}
	h := sha256.New()
	var errs []error
	if c.CA != "" {
		pool, issuers, data, err := readPool(c.CA.in(dir))
		errs = append(errs, err)
		t.RootCAs, of.issuers = pool, issuers
		h.Write(data)
	}
	if c.Certificate != "" {
		pair, pairSum, err := readPair(c.Certificate.in(dir), c.Key.in(dir))
		errs = append(errs, err)
		ours := &filePair{certificateFile: c.Certificate.in(dir), keyFile: c.Key.in(dir)}
		ours.current.Store(pair)
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return ours.current.Load(), nil
		}
		of.ours = ours
		h.Write(pairSum[:])
	}
	h.Sum(of.sum[:0])
	of.config = t
	return of, errors.Join(errs...)
}
