package keyfile

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/termtext"
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
// around the blocks, and quoted or escaped as in a mail, a page, JSON or XML. The certificate
// may be in a saved mail, a message of Outlook or an archive. Parse accepts PKCS#12 only if it
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

// parseParts returns the certificate in a file that holds others.
func parseParts(opened *unpack.File, kind filekind.Kind) (*File, error) {
	var files []*File
	var reasons []string
	for _, t := range opened.Troubles {
		reasons = append(reasons, strings.TrimPrefix(t.Name+": "+t.Text, ": "))
	}
	for _, p := range opened.Parts {
		f, err := parse(p.Data)
		switch {
		case err == nil && (p.Name != "" || len(f.Certificates) > 0): // the text may quote a key
			files = append(files, f)
		case err != nil && p.Name != "" && !p.Kind.Ornament():
			reasons = append(reasons, fmt.Sprintf("%s: %v", termtext.Short(p.Name), err))
		}
	}
	if len(files) == 0 {
		what := cmp.Or(kind.String(), "a file that holds others")
		if opened.Mails > 0 && kind == filekind.Unknown {
			what = "a mail"
		}
		if len(reasons) == 0 {
			return nil, fmt.Errorf("this is %s, and there is no certificate in it: %s", what, adviceSendCertificate)
		}
		const most = 5
		return nil, fmt.Errorf("this is %s, and there is no certificate in it: %s",
			what, strings.Join(reasons[:min(len(reasons), most)], "; "))
	}
	return Join(files)
}

// Join returns what is in several files as if it were in one: a leaf and its issuers may have
// come apart. Bare keys count only if there is no certificate.
func Join(files []*File) (*File, error) {
	var certificates []*x509.Certificate
	for _, f := range files {
		certificates = append(append(certificates, f.Certificates...), f.Unused...)
	}
	if len(certificates) == 0 {
		for _, f := range files {
			if !f.PublicKey.Equal(files[0].PublicKey) {
				return nil, errors.New("there are two public keys: send exactly one")
			}
		}
		return files[0], nil
	}
	joined, err := newFile("", certificates, nil)
	if err != nil {
		return nil, err
	}
	of := slices.IndexFunc(files, func(f *File) bool {
		return slices.ContainsFunc(f.Certificates, joined.Certificates[0].Equal)
	})
	joined.Format, joined.KeyID = files[of].Format, files[of].KeyID
	return joined, nil
}

// parse reads a file that holds no others.
func parse(data []byte) (*File, error) {
	if rest := withoutMark(data); isDER(rest) {
		if err := refusePrivateText(rest); err != nil {
			return nil, err
		}
		f, err := parseDER(rest, FormatDER, FormatPKCS7DER, FormatPublicDER)
		if err != nil && lineEndsChanged(rest) {
			return nil,
				errors.New("its line ends were changed, as if it were text, which happens with FTP in text mode: " +
					"transfer it in binary mode, or send it as PEM")
		}
		return f, err
	}
	if kind := keyStore(data); kind != "" {
		return nil, refuseStore(data, kind)
	}
	text, half := plainText(data)
	meant := unpack.Meant(text)
	if err := refusePrivateText(text, meant); err != nil {
		return nil, err
	}
	if half != nil {
		return nil, half
	}
	f, err := parseText(text)
	if err == nil {
		return f, nil
	}
	if meant != nil {
		if f, err := parseText(meant); err == nil {
			return f, nil
		}
	}
	if f := parseEmbedded(text); f != nil {
		return f, nil
	}
	if f := parseEmbedded(meant); f != nil {
		return f, nil
	}
	switch kind := filekind.Of(data); {
	case convertedDER(data):
		return nil, errors.New("it was DER, and a program has converted it as if it were text: " +
			"send it as a binary file, or as PEM")
	case kind == filekind.RTF, kind == filekind.PDF, kind == filekind.OldOffice, kind == filekind.Office:
		return nil, notRecognized(data, kind) // the base64 in it is damaged, if there is any
	}
	return nil, err
}

// withoutMark returns DER without the byte order mark that a text editor has put before it.
func withoutMark(data []byte) []byte {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok && isDER(rest) {
		return rest
	}
	return data
}

// lineEndsChanged reports whether DER has the stated length when CRLF is LF again.
func lineEndsChanged(der []byte) bool {
	e, err := firstElement(der)
	if err != nil || e.indefinite || e.header+e.length >= len(der) {
		return false
	}
	return len(der)-bytes.Count(der, []byte("\r\n")) == e.header+e.length
}

