package cert

import (
	"bytes"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
)

// FingerprintTable holds every checksum that a partner might mean by "the
// checksum of the certificate".
type FingerprintTable struct {
	Rows       []Fingerprint `json:"rows"`
	Thumbprint string        `json:"thumbprint,omitempty"` // RFC 7638, SHA-256, base64url; RSA only
}

// Fingerprint holds the checksums of one form of the certificate. SHA1 is empty
// where FIPS mode forbids that hash.
type Fingerprint struct {
	Of     string `json:"of"` // in words, for example "the DER certificate"
	SHA256 Digest `json:"sha256"`
	SHA1   Digest `json:"sha1,omitzero"`
}

// Digest is one checksum as people write it.
type Digest struct {
	Hex    string `json:"hex"`    // lower case
	Colons string `json:"colons"` // upper case, as openssl and keytool print it
	Base64 string `json:"base64"`
}

// The values of Fingerprint.Of.
const (
	OfFile    = "the file as received"
	OfDER     = "the DER certificate"
	OfSPKI    = "the public key (SPKI)"
	OfPEM     = "the PEM with LF line ends"
	OfPEMCRLF = "the PEM with CRLF line ends"
)

// Fingerprints returns the checksums of the file as received (left out when
// file is nil) and of the certificate's usual forms.
func Fingerprints(file []byte, c *x509.Certificate) FingerprintTable {
	var t FingerprintTable
	if file != nil {
		t.add(OfFile, file)
	}
	t.add(OfDER, c.Raw)
	t.add(OfSPKI, c.RawSubjectPublicKeyInfo)
	pem := EncodePEM(c)
	t.add(OfPEM, pem)
	t.add(OfPEMCRLF, bytes.ReplaceAll(pem, []byte("\n"), []byte("\r\n")))
	if pub, ok := c.PublicKey.(*rsa.PublicKey); ok {
		t.Thumbprint = ThumbprintJWK(pub)
	}
	return t
}

func (t *FingerprintTable) add(of string, form []byte) {
	strong := sha256.Sum256(form)
	row := Fingerprint{Of: of, SHA256: newDigest(strong[:])}
	if !fips140.Enforced() {
		old := sha1.Sum(form)
		row.SHA1 = newDigest(old[:])
	}
	t.Rows = append(t.Rows, row)
}

func newDigest(sum []byte) Digest {
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

// Match finds the form whose checksum a partner sent. It takes hexadecimal with
// or without colons, blanks and capitals, base64 and base64url, and the lines
// that openssl, keytool and sha256sum print. The answer says which checksum of
// what matched; a match by SHA-1 says so, and is for the caller to weigh.
func Match(checksum string, file []byte, c *x509.Certificate) (which string, ok bool) {
	sum := parseChecksum(checksum)
	if sum == nil {
		return "", false
	}
	t := Fingerprints(file, c)
	for _, row := range t.Rows {
		switch hex.EncodeToString(sum) {
		case row.SHA256.Hex:
			return "SHA-256 of " + row.Of, true
		case row.SHA1.Hex:
			return "SHA-1 of " + row.Of, true
		}
	}
	if t.Thumbprint != "" && t.Thumbprint == base64.RawURLEncoding.EncodeToString(sum) {
		return "SHA-256 JWK thumbprint (RFC 7638)", true
	}
	return "", false
}

// IsChecksum reports whether the text states one that Match can compare.
func IsChecksum(text string) bool { return parseChecksum(text) != nil }

// parseChecksum returns the 32 or 20 octets that the text states, or nil.
func parseChecksum(text string) []byte {
	const longest = 1024
	if len(text) > longest || strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e }) {
		return nil
	}
	text = strings.TrimSpace(text)
	for _, label := range []string{"fingerprint=", "sha256:", "sha-256:", "sha1:", "sha-1:", "sha256=", "sha1="} {
		if i := strings.Index(strings.ToLower(text), label); i >= 0 {
			text = strings.TrimSpace(text[i+len(label):])
		}
	}
	digits := strings.NewReplacer(":", "", " ", "", "\t", "", "\r", "", "\n", "").Replace(text)
	candidates := []string{digits}
	if field, _, more := strings.Cut(text, " "); more { // sha256sum puts the file name behind
		candidates = append(candidates, field)
	}
	for _, s := range candidates {
		if sum, err := hex.DecodeString(s); err == nil && isDigestSize(sum) {
			return sum
		}
		s = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s), "=")
		if sum, err := base64.RawURLEncoding.Strict().DecodeString(s); err == nil && isDigestSize(sum) {
			return sum
		}
	}
	return nil
}

func isDigestSize(sum []byte) bool {
	return len(sum) == sha256.Size || len(sum) == 20
}

// ThumbprintJWK returns the SHA-256 thumbprint of RFC 7638 in base64url.
func ThumbprintJWK(pub *rsa.PublicKey) string {
	// Section 3.3: the required members, in this order, without white space.
	canonical := fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, encodeUint(big.NewInt(int64(pub.E))), encodeUint(pub.N))
	sum := sha256.Sum256([]byte(canonical))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// encodeUint is the Base64urlUInt of RFC 7518, section 2: no leading zero octet.
func encodeUint(x *big.Int) string {
	return base64.RawURLEncoding.EncodeToString(x.Bytes())
}
