package exchange_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// lanesOf describes the keys that a lane has, ours and then theirs.
func (h *company) lanesOf(partner, environment string) (keys string) {
	h.t.Helper()
	l := h.lane(partner, environment)
	for _, k := range slices.Concat(l.Ours(), l.Theirs()) {
		keys += fmt.Sprintf("%s %s; ", k.ID, k.State)
	}
	return keys
}

// alarmOf returns the open alarm that status shows of a certificate or key pair.
func (h *company) alarmOf(partner, environment, id string) *registry.Alarm {
	h.t.Helper()
	steps, err := exchange.Status(h.t.Context(), h.viewer(), named(partner, environment))
	h.must(err)
	for _, s := range steps {
		if s.Certificate == id || s.KeyPair == id {
			if s.Alarm != nil && (s.Next.Advice.Action != registry.ActionExchangeRevoke || s.Next.Advice.ID != id) {
				h.t.Errorf("status of %s advises %+v", id, s.Next)
			}
			return s.Alarm
		}
	}
	return nil
}

// accusations returns a function to the files that anyone can send who has that certificate, and
// the private key of another pair. That key is encrypted once, because it takes long.
func accusations(t *testing.T, junk pairOf) func(of pairOf) map[string][]byte {
	ssh, store := junk.openSSH(t, "a passphrase"), junk.store(t)
	return func(of pairOf) map[string][]byte {
		return map[string][]byte{
			"encrypted key and certificate": slices.Concat(of.pem, junk.encrypted),
			"encrypted SSH key":             slices.Concat(ssh, of.pem),
			"mail with a key store": letter("multipart/mixed", attached("application/x-pkcs12", "acme.p12", store),
				attached("application/pkix-cert", "acme.cer", of.der)),
		}
	}
}

// A certificate that is in use stays in use when it comes with a private key that does not show
// whose it is, in whatever state it is. The alarm is shown until a person has judged it.
func TestHiddenKeyLeavesInUseWhatIs(t *testing.T) {
	accuse := accusations(t, newPair(t, "junk"))
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("acme", "riskos", sealane.ServerSide, "PROD")
		retiring := h.letIn("acme", "PROD", made(t, fresh(t, "r1"), signsToo), "")
		active := h.letIn("acme", "PROD", made(t, fresh(t, "r2"), signsToo), "")
		staged, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
			Data: made(t, fresh(t, "r3"), signsToo)})
		h.must(err)
		h.must(only(h.anna.MatchChecksum(ctx, checksumOf(staged))))
		h.must(h.cora.Approve(ctx, staged.ID, exchange.Approval{Change: "CHG-1", CallBack: called(staged)}))
		h.must(h.anna.Stage(ctx, staged.ID))
		before := h.lanesOf("acme", "PROD")
		for i, c := range []registry.Certificate{staged, active, retiring} {
			of := pairOf{der: c.DER, pem: pemOf(c.DER)}
			for name, data := range accuse(of) {
				_, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD", Data: data})
				wantRefused(t, name, "It may be that of certificate "+c.ID+" (acme in PROD), which is still in use",
					err)
				if a := registry.AdviceIn(err); a.Action != registry.ActionExchangeRevoke || a.ID != c.ID {
					t.Errorf("%s: advice %+v", name, a)
				}
			}
			if after := h.lanesOf("acme", "PROD"); after != before {
				t.Errorf("%d: the lane had %s, and has %s", i, before, after)
			}
			alarm := h.alarmOf("acme", "PROD", c.ID)
			if alarm == nil || alarm.Certain || alarm.From != "acme" || alarm.By != "anna" {
				t.Errorf("%d: alarm %+v", i, alarm)
			}
			h.must(h.notBlocked(c))
		}
		if level, _ := h.checked("acme", "PROD", "their key, alarm"); level != cert.Warning {
			t.Errorf("preflight: %q", level)
		}

		h.must(h.anna.Activate(ctx, staged.ID)) // it is not blocked, so all steps go on
		wantRefused(t, "by an operator", "needs the role approver",
			h.anna.WithReason("not theirs").Dismiss(ctx, staged.ID))
		wantRefused(t, "without a reason", "say why", h.cora.Dismiss(ctx, staged.ID))
		h.must(h.cora.WithReason("Eva: they sent no such mail").Dismiss(ctx, staged.ID))
		if alarm := h.alarmOf("acme", "PROD", staged.ID); alarm != nil {
			t.Errorf("dismissed: %+v", alarm)
		}
		wantRefused(t, "twice", "there is no open alarm", h.cora.WithReason("once again").Dismiss(ctx, staged.ID))
		if r := h.lastRecord(); r.Action != "exchange.dismiss" || r.Reason != "Eva: they sent no such mail" ||
			r.Partner != "acme" {
			t.Errorf("recorded: %+v", r)
		}
		h.must(h.anna.WithReason("Eva: it is theirs").Revoke(ctx, retiring.ID))
		if got := h.certificate(retiring.ID); got.State != registry.Compromised {
			t.Errorf("revoked: %s", got.State)
		}
		wantRefused(t, "revoked", "there is no open alarm", h.cora.WithReason("once again").Dismiss(ctx, retiring.ID))
	})
}

