package exchange_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// A name with characters that can't be seen, or that change the order of others, is a finding: it may be
// read as another's.
func TestNamesWithHiddenCharacters(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	for _, name := range []string{"acme\u202eelpmaxe", "acme\u200bexample", "acme\u00a0example\u0007"} {
		data := made(t, fresh(t, "hidden "+name), func(c *x509.Certificate) { c.Subject.CommonName = name })
		in := exchange.Incoming{Partner: "acme", Environment: "PROD", Data: data}
		_, found, err := h.anna.Receive(t.Context(), in)
		h.must(err)
		said := ""
		for _, f := range found {
			if f.Code == "name-characters" {
				said = f.Found
			}
		}
		if said == "" || strings.ContainsAny(said, "\u202e\u200b\u0007") {
			t.Errorf("%q: the finding says %q", name, said)
		}
	}
}

// A mail whose attachment has a name that no header may have is said to be unreadable there, and not to
// have no attachment.
func TestMailWithAFileNameThatCannotBeRead(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	mail := "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\n" + attached("application/octet-stream", "x.cer", made(t, fresh(t, "unreadable"))) + "\r\n--b--\r\n"
	mail = strings.ReplaceAll(mail, `"x.cer"`, "\"a\x1b[31m.cer\"")
	in := exchange.Incoming{Partner: "acme", Environment: "PROD", Data: []byte(mail)}
	_, _, err := h.anna.Receive(t.Context(), in)
	wantRefused(t, "a raw escape", "header can't be read", err)
}

// Who confirms a checksum that was confirmed before is told that it is right, as long as it is to be
// approved.
func TestConfirmedTwice(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	c := h.takenIn(h.anna, "acme", "PROD", "twice")
	h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
	h.must(only(h.bo.MatchChecksum(ctx, checksumOf(c))))
	if now := h.certificate(c.ID); now.State != registry.Matched || now.Provenance.MatchedBy != "anna" {
		t.Errorf("it is %s, matched by %s", now.State, now.Provenance.MatchedBy)
	}
}

// Pairs that were for a partner alone and have ended are in its status, with the time since when.
func TestEndedPairsAreInStatus(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ServerSide, "PROD")
	k, _ := h.pair("rdx", "acme", "PROD")
	h.must(h.anna.WithReason("a mistake of ours").MovePair(ctx, k.ID, registry.Retired, true))
	standings, err := exchange.Status(ctx, h.viewer(), named("acme", "PROD"))
	h.must(err)
	if len(standings) != 1 || standings[0].KeyPair != k.ID || standings[0].State != registry.Retired ||
		!standings[0].Since.Equal(h.now) || !strings.Contains(standings[0].Next.Text, "offer a new one") {
		t.Errorf("%+v", standings)
	}
}
