package keyfile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/termtext"
)

// File is what [Read] found: a leaf certificate, a public key, or both.
type File struct {
	Format       string              // what the file is, in words
	Certificates []*x509.Certificate // the leaf, then its issuers in order; empty for a bare key
	PublicKey    *rsa.PublicKey      // of the leaf, or the bare one; nil if the leaf's key is not RSA
	KeyID        string              // "kid" of a JWK
}

// The values of File.Format and PrivateInfo.Format.
const (
	FormatPEM             = "certificate in PEM"
	FormatDER             = "certificate in DER"
	FormatBase64          = "certificate in base64 without PEM lines"
	FormatPKCS7PEM        = "PKCS#7 in PEM"
	FormatPKCS7DER        = "PKCS#7 in DER"
	FormatPKCS7Base64     = "PKCS#7 in base64 without PEM lines"
	FormatJWK             = "JWK"
	FormatPublicPEM       = "bare public key in PEM"
	FormatPublicDER       = "bare public key in DER"
	FormatPublicBase64    = "bare public key in base64 without PEM lines"
	FormatPKCS8           = "PKCS#8"
	FormatPKCS8Encrypted  = "encrypted PKCS#8"
	FormatPKCS1           = "PKCS#1"
	FormatPKCS12          = "PKCS#12"
	adviceSendCertificate = "send the X.509 certificate as .pem, .cer, .crt or .p7b"
)

// Read recognises a partner's file by its content, whatever it is called: PEM,
// DER, PKCS#7, base64 without PEM lines, a JWK, or a bare public key; in UTF-8
// or UTF-16, with any line ends and text around the blocks; and PKCS#12 that can
// be seen, without a passphrase or with the empty one, to hold certificates only.
// It demands exactly one leaf certificate or one key. A private key in the file
// is a [PrivateKeyError], whatever else is wrong, and one too in the first 16 MiB of
// a file that is too large to be read; [PrivateKeys] finds all of them.
//
// Issuers are put in order by their names only: trust comes from the checksum
// and the exchange, not from a chain.
func Read(data []byte) (*File, error) {
	if len(data) > maxFile {
		var s search
		s.file(data[:min(len(data), maxSearched)])
		if err := s.err(); err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		return nil, fmt.Errorf("read certificate: the file has %d bytes: at most %d are read; %s", len(data), maxFile, adviceSendCertificate)
	}
	f, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return f, nil
}

func read(data []byte) (*File, error) {
	if isDER(data) {
		if err := refusePrivateText(data); err != nil {
			return nil, err
		}
		return readDER(data, FormatDER, FormatPKCS7DER, FormatPublicDER)
	}
	if kind := javaKeyStore(data); kind != "" {
		return nil, refuseJavaStore(data, kind)
	}
	text, half := plainText(data)
	if err := refusePrivateText(text); err != nil {
		return nil, err
	}
	if half != nil {
		return nil, half
	}
	return readText(text)
}

// readText takes text in which refusePrivateText has found no private key.
func readText(text []byte) (*File, error) {
	text = withoutMentions(text)
	trimmed := bytes.TrimSpace(text)
	if bytes.Contains(text, []byte(pemBegin)) {
		return readPEM(text)
	}
	if bytes.HasPrefix(trimmed, []byte("{")) {
		return readJWK(trimmed)
	}
	if decoded, ok := bareBase64(trimmed); ok {
		if err := refusePrivateText(decoded); err != nil {
			return nil, err
		}
		if isDER(decoded) {
			return readDER(decoded, FormatBase64, FormatPKCS7Base64, FormatPublicBase64)
		}
		if bytes.Contains(decoded, []byte(pemBegin)) {
			return readPEM(withoutMentions(decoded))
		}
	}
	return nil, notRecognised(trimmed)
}

func notRecognised(text []byte) error {
	switch {
	case len(text) == 0:
		return errors.New("the file is empty: " + adviceSendCertificate)
	case bytes.Contains(text, []byte("BEGIN CERTIFICATE")):
		return errors.New("the line BEGIN CERTIFICATE has not its five hyphens: a mail program or word processor changed them; send the file itself as an attachment")
	}
	return fmt.Errorf("its %d bytes are no PEM, DER, PKCS#7, JWK or base64 of these: %s", len(text), adviceSendCertificate)
}

