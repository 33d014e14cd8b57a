package exchange_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// What must not come in does not, and leaves nothing but the record of alarms.
func TestRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
		h.partner("other", "rdx", sealane.ClientSide, "PROD")
		good := fresh(t, "good")
		h.letIn("acme", "STAG", made(t, good), "")
		early := made(t, fresh(t, "early"))
		_, _, err := h.anna.Receive(t.Context(),
			exchange.Incoming{Partner: "acme", Environment: "STAG", Data: early})
		h.must(err)
		blocked, err := registry.SPKISum(&fresh(t, "idplus").PublicKey)
		h.must(err)
		h.must(only(h.anna.WithReason("key of ID+").BlockKeys(t.Context(), [][]byte{blocked})))
		ownPair, _ := h.pair("rdx", "acme", "STAG")
		private, err := x509.MarshalPKCS8PrivateKey(fresh(t, "leaked"))
		h.must(err)
		for _, c := range []struct {
			name, partner, environment, says string
			data                             []byte
		}{
			{"not a certificate", "acme", "PROD", "not PEM, DER", []byte("hello")},
			{"the same key in STAG and PROD", "acme", "PROD",
				"acme in STAG; make a new key pair", made(t, good)},
			{"the same file, by mistake in STAG before", "acme", "PROD",
				"was received there by mistake, reject it, and receive this again", early},
			{"the key of another partner", "other", "PROD", "[key-known]", made(t, good)},
			{"the same key again, renewed", "acme", "STAG", "[key-known]",
				made(t, good, func(c *x509.Certificate) { c.SerialNumber.SetInt64(4712) })},
			{"a key of ID+", "acme", "PROD",
				"[key-blocked]: blocked key: this public key was blocked on 2026-11-21: key of ID+",
				made(t, fresh(t, "idplus"))},
			{"ten years", "acme", "PROD", "[validity-length]",
				made(t, fresh(t, "a"), func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(8, 0, 0) })},
			{"expired", "acme", "PROD", "[validity-now]",
				made(t, fresh(t, "a"), func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(0, 0, 1) })},
			{"no organization", "acme", "PROD", "[organization]",
				made(t, fresh(t, "a"), func(c *x509.Certificate) { c.Subject.Organization = nil })},
			{"no unit", "acme", "PROD", "[unit]",
				made(t, fresh(t, "a"), func(c *x509.Certificate) { c.Subject.OrganizationalUnit = nil })},
			{"no email", "acme", "PROD", "[email]",
				made(t, fresh(t, "a"), func(c *x509.Certificate) { c.EmailAddresses = nil })},
			{"for signatures", "acme", "PROD", "[key-usage]",
				made(t, fresh(t, "a"), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })},
			{"a private key", "acme", "PROD", "the alarm is recorded, and this key can't come in any more",
				pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})},
			{"and then its certificate", "acme", "PROD",
				"[key-blocked]: blocked key: this public key was blocked on 2026-11-21: its private key came in " +
					"a file from " +
					"acme", made(t, fresh(t, "leaked"))},
			{"a mail with a private key", "acme", "PROD", "the alarm is recorded",
				mailWith("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))},
			{"a bare public key", "acme", "PROD", "ask for an X.509 certificate", ownPair.SPKI},
			{"no such partner", "nobody", "PROD", `partner "nobody": not found`, made(t, fresh(t, "a"))},
			{"no such environment", "other", "STAG", `has no environment "STAG"`, made(t, fresh(t, "a"))},
		} {
			before := h.head()
			_, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: c.partner, Environment: c.environment,
				Data: c.data})
			if err == nil || !strings.Contains(said(err), c.says) {
				t.Errorf("%s: %v", c.name, err)
			}
			alarm := strings.Contains(c.says, "the alarm")
			if grown := h.head().Seq > before.Seq; grown != alarm {
				t.Errorf("%s: the audit log has grown: %t", c.name, grown)
			}
		}
		steps, err := exchange.Status(t.Context(), h.viewer(), named("acme", "PROD"))
		if err != nil || len(steps) != 0 {
			t.Errorf("something was kept: %v %v", steps, err)
		}
	})
}

func (h *company) head() (head audit.Head) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) (err error) {
		head, err = tx.AuditHead()
		return err
	}))
	return head
}