// The private key of what is in use ends nothing either, ours or theirs. It is kept out, and who
// has to act is told.
func TestVisibleKeyLeavesInUseWhatIs(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("acme", "riskos", sealane.ServerSide, "PROD")
		h.partner("beta", "riskos", sealane.ServerSide, "PROD")
		theirs, shared := newPair(t, "visible"), newPair(t, "innocent")
		c := h.letIn("acme", "PROD", made(t, theirs.key, signsToo), "")
		leaf, err := x509.ParseCertificate(made(t, shared.key, signsToo))
		h.must(err)
		k, _, err := h.anna.ImportKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD"}, shared.key,
			[]*x509.Certificate{leaf})
		h.must(err)
		for _, p := range []string{"acme", "beta"} {
			h.must(h.anna.MarkInstalled(ctx, pairWith(k.ID, p)))
		}
		before := h.lanesOf("acme", "PROD") + h.lanesOf("beta", "PROD")
		for id, p := range map[string]pairOf{c.ID: theirs, k.ID: shared} {
			for name, data := range map[string][]byte{"plain": p.plain, "by mail": mailWith("key.pem", p.plain),
				"SSH": p.openSSH(t, "")} {
				_, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "beta", Environment: "PROD", Data: data})
				wantRefused(t, name, id+" (", err)
				wantRefused(t, name, "which is still in use: call the owner, and revoke it", err)
				if a := registry.AdviceIn(err); a.Action != registry.ActionExchangeRevoke || a.ID != id {
					t.Errorf("%s: advice %+v", name, a)
				}
			}
		}
		if after := h.lanesOf("acme", "PROD") + h.lanesOf("beta", "PROD"); after != before {
			t.Errorf("the lanes had %s, and have %s", before, after)
		}
		for _, partner := range []string{"acme", "beta"} { // who share the pair
			if alarm := h.alarmOf(partner, "PROD", k.ID); alarm == nil || !alarm.Certain || alarm.From != "beta" {
				t.Errorf("%s: %+v", partner, alarm)
			}
			if level, ready := h.checked(partner, "PROD", "our key, alarm"); level != cert.Refused || ready {
				t.Errorf("%s: preflight %q, ready %t", partner, level, ready)
			}
		}
		for _, p := range []pairOf{theirs, shared} {
			_, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "beta", Environment: "PROD",
				Data: made(t, p.key, signsToo)})
			wantRefused(t, "its certificate", "[key-blocked]", err)
		}
		h.must(h.cora.WithReason("it is the key of the test bench").Dismiss(ctx, k.ID))
		if alarm := h.alarmOf("acme", "PROD", k.ID); alarm != nil {
			t.Errorf("dismissed: %+v", alarm)
		}
		h.must(h.anna.WithReason("it leaked").Revoke(ctx, c.ID))
		if got := h.certificate(c.ID).State; got != registry.Compromised {
			t.Errorf("revoked: %s", got)
		}
	})
}

// A table that is imported ends nothing that is in use, and neither does a key that shares a prime
// with one in use: what came first stays until a person revokes it.
func TestImportAndSharedPrimeLeaveInUseWhatIs(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	p := newPair(t, "prime 1")
	c := h.letIn("acme", "STAG", p.der, "")
	path := table(t, "partner,profile,side,environment,sealing,certificate", "acme,rdx,client,STAG,required,acme.pem")
	h.must(os.WriteFile(filepath.Join(filepath.Dir(path), "acme.pem"),
		slices.Concat(p.pem, newPair(t, "junk").encrypted), 0o600))
	results := h.imported(path)
	if !strings.Contains(results[0].Error, "certificate "+c.ID+" (acme in STAG), which is still in use") {
		t.Errorf("imported: %+v", results[0])
	}
	h.must(h.notBlocked(c))

	// A key that shares a prime with it is there, as one whose check had missed it.
	h.meddled = 1
	crossed := testkey.Crossed(p.key, fresh(t, "prime 2"))
	sum, err := registry.SPKISum(&crossed.PublicKey)
	h.must(err)
	spki, err := x509.MarshalPKIXPublicKey(&crossed.PublicKey)
	h.must(err)
	h.must(h.Store.Update(ctx, func(tx registry.Tx) error {
		return tx.PutCertificate(&registry.Certificate{ID: "c-crossed", Owner: registry.Theirs, Partner: "acme",
			Profile: "rdx", Environment: "PROD", State: registry.Received, SPKI: spki, SPKISHA256: sum, SHA256: sum})
	}))
	before := h.lanesOf("acme", "STAG")
	_, _, err = h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG", Data: p.der})
	wantRefused(t, "a shared prime", "[shared-factor]", err)
	wantRefused(t, "a shared prime", "It is the key of certificate "+c.ID+" (acme in STAG), which is still in use",
		err)
	if got := h.certificate(c.ID); got.State != registry.Active || got.Alarm == nil || !got.Alarm.Certain {
		t.Errorf("it is %s, with the alarm %+v", got.State, got.Alarm)
	}
	if after := h.lanesOf("acme", "STAG"); after != before {
		t.Errorf("the lane had %s, and has %s", before, after)
	}
}

// notBlocked returns an error if a certificate is blocked.
func (h *company) notBlocked(c registry.Certificate) error {
	return h.Store.View(h.t.Context(), func(tx registry.Reader) error { return c.NotBlocked(tx) })
}

// lastRecord returns the newest record of the audit log.
func (h *company) lastRecord() (r audit.Record) {
	h.t.Helper()
	h.must(h.Store.View(h.t.Context(), func(tx registry.Reader) error {
		all, err := tx.AuditRecords(0, 1000)
		r = all[len(all)-1]
		return err
	}))
	return r
}

func pemOf(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
