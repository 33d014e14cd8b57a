package keyfile_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/smallstep/pkcs7"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

func utf16With(order binary.AppendByteOrder, text []byte) []byte {
	out := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(string(text))) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func crlf(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }

func lines76(der []byte) []byte {
	text := base64.StdEncoding.EncodeToString(der)
	var out []byte
	for len(text) > 76 {
		out, text = append(append(out, text[:76]...), '\n'), text[76:]
	}
	return append(append(out, text...), '\n')
}

func block(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func TestParseFormats(t *testing.T) {
	c := testcert.Cert(t)
	pemText := cert.EncodePEM(c)
	p7, err := keyfile.EncodePKCS7DER(c)
	must(t, err)
	p7pem, err := keyfile.EncodePKCS7(c)
	must(t, err)
	jwk, err := keyfile.EncodeJWK(&testcert.Key().PublicKey, keyfile.JWKParams{KeyID: "alias-1", Use: "enc"})
	must(t, err)
	spki, err := x509.MarshalPKIXPublicKey(&testcert.Key().PublicKey)
	must(t, err)
	withX5C := bytes.Replace(jwk, []byte("{"), []byte(`{"x5c":["`+base64.StdEncoding.EncodeToString(c.Raw)+`"],`), 1)
	for name, tt := range map[string]struct {
		data   []byte
		format keyfile.Format
		kid    string
		bare   bool
	}{
		"pem":            {pemText, keyfile.FormatPEM, "", false},
		"pem, CRLF":      {crlf(pemText), keyfile.FormatPEM, "", false},
		"pem, BOM":       {append([]byte("\xef\xbb\xbf"), pemText...), keyfile.FormatPEM, "", false},
		"pem, UTF-16 LE": {utf16With(binary.LittleEndian, crlf(pemText)), keyfile.FormatPEM, "", false},
		"pem, UTF-16 BE": {utf16With(binary.BigEndian, pemText), keyfile.FormatPEM, "", false},
		"pem, text around": {
			[]byte("Dear team,\nsubject=CN: x\n\n" + string(pemText) + "\nRegards\n"), keyfile.FormatPEM, "", false,
		},
		"pem, indented": {
			bytes.ReplaceAll(pemText, []byte("\n"), []byte("\n   ")), keyfile.FormatPEM, "", false,
		},
		"pem, one line": {bytes.ReplaceAll(pemText, []byte("\n"), nil), keyfile.FormatPEM, "", false},
		"pem, twice":    {append(bytes.Clone(pemText), pemText...), keyfile.FormatPEM, "", false},
		"pem and its key": {
			append(bytes.Clone(pemText), block("PUBLIC KEY", spki)...), keyfile.FormatPEM, "", false,
		},
		"der":                 {c.Raw, keyfile.FormatDER, "", false},
		"p7b der":             {p7, keyfile.FormatPKCS7DER, "", false},
		"p7b pem":             {p7pem, keyfile.FormatPKCS7PEM, "", false},
		"p7b labeled as cert": {block("CERTIFICATE", p7), keyfile.FormatPKCS7PEM, "", false},
		"p7b labeled CMS":     {block("CMS", p7), keyfile.FormatPKCS7PEM, "", false},
		"base64":              {lines76(c.Raw), keyfile.FormatBase64, "", false},
		"base64, CRLF, UTF-16": {
			utf16With(binary.LittleEndian, crlf(lines76(c.Raw))), keyfile.FormatBase64, "", false,
		},
		"base64 of p7b":     {lines76(p7), keyfile.FormatPKCS7Base64, "", false},
		"base64 of pem":     {lines76(pemText), keyfile.FormatPEM, "", false},
		"jwk":               {jwk, keyfile.FormatJWK, "alias-1", true},
		"jwk set":           {[]byte(`{"keys":[` + string(jwk) + `]}`), keyfile.FormatJWK, "alias-1", true},
		"jwk with x5c":      {withX5C, keyfile.FormatJWK, "alias-1", false},
		"public key pem":    {block("PUBLIC KEY", spki), keyfile.FormatPublicPEM, "", true},
		"public key der":    {spki, keyfile.FormatPublicDER, "", true},
		"public key base64": {lines76(spki), keyfile.FormatPublicBase64, "", true},
		"public key pkcs1 pem": {
			block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&testcert.Key().PublicKey)), keyfile.FormatPublicPEM,
			"", true,
		},
		"pkcs7 with long forms": {indefinite(t, p7), keyfile.FormatPKCS7DER, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := keyfile.Parse(tt.data)
			must(t, err)
			if f.Format != tt.format || f.KeyID != tt.kid {
				t.Errorf("format %q, kid %q", f.Format, f.KeyID)
			}
			if f.PublicKey == nil || !f.PublicKey.Equal(&testcert.Key().PublicKey) {
				t.Error("not our public key")
			}
			switch {
			case tt.bare && len(f.Certificates) != 0:
				t.Errorf("%d certificates", len(f.Certificates))
			case !tt.bare && (len(f.Certificates) != 1 || !f.Certificates[0].Equal(c)):
				t.Errorf("%d certificates, or another one", len(f.Certificates))
			}
		})
	}
}