func readPEM(text []byte) (*File, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, err
	}
	f := &File{Format: FormatPEM}
	var certificates []*x509.Certificate
	var bare *rsa.PublicKey
	for _, b := range blocks {
		if err := refusePrivateDER(b.bytes()); err != nil {
			return nil, err
		}
		der, err := b.der()
		if err != nil {
			return nil, err
		}
		kind := recognise(der)
		switch {
		case kind == kindPKCS12:
			found, err := certificatesFromPKCS12(der)
			if err != nil {
				return nil, err
			}
			f.Format = FormatPKCS12
			certificates = append(certificates, found...)
			continue
		case kind.private() != "":
			return nil, privateKeyError(kind, der)
		case strings.HasSuffix(b.label, " PARAMETERS"):
			return nil, fmt.Errorf("line %d begins %s, which are what a key is made with, and neither a key nor a certificate: send the certificate without them", b.firstLine, b.label)
		case kind == kindSPKI || kind == kindPublicPKCS1:
			if bare != nil {
				return nil, errors.New("the file has two public keys: send exactly one")
			}
			if bare, err = parsePublic(kind, der); err != nil {
				return nil, fmt.Errorf("PEM block %q at line %d: %w", b.label, b.firstLine, err)
			}
			continue
		case strings.HasSuffix(b.label, "CERTIFICATE REQUEST"):
			return nil, fmt.Errorf("line %d begins a certificate request, not a certificate: sign it, or make a self-signed certificate, and send that", b.firstLine)
		}
		found, isPKCS7, err := parseCertificates(kind, der)
		if err != nil {
			return nil, fmt.Errorf("PEM block %q at line %d: %w", b.label, b.firstLine, err)
		}
		if isPKCS7 {
			f.Format = FormatPKCS7PEM
		}
		certificates = append(certificates, found...)
	}
	if certificates == nil && bare != nil {
		f.Format = FormatPublicPEM
	}
	return f.with(certificates, bare)
}

func readDER(der []byte, certificate, signedData, public string) (*File, error) {
	kind := recognise(der)
	if kind == kindPKCS12 {
		found, err := certificatesFromPKCS12(der)
		if err != nil {
			return nil, err
		}
		return (&File{Format: FormatPKCS12}).with(found, nil)
	}
	if kind.private() != "" {
		return nil, privateKeyError(kind, der)
	}
	if err := refusePrivateDER(der); err != nil {
		return nil, err
	}
	if err := checkASN1(der); err != nil {
		return nil, fmt.Errorf("the file is damaged: %w", err)
	}
	if kind == kindSPKI || kind == kindPublicPKCS1 {
		pub, err := parsePublic(kind, der)
		if err != nil {
			return nil, err
		}
		return (&File{Format: public}).with(nil, pub)
	}
	found, isPKCS7, err := parseCertificates(kind, der)
	if err != nil {
		return nil, err
	}
	f := &File{Format: certificate}
	if isPKCS7 {
		f.Format = signedData
	}
	return f.with(found, nil)
}

func readJWK(text []byte) (*File, error) {
	keys, err := jwkObjects(text)
	if err != nil {
		return nil, err
	}
	// A private key anywhere in the set must not hide behind the count.
	if e := privateAmong(keys); e != nil {
		return nil, e
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
	return (&File{Format: FormatJWK, KeyID: keyID}).with(certificates, pub)
}

// with completes the file and holds its parts against each other.
func (f *File) with(certificates []*x509.Certificate, bare *rsa.PublicKey) (*File, error) {
	f.PublicKey = bare
	if len(certificates) == 0 {
		if bare == nil {
			return nil, errors.New("there is no certificate in the file: " + adviceSendCertificate)
		}
		return f, nil
	}
	chain, err := orderChain(certificates)
	if err != nil {
		return nil, err
	}
	if bare != nil && !samePublicKey(chain[0].PublicKey, bare) {
		return nil, errors.New("the public key in the file is not the one of the certificate: send the certificate alone")
	}
	f.Certificates = chain
	f.PublicKey, _ = chain[0].PublicKey.(*rsa.PublicKey)
	return f, nil
}

// orderChain puts the only leaf first and its issuers after it.
func orderChain(found []*x509.Certificate) ([]*x509.Certificate, error) {
	var leaves, issuers []*x509.Certificate
	for i, c := range found {
		twice := slices.ContainsFunc(found[:i], c.Equal)
		switch {
		case twice:
		case c.IsCA:
			issuers = append(issuers, c)
		default:
			leaves = append(leaves, c)
		}
	}
	if n := len(leaves) + len(issuers); n > maxCertificates {
		return nil, fmt.Errorf("the file has %d certificates: at most %d are read; send the certificate and its chain only", n, maxCertificates)
	}
	switch {
	case len(leaves) == 0 && len(issuers) == 1:
		// What openssl req -x509 makes by itself says CA:TRUE; Check judges it.
		return issuers, nil
	case len(leaves) == 0:
		return nil, fmt.Errorf("the file has %d certificates, all of CAs (basicConstraints CA:TRUE), %q among them: send the key's own; with openssl req -x509 add -addext basicConstraints=critical,CA:FALSE", len(issuers), termtext.Short(issuers[0].Subject.String()))
	case len(leaves) > 1:
		return nil, fmt.Errorf("the file has %d certificates that are no CA, %q and %q: send exactly the one to be used", len(leaves), termtext.Short(leaves[0].Subject.String()), termtext.Short(leaves[1].Subject.String()))
	}
	chain := leaves
	for last := chain[0]; len(issuers) > 0; last = chain[len(chain)-1] {
		i := slices.IndexFunc(issuers, func(ca *x509.Certificate) bool { return bytes.Equal(ca.RawSubject, last.RawIssuer) })
		if i < 0 {
			return nil, fmt.Errorf("the CA certificate of %q does not belong to the chain of %q: send the certificate with its own issuers, or alone", termtext.Short(issuers[0].Subject.String()), termtext.Short(leaves[0].Subject.String()))
		}
		chain = append(chain, issuers[i])
		issuers = slices.Delete(issuers, i, i+1)
	}
	return chain, nil
}
