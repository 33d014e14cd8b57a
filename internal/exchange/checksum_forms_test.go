package exchange_test

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"html"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// The second message may be a saved mail or a page, and checksums by other functions accuse nobody.
func TestChecksumsInMessages(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "riskos", sealane.ServerSide, "DEV")
	file := report(t, "common/customer.cer")
	c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{
		Partner: "acme", Environment: "DEV", Data: file, Name: "customer.cer",
	})
	h.must(err)
	leaf, err := x509.ParseCertificate(file)
	h.must(err)
	own := sha256.Sum256(leaf.Raw)
	sum := hexSum(own[:])
	colons := strings.ReplaceAll(fmt.Sprintf("% X", own[:]), " ", ":")
	none := strings.Repeat("01", 32)
	for _, step := range []struct {
		text, says string
		state      registry.State
	}{
		{"SHA3-256(customer.cer)= " + none, "by SHA3-256", registry.Received},
		{none + none + "  customer.cer", "does not name", registry.Received},
		{"BLAKE2b: " + none + none, "by BLAKE2b", registry.Received},
		{"<td>" + sum[:16] + "<wbr>" + sum[16:32] + "<wbr>" + sum[32:] + "</td>", "", registry.Matched},
		{"<p>SHA-256: " + strings.ReplaceAll(html.EscapeString(colons), ":", "&#58;") + "</p>", "", registry.Matched},
		{string(mailWith("checksum.txt", []byte("SHA-256: "+sum+"\r\n"))), "", registry.Matched},
		{"SHA3-256: " + none, "by SHA3-256", registry.Matched},
		{"SHA-512: " + none + none, "does not match", registry.Received},
	} {
		_, err := h.anna.MatchChecksum(t.Context(), exchange.Comparison{Certificate: c.ID, Checksum: step.text})
		if (err == nil) != (step.says == "") || err != nil && !strings.Contains(err.Error(), step.says) {
			t.Errorf("%.80q: %v, want %q", step.text, err, step.says)
		}
		if now := h.certificate(c.ID).State; now != step.state {
			t.Errorf("%.80q: it is %s", step.text, now)
		}
	}
}