// convertedDER reports whether data is DER whose octets were taken for Latin-1 and written as
// UTF-8.
func convertedDER(data []byte) bool {
	if !bytes.HasPrefix(data, []byte("0\xc2\x82")) || !utf8.Valid(data) {
		return false
	}
	return !bytes.ContainsFunc(data, func(r rune) bool { return r > 0xff })
}

// parseText takes text in which refusePrivateText has found no private key.
func parseText(text []byte) (*File, error) {
	kind := filekind.Of(text)
	text = withoutMentions(text)
	trimmed := bytes.TrimSpace(text)
	if bytes.Contains(text, []byte(pemBegin)) {
		return parsePEM(text)
	}
	if bytes.HasPrefix(trimmed, []byte("{")) && kind == filekind.Unknown {
		return parseJWK(trimmed)
	}
	if decoded, ok := bareBase64(trimmed); ok {
		if err := refusePrivateText(decoded); err != nil {
			return nil, err
		}
		if isDER(decoded) {
			return parseDER(decoded, FormatBase64, FormatPKCS7Base64, FormatPublicBase64)
		}
		if bytes.Contains(decoded, []byte(pemBegin)) {
			return parsePEM(withoutMentions(decoded))
		}
		if again, ok := bareBase64(bytes.TrimSpace(decoded)); ok && isDER(again) { // encoded twice
			if err := refusePrivateText(again); err != nil {
				return nil, err
			}
			return parseDER(again, FormatBase64, FormatPKCS7Base64, FormatPublicBase64)
		}
	}
	return nil, notRecognized(trimmed, kind)
}

// parseEmbedded returns the certificates that are in base64 among other text, as in XML, or
// where a BEGIN line is missing. It returns nil if there are none, or if the text is PEM or a
// JWK, of which the errors say more.
func parseEmbedded(text []byte) *File {
	if bytes.Count(text, []byte(pemBegin)) > 1 || bytes.Contains(text, []byte(`"kty"`)) {
		return nil
	}
	var certificates []*x509.Certificate
	for decoded := range embedded(text) {
		switch k := recognize(decoded); k {
		case kindCertificate, kindSignedData, kindPkiPath:
			if checkASN1(decoded) != nil || len(certificates) > maxCertificates {
				continue
			}
			if found, _, err := parseCertificates(k, decoded); err == nil {
				certificates = append(certificates, found...)
			}
		default:
			if inner := withoutMentions(decoded); bytes.Contains(inner, []byte(pemBegin)) {
				if f, err := parsePEM(inner); err == nil {
					certificates = append(append(certificates, f.Certificates...), f.Unused...)
				}
			}
		}
	}
	if len(certificates) == 0 {
		return nil
	}
	f, err := newFile(FormatBase64, certificates, nil)
	if err != nil {
		return nil
	}
	return f
}

// embedded returns what each long text in base64 or hexadecimal decodes to.
func embedded(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for decoded := range longBase64(text) {
			if !yield(decoded) {
				return
			}
		}
		for decoded := range longHex(text) {
			if !yield(decoded) {
				return
			}
		}
	}
}

func notRecognized(text []byte, kind filekind.Kind) error {
	switch {
	case len(text) == 0:
		return errors.New("the file is empty: " + adviceSendCertificate)
	case kind != filekind.Unknown:
		return fmt.Errorf("this is %s: %s", kind, kind.Advice())
	case bytes.Contains(text, []byte("BEGIN CERTIFICATE")):
		return errors.New("the line BEGIN CERTIFICATE lacks its five hyphens: a mail program or word processor " +
			"changed them; send the file itself as an attachment")
	case bytes.Contains(text, []byte(pemEnd)):
		return errors.New("there is a line with END and none with BEGIN, and what is before it is no certificate: " +
			"lines are missing at the front; send the file itself as an attachment")
	}
	return fmt.Errorf("its %d bytes are not PEM, DER, PKCS#7, JWK or base64 of these: %s",
		len(text), adviceSendCertificate)
}

func parsePEM(text []byte) (*File, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, err
	}
	content := pemContent{format: FormatPEM}
	for _, b := range blocks {
		if strings.HasPrefix(b.label, "PGP ") {
			continue // the signature of the mail, or the sender's key
		}
		if err := content.add(b); err != nil {
			return nil, err
		}
	}
	if len(content.certificates) == 0 && content.bare == nil && bytes.Contains(text, []byte(pemBegin+"PGP ")) {
		return nil, notRecognized(text, filekind.PGPPublic)
	}
	if content.certificates == nil && content.bare != nil {
		content.format = FormatPublicPEM
	}
	return newFile(content.format, content.certificates, content.bare)
}

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
		return fmt.Errorf("line %d begins a certificate request, not a certificate: "+
			"sign it, or make a self-signed certificate, and send that", b.firstLine)
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