// indefinite returns the outermost element with the indefinite length of BER, as some
// mail gateways write it.
func indefinite(t *testing.T, der []byte) []byte {
	t.Helper()
	if der[0] != 0x30 || der[1] != 0x82 {
		t.Fatalf("not the expected start: %x", der[:4])
	}
	return append(append([]byte{0x30, 0x80}, der[4:]...), 0, 0)
}

func TestParseChain(t *testing.T) {
	root := testcert.Authority(t, "Root")
	sub := testcert.Issue(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.KeyUsage = "Sub", true, x509.KeyUsageCertSign
	}, root, testcert.OtherKey().Public(), testcert.OtherKey())
	leaf := testcert.Issue(t, nil, sub, testcert.Key().Public(), testcert.OtherKey())
	stranger := testcert.Authority(t, "Stranger")
	second := testcert.Cert(t)
	joined := func(cs ...*x509.Certificate) (out []byte) {
		for _, c := range cs {
			out = append(out, cert.EncodePEM(c)...)
		}
		return out
	}
	p7 := func(cs ...*x509.Certificate) []byte {
		var raw []byte
		for _, c := range cs {
			raw = append(raw, c.Raw...)
		}
		der, err := pkcs7.DegenerateCertificate(raw)
		must(t, err)
		return der
	}
	for name, data := range map[string][]byte{"pem": joined(root, leaf, sub), "p7b": p7(sub, root, leaf)} {
		f, err := keyfile.Parse(data)
		must(t, err)
		if !slices.EqualFunc(f.Certificates, []*x509.Certificate{leaf, sub, root}, (*x509.Certificate).Equal) {
			t.Errorf("%s: wrong order", name)
		}
	}
	// What does not fit is left over, whatever the order.
	for _, data := range [][]byte{joined(leaf, sub, root, stranger), joined(stranger, root, sub, leaf)} {
		f, err := keyfile.Parse(data)
		must(t, err)
		if len(f.Certificates) != 3 || len(f.Unused) != 1 || !f.Unused[0].Equal(stranger) {
			t.Errorf("%d in the chain, %d unused", len(f.Certificates), len(f.Unused))
		}
	}
	var many []*x509.Certificate
	for range 17 {
		many = append(many, testcert.Cert(t))
	}
	for name, tt := range map[string]struct {
		data []byte
		says []string
	}{
		"two leaves, pem": {joined(leaf, second), []string{"2 certificates of end entities", "exactly the one"}},
		"two leaves, p7b": {p7(leaf, second), []string{"2 certificates of end entities"}},
		"only CAs":        {joined(root, sub), []string{"Root", "all of CAs", "basicConstraints=critical,CA:FALSE"}},
		"17 blocks":       {joined(many...), []string{"more than 16"}},
		"17 in a p7b":     {p7(many...), []string{"17 certificates"}},
		"empty p7b":       {block("PKCS7", p7()), []string{"holds no certificate"}},
	} {
		f, err := keyfile.Parse(tt.data)
		wantError(t, err, tt.says...)
		if f != nil {
			t.Errorf("%s: a file with the error", name)
		}
	}
}
