package cert_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
)

func TestFingerprintsAndMatch(t *testing.T) {
	c := testcert.Cert(t)
	file := append([]byte("a note\r\n"), cert.EncodePEM(c)...)
	lf := cert.EncodePEM(c)
	spki, err := x509.MarshalPKIXPublicKey(&testcert.Key().PublicKey)
	must(t, err)
	table := cert.Fingerprints(file, c)
	forms := map[cert.Form][]byte{
		cert.FormFile: file, cert.FormDER: c.Raw, cert.FormSPKI: spki, cert.FormPEM: lf,
		cert.FormPEMCRLF: bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")),
	}
	if len(table.Rows) != len(forms) {
		t.Fatalf("%d rows", len(table.Rows))
	}
	for _, row := range table.Rows {
		strong, old := sha256.Sum256(forms[row.Of]), sha1.Sum(forms[row.Of])
		if row.SHA256.Hex != hex.EncodeToString(strong[:]) || row.SHA1.Hex != hex.EncodeToString(old[:]) {
			t.Errorf("%s: another checksum", row.Of)
		}
		digits := strings.ToLower(strings.ReplaceAll(row.SHA256.Colons, ":", ""))
		if digits != row.SHA256.Hex || len(row.SHA256.Colons) != 95 {
			t.Errorf("%s: %s", row.Of, row.SHA256.Colons)
		}
		for _, written := range []string{
			row.SHA256.Hex, strings.ToUpper(row.SHA256.Hex), row.SHA256.Colons, row.SHA256.Base64,
			strings.ReplaceAll(row.SHA256.Colons, ":", " "), " " + row.SHA256.Hex + "\r\n",
			base64.RawURLEncoding.EncodeToString(strong[:]), base64.URLEncoding.EncodeToString(strong[:]),
			"sha256 Fingerprint=" + row.SHA256.Colons, "SHA256: " + row.SHA256.Colons,
			row.SHA256.Hex + "  issuer.cer", row.SHA256.Hex[:32] + "\n" + row.SHA256.Hex[32:],
		} {
			which, ok := cert.Match(written, file, c)
			if !ok || which != (cert.Matched{Of: row.Of, Hash: crypto.SHA256}) {
				t.Errorf("%q: %s, %v", written, which, ok)
			}
		}
		which, ok := cert.Match(row.SHA1.Colons, file, c)
		if !ok || which != (cert.Matched{Of: row.Of, Hash: crypto.SHA1}) || which.CoversCertificate() {
			t.Errorf("%s, %v", which, ok)
		}
	}
	which, ok := cert.Match(table.Thumbprint, file, c)
	if !ok || !strings.Contains(which.String(), "RFC 7638") || which.CoversCertificate() {
		t.Errorf("%s, %v", which, ok)
	}
	for _, wrong := range []string{
		"", "=", "sha256:", "abc",
		table.Rows[1].SHA256.Hex[:63], table.Rows[1].SHA256.Hex + "00", strings.Repeat("0", 64),
		strings.Repeat("0", 40), strings.Repeat("İ", 300) + "sha256:", strings.Repeat("a", 2000),
	} {
		if which, ok := cert.Match(wrong, file, c); ok || which != (cert.Matched{}) || which.CoversCertificate() {
			t.Errorf("%q matched %s", wrong, which)
		}
	}
	if _, ok := cert.Match(table.Rows[0].SHA256.Hex, nil, c); ok {
		t.Error("the checksum of a file matched without the file")
	}
}

// A checksum of the same certificate in another layout covers it too.
func TestMatchOfLayouts(t *testing.T) {
	c := testcert.Cert(t)
	text := string(cert.EncodePEM(c))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	body := strings.Join(lines[1:len(lines)-1], "")
	for name, file := range map[string]string{
		"no last line end": strings.TrimSpace(text),
		"CRLF, two":        strings.ReplaceAll(text+"\n", "\n", "\r\n"),
		"CR":               strings.ReplaceAll(text, "\n", "\r"),
		"in one line":      lines[0] + "\n" + body + "\n" + lines[len(lines)-1] + "\n",
		"no PEM lines":     strings.Join(lines[1:len(lines)-1], "\n"),
		"base64 alone":     body,
	} {
		sum := sha256.Sum256([]byte(file))
		if which, ok := cert.MatchSum(sum[:], c.Raw, c); !ok || !which.CoversCertificate() {
			t.Errorf("%s: %s %v", name, which, ok)
		}
	}
	other := sha256.Sum256([]byte(body[:len(body)-1]))
	if which, ok := cert.MatchSum(other[:], c.Raw, c); ok {
		t.Errorf("another text matched %s", which)
	}
}

// The example key of RFC 7638, section 3.1.
func TestThumbprintOfTheRFC(t *testing.T) {
	n, err := base64.RawURLEncoding.DecodeString("" +
		"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiF" +
		"V4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9" +
		"c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1" +
		"jF44-csFCur-kEgU8awapJzKnqDKgw")
	must(t, err)
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
	if got := cert.ThumbprintJWK(pub); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Error(got)
	}
}
