package keyfile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/unpack"
)

// File is the content of a partner's file: a certificate, a public key, or both.
type File struct {
	Format Format
	// Certificates are the leaf and its issuers in order. It is empty for a bare key.
	Certificates []*x509.Certificate
	// Unused are other CA certificates of the file, which are not needed for the chain or do
	// not belong to it.
	Unused []*x509.Certificate
	// PublicKey is the key of the leaf, or the bare key. It is nil if the key of the
	// leaf is not RSA.
	PublicKey *rsa.PublicKey
	// KeyID is the "kid" of a JWK.
	KeyID string
}

const adviceSendCertificate = "send the X.509 certificate as .pem, .cer, .crt or .p7b"

// Parse recognizes a partner's file by its content: PEM, DER, PKCS#7, PkiPath, base64 without
// PEM lines, a JWK, or a bare public key; in UTF-8 or UTF-16, with any line ends, with text
// around the blocks, and quoted, escaped or printed as in a mail, a page, JSON, XML or a program. The
// certificate may be in a saved mail, a message of Outlook or an archive. Parse accepts PKCS#12 only if it
// can see, without a passphrase or with the empty one, that the file has no key.
//
// The file must have exactly one leaf certificate or one key. If there is a private
// key, the error is a [PrivateKeyError], whatever else is wrong. That also holds for
// the first 16 MiB of a file that is too large. [FindPrivateKeys] finds all of them.
//
// Parse puts the issuers in order by their names only. It verifies no chain: trust
// comes from comparing checksums.
func Parse(data []byte) (*File, error) {
	f, err := parseFile(data)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return f, nil
}

func parseFile(data []byte) (*File, error) {
	opened := unpack.Open(data[:min(len(data), maxSearched)], SignedContent)
	if !opened.Holds() && len(data) <= MaxSize {
		return parse(data)
	}
	var s search
	s.opened(opened, data[:min(len(data), maxSearched)])
	if err := s.err(); err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the file has %d bytes: at most %d are read; %s",
			len(data), MaxSize, adviceSendCertificate)
	}
	return parseParts(opened, filekind.Of(data))
}

func parsePEM(text []byte) (*File, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, err
	}
	content := pemContent{format: FormatPEM}
	var extra error // what is no certificate, but comes with one
	for _, b := range blocks {
		if strings.HasPrefix(b.label, "PGP ") {
			continue // the signature of the mail, or the sender's key
		}
		switch err := content.add(b); {
		case errors.Is(err, errNoCertificate):
			extra = err
		case err != nil:
			return nil, err
		}
	}
	if extra != nil && len(content.certificates) == 0 {
		return nil, extra
	}
	if len(content.certificates) == 0 && content.bare == nil && bytes.Contains(text, []byte(pemBegin+"PGP ")) {
		return nil, notRecognized(text, filekind.PGPPublic)
	}
	if content.certificates == nil && content.bare != nil {
		content.format = FormatPublicPEM
	}
	return newFile(content.format, content.certificates, content.bare)
}

// errNoCertificate means that a block is harmless where there is a certificate, such as its request.
var errNoCertificate = errors.New("not a certificate")

// pemContent collects what the PEM blocks of a file hold.
type pemContent struct {
	format       Format
	certificates []*x509.Certificate
	bare         *rsa.PublicKey
}

