package exchange_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
)

// A checksum in the header of the certificate's own mail confirms nothing, however it is encoded there:
// mail programs show it decoded.
func TestChecksumsInTheHeaderOfAMail(t *testing.T) {
	for name, write := range map[string]func(string) string{
		"plain":  func(sum string) string { return "Subject: SHA-256 " + sum },
		"base64": func(sum string) string { return "Subject: " + mime.BEncoding.Encode("utf-8", "SHA-256 é "+sum) },
		"quoted": func(sum string) string { return "Subject: " + mime.QEncoding.Encode("utf-8", "SHA-256 é "+sum) },
		"two words": func(sum string) string {
			word := func(text string) string {
				return "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte(text)) + "?="
			}
			return "Subject: " + word(sum[:32]) + "\r\n " + word(sum[32:])
		},
		"another charset": func(sum string) string {
			return "X-Note: =?windows-1252?Q?" + strings.ReplaceAll(sum, "a", "=61") + "?="
		},
		"a word without an end before": func(sum string) string {
			return "X-A: =?a?xx\r\nSubject: " + mime.QEncoding.Encode("utf-8", "SHA-256 é "+sum)
		},
		"a word that fails around it": func(sum string) string {
			return "Subject: =?a?Q?" + mime.QEncoding.Encode("utf-8", "SHA-256 é "+sum)
		},
		"the sender's name": func(sum string) string {
			return "From: " + mime.BEncoding.Encode("utf-8", "é "+sum) + " <eve@evil.example>"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
			ctx := t.Context()
			h.partner("acme", "rdx", sealane.ClientSide, "PROD")
			der := made(t, fresh(t, "header"))
			whole := sha256.Sum256(der)
			mail := fmt.Sprintf("%s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"+
				"--b\r\n%s\r\n--b--\r\n",
				write(hexSum(whole[:])), attached("application/octet-stream", "acme.cer", der))
			in := exchange.Incoming{Partner: "acme", Environment: "PROD", Data: []byte(mail)}
			c, _, err := h.anna.Receive(ctx, in)
			h.must(err)
			wantRefused(t, name, "came in the same mail", only(h.anna.MatchChecksum(ctx, checksumOf(c))))
		})
	}
}

// Comments that have no end cost no more than other text.
func TestCommentsWithoutEnd(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	mail := "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\n" +
		strings.Repeat("<!--a>", 200_000) + "\r\n--b\r\n" +
		attached("application/octet-stream", "acme.cer", made(t, fresh(t, "comments"))) + "\r\n--b--\r\n"
	_, _, err := h.anna.Receive(t.Context(),
		exchange.Incoming{Partner: "acme", Environment: "PROD", Data: []byte(mail)})
	h.must(err)
}