// mailWith is a saved mail with a file attached, as mail programs write it.
func mailWith(name string, data []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: \"Keys\" <keys@acme.example>\r\nTo: us@bank.example\r\nSubject: our "+
		"certificate\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/mixed; boundary=\"frontier\"\r\n\r\n--frontier\r\nContent-Type: text/plain; "+
		"charset=utf-8\r\n\r\nHello,\r\nplease find attached …\r\n"+
		"--frontier\r\nContent-Type: application/octet-stream; name=%q\r\nContent-Disposition: attachment; "+
		"filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n", name, name)
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n--frontier--\r\n")
	return b.Bytes()
}

func TestReceivedByMail(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	der := made(t, fresh(t, "mail"))
	c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: mailWith("acme.cer", der)})
	h.must(err)
	if c.Provenance.From != "keys@acme.example" || c.CommonName != "partner.example" || !bytes.Equal(c.Provenance.File,
		der) {
		t.Errorf("from %q, %q, file of %d bytes", c.Provenance.From, c.CommonName, len(c.Provenance.File))
	}
	for name, data := range map[string][]byte{
		"no certificate attached": mailWith("notes.txt", []byte("see you")),
		"2 different certificates": bytes.Replace(mailWith("a.cer", made(t, fresh(t, "m1"))),
			[]byte("--frontier--"), bytes.TrimPrefix(mailWith("b.cer", made(t, fresh(t, "m2"))), []byte("From")), 1),
		"more than 64 parts": []byte("From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: " +
			"multipart/mixed; boundary=x\r\n\r\n" + strings.Repeat("--x\r\n\r\nhello\r\n", 100) + "--x--\r\n"),
		"the mail has no certificate ": []byte("From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: " +
			"multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\ncut"),
	} {
		if _, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
			Data: data}); err == nil || !strings.Contains(said(err), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key that shares a prime with one that is known is refused: both are broken.
func TestSharedPrime(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	known, other := fresh(t, "prime 1"), fresh(t, "prime 2")
	h.letIn("acme", "STAG", made(t, known), "")
	shared := testkey.Crossed(known, other)
	for _, waive := range []map[string]string{nil, {"shared-factor": "please"}} {
		_, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "PROD",
			Data: made(t, shared), Waive: waive})
		if err == nil || !strings.Contains(said(err), "[shared-factor]") {
			t.Errorf("%v", err)
		}
	}
}

// A modulus that was made of another's whole modulus is refused, and the other is not accused.
func TestModulusMadeOfOurs(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	h.partner("mallory", "rdx", sealane.ClientSide, "STAG")
	victim := h.letIn("acme", "STAG", made(t, fresh(t, "prime 1")), "")
	ours, _ := h.pair("riskos", "", "PROD")
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		c, err := tx.Certificate(ours.Certificate)
		h.must(err)
		chain, err := c.Parse()
		h.must(err)
		for id, n := range map[string]*big.Int{
			victim.ID: fresh(t, "prime 1").N, ours.ID: chain[0].PublicKey.(*rsa.PublicKey).N,
		} {
			other := fresh(t, "made with "+id[:1])
			key := &rsa.PublicKey{N: new(big.Int).Mul(n, other.N), E: 65537}
			_, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "mallory", Environment: "STAG",
				Data: madeFor(t, key, other)})
			wantRefused(t, id, "this key was made of the modulus of "+id, err)
			wantRefused(t, id, "which is in no danger", err)
			if strings.Contains(said(err), "in common") || strings.Contains(said(err), "must replace") {
				t.Errorf("accused: %v", err)
			}
		}
		return nil
	}))
	if state := h.certificate(victim.ID).State; state != registry.Active {
		t.Errorf("the victim's certificate is %s", state)
	}
	h.installed(ours.ID) // it is not blocked
}

// madeFor is a certificate for any public key, which another key signs.
func madeFor(t *testing.T, key *rsa.PublicKey, by *rsa.PrivateKey) []byte {
	t.Helper()
	self, err := x509.ParseCertificate(made(t, by))
	if err != nil {
		t.Fatal(err)
	}
	self.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	der, err := x509.CreateCertificate(rand.Reader, self, self, key, by)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
