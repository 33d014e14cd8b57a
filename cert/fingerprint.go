package cert

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/pasted"
)

// Form is an encoding of a certificate, or a part of one, that has a checksum.
type Form string

// The forms that partners take checksums of.
const (
	FormFile    Form = "the file as received"
	FormDER     Form = "the DER certificate"
	FormSPKI    Form = "the public key (SPKI)"
	FormPEM     Form = "the PEM with LF line ends"
	FormPEMCRLF Form = "the PEM with CRLF line ends"
	FormJWK     Form = "the JWK (RFC 7638)"
)

// FingerprintTable holds every checksum that a partner may mean by "the checksum of
// the certificate".
type FingerprintTable struct {
	Rows []Fingerprint `json:"rows"`
	// Thumbprint is the JWK thumbprint of the public key (RFC 7638, SHA-256) in
	// base64url. It is empty if the key is not RSA.
	Thumbprint string `json:"thumbprint,omitempty"`
}

// Fingerprint holds the checksums of one form of the certificate.
type Fingerprint struct {
	Of     Form   `json:"of"`
	SHA256 Digest `json:"sha256"`
	// SHA1 is empty if FIPS mode forbids that hash.
	SHA1 Digest `json:"sha1,omitzero"`
}

// Digest is one checksum as people write it.
type Digest struct {
	Hex    string `json:"hex"`    // lower case
	Colons string `json:"colons"` // upper case, as openssl and keytool print it
	Base64 string `json:"base64"` // standard, with padding
}

// Fingerprints returns the checksums of the file as received and of the
// certificate's usual forms. It omits those of the file if file is nil.
func Fingerprints(file []byte, c *x509.Certificate) FingerprintTable {
	var t FingerprintTable
	if file != nil {
		t.add(FormFile, file)
	}
	t.add(FormDER, c.Raw)
	t.add(FormSPKI, c.RawSubjectPublicKeyInfo)
	pem := EncodePEM(c)
	t.add(FormPEM, pem)
	t.add(FormPEMCRLF, bytes.ReplaceAll(pem, []byte("\n"), []byte("\r\n")))
	if pub, ok := c.PublicKey.(*rsa.PublicKey); ok {
		t.Thumbprint = ThumbprintJWK(pub)
	}
	return t
}

func (t *FingerprintTable) add(of Form, octets []byte) {
	strong := sha256.Sum256(octets)
	row := Fingerprint{Of: of, SHA256: NewDigest(strong[:])}
	if !fips140.Enforced() {
		old := sha1.Sum(octets)
		row.SHA1 = NewDigest(old[:])
	}
	t.Rows = append(t.Rows, row)
}

// NewDigest returns a checksum as people write it.
func NewDigest(sum []byte) Digest {
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return Digest{
		Hex:    hex.EncodeToString(sum),
		Colons: strings.Join(pairs, ":"),
		Base64: base64.StdEncoding.EncodeToString(sum),
	}
}

// ThumbprintJWK returns the SHA-256 thumbprint of RFC 7638 in base64url.
func ThumbprintJWK(pub *rsa.PublicKey) string {
	encode := base64.RawURLEncoding.EncodeToString
	e, n := encode(big.NewInt(int64(pub.E)).Bytes()), encode(pub.N.Bytes())
	// Section 3.3: the required members, in this order, without white space.
	canonical := fmt.Sprintf(`{"e":%q,"kty":%q,"n":%q}`, e, alg.RSA, n)
	sum := sha256.Sum256([]byte(canonical))
	return encode(sum[:])
}

// Matched says what a checksum turned out to be.
type Matched struct {
	Of   Form
	Hash crypto.Hash // SHA256, SHA384, SHA512 or SHA1
}

// String returns, for example, "SHA-256 of the DER certificate".
func (m Matched) String() string { return m.Hash.String() + " of " + string(m.Of) }

// CoversCertificate reports whether the checksum is a SHA-256, SHA-384 or SHA-512 of the whole
// certificate, in any layout, or of its file. Other checksums must not confirm a
// certificate: SHA-1 can be forged, and a checksum of the key alone covers neither name nor
// validity.
func (m Matched) CoversCertificate() bool {
	return m.Hash != 0 && m.Hash != crypto.SHA1 && m.Of != FormSPKI && m.Of != FormJWK
}

// Match finds the form whose checksum a partner sent. It accepts what [IsChecksum] does.
// If the text has several checksums, one that covers the certificate counts before others. A
// match alone confirms nothing: see [Matched.CoversCertificate].
func Match(checksum string, file []byte, c *x509.Certificate) (m Matched, ok bool) {
	sums, _ := pasted.Checksums([]byte(checksum))
	for _, s := range sums {
		found, matches := MatchSum(s.Octets, file, c)
		if matches && (!ok || found.CoversCertificate()) {
			m, ok = found, true
		}
		if m.CoversCertificate() {
			break
		}
	}
	return m, ok
}

// MatchSum is like [Match] for one checksum in octets. In addition to the forms of [Fingerprints], it
// knows the certificate in PEM and base64 with lines of other lengths and other line ends.
func MatchSum(sum, file []byte, c *x509.Certificate) (m Matched, ok bool) {
	t := Fingerprints(file, c)
	for _, row := range t.Rows {
		switch hex.EncodeToString(sum) {
		case row.SHA256.Hex:
			return Matched{row.Of, crypto.SHA256}, true
		case row.SHA1.Hex:
			return Matched{row.Of, crypto.SHA1}, true
		}
	}
	if len(sum) == sha512.Size || len(sum) == sha512.Size384 {
		return matchLong(sum, file, c)
	}
	if len(sum) != sha256.Size {
		return Matched{}, false
	}
	if t.Thumbprint == base64.RawURLEncoding.EncodeToString(sum) {
		return Matched{FormJWK, crypto.SHA256}, true
	}
	for form, octets := range layouts(c) {
		if sha256.Sum256(octets) == [sha256.Size]byte(sum) {
			return Matched{form, crypto.SHA256}, true
		}
	}
	return Matched{}, false
}

// matchLong is MatchSum for SHA-384 and SHA-512.
func matchLong(sum, file []byte, c *x509.Certificate) (Matched, bool) {
	hash := map[int]crypto.Hash{sha512.Size384: crypto.SHA384, sha512.Size: crypto.SHA512}[len(sum)]
	matches := func(octets []byte) bool {
		h := hash.New()
		h.Write(octets)
		return bytes.Equal(h.Sum(nil), sum)
	}
	pem := EncodePEM(c)
	for _, form := range []struct {
		of     Form
		octets []byte
	}{
		{FormFile, file}, {FormDER, c.Raw}, {FormSPKI, c.RawSubjectPublicKeyInfo}, {FormPEM, pem},
		{FormPEMCRLF, bytes.ReplaceAll(pem, []byte("\n"), []byte("\r\n"))},
	} {
		if form.octets != nil && matches(form.octets) {
			return Matched{form.of, hash}, true
		}
	}
	for form, octets := range layouts(c) {
		if matches(octets) {
			return Matched{form, hash}, true
		}
	}
	return Matched{}, false
}

// IsChecksum reports whether the text holds a SHA-256 or SHA-1 that [Match] can compare:
// hexadecimal with or without colons, hyphens and blanks, base64 or base64url, in whatever
// openssl, keytool, certutil, Get-FileHash and sha256sum print, or in words around it.
func IsChecksum(text string) bool {
	sums, _ := pasted.Checksums([]byte(text))
	return slices.ContainsFunc(sums, func(s pasted.Sum) bool {
		return len(s.Octets) == sha256.Size || len(s.Octets) == sha1.Size
	})
}
