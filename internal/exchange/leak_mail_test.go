package exchange_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
)

// letter is a saved mail of parts, each with its own header.
func letter(kind string, parts ...string) []byte {
	text := "From: keys@acme.example\r\nMIME-Version: 1.0\r\nContent-Type: " + kind + "; boundary=cut\r\n\r\n"
	for _, p := range parts {
		text += "--cut\r\n" + p + "\r\n"
	}
	return []byte(text + "--cut--\r\n")
}

func body(kind, text string) string { return "Content-Type: " + kind + "\r\n\r\n" + text }

func attached(kind, name string, data []byte) string {
	var lines []string
	for l := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(data)), 76) {
		lines = append(lines, string(l))
	}
	return fmt.Sprintf("Content-Type: %s; name=%q\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "+
		"attachment; filename=%q\r\n\r\n%s", kind, name, name, strings.Join(lines, "\r\n"))
}

// signedBy is a PKCS#7 with a signer, as the signature of a mail or around it.
func signedBy(t testing.TB, p pairOf, content []byte, detached bool) []byte {
	t.Helper()
	s, err := pkcs7.NewSignedData(content)
	fatal(t, err)
	c, err := x509.ParseCertificate(p.der)
	fatal(t, err)
	fatal(t, s.AddSigner(c, p.key, pkcs7.SignerInfoConfig{}))
	if detached {
		s.Detach()
	}
	der, err := s.Finish()
	fatal(t, err)
	return der
}

// The certificate in a mail's signature is its signer's, not the partner's.
func TestSignedMail(t *testing.T) {
	signer, p := newPair(t, "signer"), newPair(t, "signed")
	const signedMail = `multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256`
	text, good := body("text/plain", "Hello"), attached("application/pkix-cert", "acme.cer", p.der)
	for _, kind := range []string{"application/pkcs7-signature", "application/x-pkcs7-signature", octets} {
		signature := attached(kind, "smime.p7s", signedBy(t, signer, []byte(good), true))
		r := newReceiver(t)
		c, found, err := r.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
			Data: letter(signedMail, good, signature)})
		if err != nil || !bytes.Equal(c.DER, p.der) || strings.Contains(fmt.Sprint(found), "smime") {
			t.Errorf("%s: %v %v", kind, found, err)
		}
		if err := newReceiver(t).receive(letter(signedMail, text, signature)); err == nil ||
			!strings.Contains(said(err), "no certificate but the one of its own signature") {
			t.Errorf("%s alone: %v", kind, err)
		}
	}
	around := func(content string) []byte {
		head, rest, _ := strings.Cut(attached("application/pkcs7-mime; smime-type=signed-data", "smime.p7m",
			signedBy(t, signer, []byte(content), false)), "\r\n\r\n")
		return []byte("From: keys@acme.example\r\nMIME-Version: 1.0\r\n" + head + "\r\n\r\n" + rest + "\r\n")
	}
	r := newReceiver(t)
	c, _, err := r.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: around(good)})
	if err != nil || !bytes.Equal(c.DER, p.der) {
		t.Errorf("in its signature: %v", err)
	}
	if err := r.receive(around(text)); err == nil || !strings.Contains(said(err),
		"no certificate but the one of its own signature") {
		t.Errorf("nothing in its signature: %v", err)
	}
	signature := signedBy(t, signer, []byte(text), true)
	for _, file := range [][]byte{signature, pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: signature})} {
		if err := r.receive(file); err == nil || !strings.Contains(said(err),
			"the certificate in it is the signer's") {
			t.Errorf("a signature as a file: %v", err)
		}
	}
	if err := r.receive(must1(pkcs7.DegenerateCertificate(newPair(t, "no signer").der))); err != nil {
		t.Errorf("a PKCS#7 without a signer: %v", err)
	}
}

// A partner file may come by mail, alone or together with the certificate.
func TestPartnerFileByMail(t *testing.T) {
	theirs := newCompany(t, "sqlite:"+t.TempDir()+"/theirs.db")
	theirs.partner("us", "rdx", sealane.ServerSide, "STAG")
	k, c := theirs.pair("rdx", "us", "STAG")
	file, err := theirs.anna.Export(t.Context(), exchange.PartnerFileOptions{Target: pairWith(k.ID, "us"),
		Name: "Acme"})
	theirs.must(err)
	told := attached(octets, "acme.sealane", append(file, '\n'))
	plain := attached(octets, "acme.cer", c.DER)
	for name, data := range map[string][]byte{
		"alone": letter("multipart/mixed", body("text/plain", "Hello"), told), "before": letter("multipart/mixed",
			told, plain), "behind": letter("multipart/mixed", plain, told),
	} {
		r := newReceiver(t)
		got, found, err := r.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
			Data: data})
		if err != nil || !bytes.Equal(got.DER, c.DER) || got.Provenance.Format != "partner file" ||
			got.Provenance.From != "keys@acme.example" || !strings.Contains(fmt.Sprint(found), "partner-file") {
			t.Errorf("%s: %v %v", name, found, err)
		}
	}
	changed := bytes.Replace(file, []byte(`"format"`), []byte(`"forma7"`), 1)
	if err := newReceiver(t).receive(mailWith("acme.sealane", changed)); err == nil || !strings.Contains(said(err),
		"acme.sealane: this is no partner file") {
		t.Errorf("changed: %v", err)
	}
}
