package cert_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/internal/testkey"
)

func FuzzParseKeyID(f *testing.F) {
	f.Add("1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG")
	f.Add("RDXMETEST-PKE-ACS-CC-2048SHA2-DEV")
	f.Add("A-B-MPI-C-4096SHA2-PROD")
	f.Add("-----")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := cert.ParseKeyID(s)
		if err != nil {
			if id != (cert.KeyID{}) {
				t.Fatal("a key ID with the error")
			}
			return
		}
		if id.String() != s {
			t.Fatalf("%q came back as %q", s, id)
		}
		if again, err := cert.NewKeyID(id); err != nil || again != id {
			t.Fatalf("%q from its parts: %v", s, err)
		}
		if err := cert.CheckKeyIDText(s); err != nil {
			t.Fatalf("no header would carry it: %v", err)
		}
	})
}

// FuzzMatch checks that a text which matches contains the digest, in hexadecimal or
// base64, with whatever a mail puts between two of its digits, and that the digest matches
// in every way that people and programs write it.
func FuzzMatch(f *testing.F) {
	file := []byte("the file, which is the same in every process")
	c, err := cert.Create(testkey.Fixed(), testcert.Template())
	must(f, err)
	row := cert.Fingerprints(file, c).Rows[0]
	for _, d := range []cert.Digest{row.SHA256, row.SHA1} {
		for _, text := range []string{
			d.Hex, d.Colons, d.Base64, strings.TrimRight(d.Base64, "="), d.Hex + "  file.cer",
			"sha256 Fingerprint=" + d.Colons + "\n", "SHA1: " + d.Colons, " " + strings.ToUpper(d.Hex) + "\r\n",
			d.Hex[1:], d.Colons + d.Colons,
		} {
			f.Add(text)
		}
	}
	f.Add(cert.ThumbprintJWK(&testkey.Fixed().PublicKey))
	f.Fuzz(func(t *testing.T, text string) {
		which, ok := cert.Match(text, file, c)
		if !ok {
			if which != (cert.Matched{}) {
				t.Fatalf("%s with a no", which)
			}
			return
		}
		sums := map[string]string{} // by what Match says, in hexadecimal
		table := cert.Fingerprints(file, c)
		for _, row := range table.Rows {
			sums["SHA-256 of "+string(row.Of)], sums["SHA-1 of "+string(row.Of)] = row.SHA256.Hex, row.SHA1.Hex
		}
		thumbprint, err := base64.RawURLEncoding.DecodeString(table.Thumbprint)
		must(t, err)
		sums["SHA-256 of the JWK (RFC 7638)"] = hex.EncodeToString(thumbprint)
		digits := sums[which.String()]
		sum, err := hex.DecodeString(digits)
		must(t, err)
		inHex := inOrder(strings.ToLower(text), digits)
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(text)
		inBase64 := inOrder(standard, base64.RawStdEncoding.EncodeToString(sum))
		if digits == "" || !inHex && !inBase64 {
			t.Fatalf("%q matches %s, and is not in it", text, which)
		}
		for _, other := range []string{
			digits, strings.ToUpper(digits), " " + digits + "\n", digits + "  name", "sha256:" + digits,
			base64.StdEncoding.EncodeToString(sum), base64.RawURLEncoding.EncodeToString(sum),
		} {
			if again, ok := cert.Match(other, file, c); !ok || again != which {
				t.Fatalf("%q matches %s, and as %q %s", text, which, other, again)
			}
		}
	})
}

// inOrder reports whether text has the bytes of part in their order, and perhaps others
// between them.
func inOrder(text, part string) bool {
	for i := range len(text) {
		if part != "" && text[i] == part[0] {
			part = part[1:]
		}
	}
	return part == ""
}
