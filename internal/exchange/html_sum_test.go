package exchange_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
)

// A checksum in the HTML of the certificate's own mail confirms nothing, however the HTML writes it.
func TestChecksumsInTheHTMLOfAMail(t *testing.T) {
	for name, write := range map[string]func(string) string{
		"plain": func(sum string) string { return sum },
		"references": func(sum string) (html string) {
			for _, digit := range sum {
				html += fmt.Sprintf("&#%d;", digit)
			}
			return html
		},
		"hexadecimal references": func(sum string) (html string) {
			for _, digit := range sum {
				html += fmt.Sprintf("&#x%x;", digit)
			}
			return html
		},
		"breaks":      func(sum string) string { return sum[:32] + "<wbr>" + sum[32:] },
		"soft hyphen": func(sum string) string { return sum[:32] + "&shy;" + sum[32:] },
		"comment":     func(sum string) string { return sum[:32] + "<!-- a > b -->" + sum[32:] },
		"spans": func(sum string) string {
			return "<span style='a'>" + strings.Join(strings.Split(sum, ""), "</span><span>") + "</span>"
		},
		"cells": func(sum string) (html string) {
			for i := 0; i < len(sum); i += 8 {
				html += "<td>" + sum[i:i+8] + "</td>\r\n"
			}
			return "<tr>" + html + "</tr>"
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
			ctx := t.Context()
			h.partner("acme", "rdx", sealane.ClientSide, "PROD")
			der := made(t, fresh(t, "html"))
			whole := sha256.Sum256(der)
			sum := hexSum(whole[:])
			mail := "From: eve@evil.example\r\nMIME-Version: 1.0\r\n" +
				"Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
				"--b\r\nContent-Type: text/html\r\n\r\n<p>SHA-256:</p><p>" + write(sum) + "</p>\r\n" +
				"--b\r\n" + attached("application/octet-stream", "acme.cer", der) + "\r\n--b--\r\n"
			in := exchange.Incoming{Partner: "acme", Environment: "PROD", Data: []byte(mail)}
			c, _, err := h.anna.Receive(ctx, in)
			h.must(err)
			wantRefused(t, name, "came in the same mail", only(h.anna.MatchChecksum(ctx, checksumOf(c))))
		})
	}
}
