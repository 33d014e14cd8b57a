package exchange_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// receiveReport receives a file of testdata/reports in a registry of its own.
func receiveReport(t *testing.T, name string) (*company, registry.Certificate, []cert.Finding, error) {
	t.Helper()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "riskos", sealane.ServerSide, "DEV")
	in := exchange.Incoming{Partner: "acme", Environment: "DEV", Data: report(t, name), Name: name}
	c, found, err := h.anna.Receive(t.Context(), in)
	return h, c, found, err
}

// The certificate is found in mails, messages and archives as people send them.
func TestReceiveReports(t *testing.T) {
	for name, said := range map[string]string{
		"12-outlook-msg/certificate.msg":              "keys.acme.example",
		"12-outlook-msg/msg-in-mail.eml":              "keys.acme.example",
		"13-zip/certificate.zip":                      "customer.example",
		"13-zip/certificate.cer.gz":                   "customer.example",
		"13-zip/zip-in-mail.eml":                      "customer.example",
		"14-eml-as-octet-stream/forwarded.eml":        "customer.example",
		"16-mail-cr-only/cr-only.eml":                 "customer.example",
		"17-pem-in-html-mail/html-only.eml":           "customer.example",
		"17-pem-in-html-mail/html-outlook.eml":        "customer.example",
		"19-uuencode/certificate.eml":                 "customer.example",
		"21-leaf-and-issuers-apart/three-files.eml":   "keys.acme.example",
		"21-leaf-and-issuers-apart/leaf-and-root.eml": "keys.acme.example",
		"22-logos-and-business-card/logos.eml":        "customer.example",
	} {
		_, c, found, err := receiveReport(t, name)
		if err != nil && !strings.Contains(err.Error(), "the certificate is refused") || // by a rule of the profile
			err == nil && c.CommonName != said {
			t.Errorf("%s: %q %v", name, c.CommonName, err)
		}
		for _, f := range found {
			if f.Code == "attachment" {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}

// Private keys in them are an alarm, whatever they came in.
func TestAlarmsOfReports(t *testing.T) {
	for _, name := range []string{
		"13-zip/zip-with-private-key.eml", "16-mail-cr-only/cr-only-with-private-key.eml",
		"19-uuencode/private-key.eml",
		"24-pem-literal-backslash-n/service-account.json", "31-bks-key-store/store.bks", "32-pkcs12-ber/bc.p12",
	} {
		if _, _, _, err := receiveReport(t, name); err == nil ||
			!strings.Contains(err.Error(), "the alarm is recorded") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The checksum of each file of a mail counts: those that hold the certificate confirm it, in any
// order, and the others accuse nobody.
func TestChecksumsOfOneMail(t *testing.T) {
	h, c, _, err := receiveReport(t, "08-own-letter-p7b-line/mail.eml")
	h.must(err)
	for line := range strings.Lines(string(report(t, "08-own-letter-p7b-line/letter.txt"))) {
		if !strings.Contains(line, "-dev.") {
			continue
		}
		if _, err := h.anna.MatchChecksum(t.Context(), exchange.Comparison{Certificate: c.ID,
			Checksum: line}); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if state := h.certificate(c.ID).State; state != registry.Matched {
			t.Errorf("%s: it is %s", line, state)
		}
	}
}

// An archive's own checksum confirms what is in it; that of a picture in the same mail is said
// to be one.
func TestChecksumsOfWhatCameWithIt(t *testing.T) {
	h, c, _, err := receiveReport(t, "13-zip/zip-in-mail.eml")
	h.must(err)
	sums := map[bool]string{}
	for _, w := range h.certificate(c.ID).Provenance.With {
		sums[w.Same] = fmt.Sprintf("%x", w.SHA256)
	}
	matched, err := h.anna.MatchChecksum(t.Context(), exchange.Comparison{Certificate: c.ID, Checksum: sums[true]})
	if err != nil || matched == "" {
		t.Errorf("the archive: %v", err)
	}
	h, c, _, err = receiveReport(t, "22-logos-and-business-card/logos.eml")
	h.must(err)
	for _, w := range h.certificate(c.ID).Provenance.With {
		if w.Same {
			continue
		}
		of := exchange.Comparison{Certificate: c.ID, Checksum: fmt.Sprintf("%x", w.SHA256)}
		if _, err := h.anna.MatchChecksum(t.Context(), of); err == nil || !strings.Contains(err.Error(), w.Name) ||
			strings.Contains(err.Error(), "call the partner") {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
}

// What is no certificate is named by what it is.
func TestReceiveNamesWhatItIs(t *testing.T) {
	r := newReceiver(t)
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"PDF in a mail": {mailWith("certificate.pdf", []byte("%PDF-1.7\n")),
			"certificate.pdf: read certificate: this is a PDF"},
		"image alone": {mailWith("image001.png", []byte("\x89PNG\r\n\x1a\n")),
			"the mail has no certificate attached"},
		"letter with checksums": {[]byte("Subject: our checksum\nFrom: Anna\n\n" + strings.Repeat("ab", 32) + "\n"),
			"a checksum is compared with a certificate that came before"},
		"damaged ZIP": {mailWith("all.zip", []byte("PK\x03\x04")), "all.zip: it is damaged"},
		"7z":          {[]byte("7z\xbc\xaf\x27\x1c"), "a 7z archive: unpack it"},
	} {
		if err := r.receive(c.data); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
