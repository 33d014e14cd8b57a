package keyfile_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// mailOf is a mail with attachments.
func mailOf(attachments ...[2]string) string {
	var b strings.Builder
	b.WriteString("From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" +
		"--x\r\nContent-Type: text/plain\r\n\r\nHello\r\n")
	for _, a := range attachments {
		fmt.Fprintf(&b, "--x\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; "+
			"filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n", a[0],
			base64.StdEncoding.EncodeToString([]byte(a[1])))
	}
	b.WriteString("--x--\r\n")
	return b.String()
}

// The certificate of a mail's signature is taken only if nothing else in the mail may hold the one that
// was sent.
func TestSignerIsNoSubstitute(t *testing.T) {
	signed := must1(pkcs7.NewSignedData([]byte("hello")))
	must(t, signed.AddSigner(testcert.Cert(t), testcert.Key(), pkcs7.SignerInfoConfig{}))
	signature := [2]string{"smime.p7s", string(must1(signed.Finish()))}
	pem := string(cert.EncodePEM(testcert.Cert(t)))
	f, err := keyfile.Parse([]byte(mailOf(signature)))
	if err != nil || len(f.Certificates) != 1 {
		t.Errorf("the signature alone: %v", err)
	}
	for name, c := range map[string]struct{ file, content, says string }{
		"damaged":   {"partner.pem", pem[:400], "partner.pem: "},
		"a PDF":     {"partner.pdf", "%PDF-1.7\n", "partner.pdf: this is a PDF"},
		"a 7z":      {"partner.7z", "7z\xbc\xaf\x27\x1c", "partner.7z: this is a 7z archive"},
		"a bad ZIP": {"partner.zip", "PK\x03\x04", "partner.zip: it is damaged"},
	} {
		for _, mail := range []string{
			mailOf(signature, [2]string{c.file, c.content}), mailOf([2]string{c.file, c.content}, signature),
		} {
			_, err := keyfile.Parse([]byte(mail))
			if err == nil {
				t.Errorf("%s: the signer's certificate is taken", name)
				continue
			}
			wantError(t, err, c.says)
			wantError(t, err, "signer")
		}
	}
}
