package renewal_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/secretplace"
	"github.com/sealane/sealane/internal/testkey"
)

// webhookUntil runs a program behind a webhook, whose certificate ends at a time.
func webhookUntil(t *testing.T, end time.Time) *notify.Hook {
	t.Helper()
	key := testkey.RSA(t, "a webhook", 2048)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca, secret := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "secret")
	for file, text := range map[string][]byte{
		ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), secret: []byte("0123456789abcdef"),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := notify.WebhookConfig{URL: s.URL, CA: ca, Secret: secretplace.Place("file:" + secret)}
	h, err := c.Hook(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func texts(all []renewal.Wait) (list []string) {
	for _, one := range all {
		list = append(list, one.Text)
	}
	return list
}

// The certificates of the mail server and of the webhook's server are an alarm from 30 days before their ends on, and
// so is a node that uses a key that has ended. The root key is to be rotated after two years. The daily mail says the
// same.
func TestWatchingOurselves(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *company) {
		set := h.now.UTC()
		h.now = set.AddDate(2, 0, 0).Add(-time.Second)
		if report := h.pass(); len(report.Proposed) > 0 || report.RootKey.Sub(set).Abs() > time.Second {
			t.Fatalf("before two years: %+v, since %s", report.Proposed, report.RootKey)
		}
		h.now = time.Now().AddDate(3, 0, 0)
		h.sealed("acme", "SANDBOX", 74)
		p := h.sends(t, smtptest.New(t, smtptest.Options{TLS: "starttls", Ends: h.now.AddDate(0, 0, 20)}))
		h.schedule.Summary, h.schedule.Webhook = true, true
		ended := h.sealed("beta", "SANDBOX", 400)
		h.must(h.Store.Update(t.Context(), func(tx registry.Tx) error {
			c, err := tx.Certificate(ended)
			c.State, c.Changed = registry.Retired, h.now.Add(-2*time.Hour)
			return errors.Join(err, tx.PutCertificate(&c))
		}))
		h.uses("node-1", ended, "beta", lanes.Out)
		p.outbox.Hook = webhookUntil(t, h.now.AddDate(0, 0, 29))
		p.tick()
		h.now = h.now.AddDate(0, 0, 1)
		report, sent := p.tick()
		alarms := strings.Join(append(texts(sent.Alarms), texts(report.Alarms)...), "\n")
		if !strings.Contains(alarms, `node "node-1" has used `+ended) {
			t.Errorf("a key that has ended is used, and the alarms are %q", alarms)
		}
		proposed := strings.Join(texts(report.Proposed), "\n")
		if !strings.Contains(alarms, "the certificate of the mail server ends on ") ||
			!strings.Contains(alarms, "the certificate of the webhook ends on ") ||
			sent.MailServerEnds.IsZero() || sent.WebhookEnds.IsZero() {
			t.Errorf("alarms %q of %+v", alarms, sent)
		}
		if want := "the root key is the same since " + set.Format(time.DateOnly); !strings.Contains(proposed, want) {
			t.Errorf("proposed %q", proposed)
		}
		mails := p.server.Mails()
		last := strings.NewReplacer("=\r\n", "", "\r\n", " ").Replace(string(mails[len(mails)-1].Data))
		for _, want := range []string{
			"the mail server ends on", "the webhook ends on", "The root key is the same since",
			"has used " + ended,
		} {
			if !strings.Contains(last, want) {
				t.Errorf("the daily mail lacks %q: %s", want, last)
			}
		}
		next, err := rootkey.Generate()
		h.must(err)
		admin := h.admin.WithReason("after two years")
		_, err = admin.RotateRoot(t.Context(), next, nil)
		needed, is := errors.AsType[*registry.SecondPersonError](err)
		if !is {
			t.Fatal(err)
		}
		request, err := admin.MakeRequest(t.Context(), needed.Request)
		h.must(err)
		_, err = h.cora.GrantRequest(t.Context(), request.ID)
		h.must(err)
		_, err = admin.RotateRoot(t.Context(), next, nil)
		h.must(err)
		if report := h.pass(); len(report.Proposed) > 0 {
			t.Errorf("after the rotation: %+v", report.Proposed)
		}
	})
}