func (p *pemContent) add(b pemBlock) error {
	if err := refusePrivateDER(b.bytes()); err != nil {
		return err
	}
	der, err := b.der()
	if err != nil {
		return err
	}
	kind := recognize(der)
	switch {
	case kind == kindPKCS12:
		found, err := certificatesFromPKCS12(der)
		if err != nil {
			return err
		}
		p.format = FormatPKCS12
		p.certificates = append(p.certificates, found...)
		return nil
	case kind.private() != "":
		return privateKeyError(kind, der)
	case strings.HasSuffix(b.label, " PARAMETERS"):
		return fmt.Errorf("line %d begins %s, from which a key is made; they are neither a key nor a certificate: "+
			"send the certificate without them", b.firstLine, b.label)
	case kind == kindSPKI || kind == kindPublicPKCS1:
		if p.bare != nil {
			return errors.New("the file has two public keys: send exactly one")
		}
		if p.bare, err = parsePublic(kind, der); err != nil {
			return fmt.Errorf("PEM block %q at line %d: %w", b.label, b.firstLine, err)
		}
		return nil
	case strings.HasSuffix(b.label, "CERTIFICATE REQUEST"):
		return fmt.Errorf("line %d begins a certificate request, %w: "+
			"sign it, or make a self-signed certificate, and send that", b.firstLine, errNoCertificate)
	case kind == kindRevocations:
		_, _, err := parseCertificates(kind, der)
		return fmt.Errorf("PEM block %q at line %d: %w: %w", b.label, b.firstLine, errNoCertificate, err)
	}
	found, isPKCS7, err := parseCertificates(kind, der)
	if err != nil {
		return fmt.Errorf("PEM block %q at line %d: %w", b.label, b.firstLine, err)
	}
	if isPKCS7 {
		p.format = FormatPKCS7PEM
	}
	p.certificates = append(p.certificates, found...)
	return nil
}

func parseDER(der []byte, certificate, signedData, public Format) (*File, error) {
	kind := recognize(der)
	if kind == kindPKCS12 {
		found, err := certificatesFromPKCS12(der)
		if err != nil {
			return nil, err
		}
		return newFile(FormatPKCS12, found, nil)
	}
	if kind.private() != "" {
		return nil, privateKeyError(kind, der)
	}
	if err := refusePrivateDER(der); err != nil {
		return nil, err
	}
	if list := severalDER(der); list != nil {
		found, err := parseAll(list)
		if err != nil {
			return nil, err
		}
		return newFile(certificate, found, nil)
	}
	if err := checkASN1(der); err != nil {
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	if kind == kindSPKI || kind == kindPublicPKCS1 {
		pub, err := parsePublic(kind, der)
		if err != nil {
			return nil, err
		}
		return newFile(public, nil, pub)
	}
	found, isPKCS7, err := parseCertificates(kind, der)
	if err != nil {
		return nil, err
	}
	if isPKCS7 {
		return newFile(signedData, found, nil)
	}
	return newFile(certificate, found, nil)
}

func parseJWK(text []byte) (*File, error) {
	keys, err := jwkObjects(text)
	if err != nil {
		return nil, err
	}
	// If the set has several keys, a private one must be reported before their number.
	var s search
	s.jwks(keys)
	if err := s.err(); err != nil {
		return nil, err
	}
	object, err := onlyJWK(keys)
	if err != nil {
		return nil, err
	}
	pub, keyID, err := rsaFromJWK(object)
	if err != nil {
		return nil, err
	}
	if err := checkJWKUse(object); err != nil {
		return nil, err
	}
	certificates, err := certificatesFromJWK(object, pub)
	if err != nil {
		return nil, err
	}
	f, err := newFile(FormatJWK, certificates, pub)
	if err != nil {
		return nil, err
	}
	f.KeyID = keyID
	return f, nil
}

// newFile puts the certificates in order and compares the bare key, if there is one,
// with that of the leaf.
func newFile(format Format, certificates []*x509.Certificate, bare *rsa.PublicKey) (*File, error) {
	f := &File{Format: format, PublicKey: bare}
	if len(certificates) == 0 {
		if bare == nil {
			return nil, errors.New("there is no certificate in the file: " + adviceSendCertificate)
		}
		return f, nil
	}
	chain, unused, err := orderChain(certificates)
	if err != nil {
		return nil, err
	}
	if bare != nil && !bare.Equal(chain[0].PublicKey) {
		return nil, errors.New("the public key in the file is not the one of the certificate: " +
			"send the certificate alone")
	}
	f.Certificates, f.Unused = chain, unused
	f.PublicKey, _ = chain[0].PublicKey.(*rsa.PublicKey)
	return f, nil
}
