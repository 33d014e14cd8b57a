package exchange_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

func hexSum(sum []byte) string { return hex.EncodeToString(sum) }

// Both ends of both dialects exchange their certificates by their registries
// alone, and then speak.
func TestRiskOSFromNothingToAMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		customer, provider := newCompany(t, address()), newCompany(t, address())
		customer.partner("provider", "riskos", sealane.ClientSide, "PROD")
		provider.partner("customer", "riskos", sealane.ServerSide, "PROD")
		_, token, err := provider.anna.IssueAPIKey(t.Context(), registry.NewAPIKey{Partner: "customer",
			Environment: "PROD", Label: "first", Sealing: sealane.SealingRequired})
		provider.must(err)

		ours, oursCert := customer.pair("riskos", "provider", "PROD")
		theirs, theirsCert := provider.pair("riskos", "", "PROD") // one for all customers
		if _, ready, err := exchange.Preflight(t.Context(), customer.viewer(), named("provider", "PROD")); ready ||
			err != nil {
			t.Fatalf("ready before the exchange: %v", err)
		}
		provider.letIn("customer", "PROD", oursCert.DER, "")
		customer.letIn("provider", "PROD", theirsCert.DER, "")
		_, err = customer.anna.Offer(t.Context(), pairWith(ours.ID, "provider"))
		customer.must(err)
		customer.must(customer.anna.WithReason("they said so").MarkInstalled(t.Context(),
			exchange.Target{KeyPair: ours.ID}))
		_, err = provider.anna.Offer(t.Context(), pairWith(theirs.ID, "customer"))
		provider.must(err)
		provider.must(provider.anna.WithReason("they said so").MarkInstalled(t.Context(),
			pairWith(theirs.ID, "customer")))

		for _, h := range []struct {
			*company
			partner string
		}{{customer, "provider"}, {provider, "customer"}} {
			checks, ready, err := exchange.Preflight(t.Context(), h.viewer(), named(h.partner, "PROD"))
			if err != nil || !ready {
				t.Errorf("preflight with %s: %v %+v", h.partner, err, checks)
			}
		}
		request, err := customer.lane("provider", "PROD").Seal(t.Context(), []byte(`{"id":"1"}`))
		customer.must(err)
		snapshot, err := provider.Snapshot(t.Context())
		provider.must(err)
		lane, id, err := snapshot.ByAPIKey(token)
		provider.must(err)
		m, err := lane.Open(t.Context(), request)
		if err != nil || string(m.Payload()) != `{"id":"1"}` || !strings.HasPrefix(id, "a-") {
			t.Fatalf("%v %v %q", m, err, id)
		}
		answer, err := lane.Seal(t.Context(), []byte(`{"eval_id":"2"}`))
		provider.must(err)
		if m, err := customer.lane("provider", "PROD").Open(t.Context(), answer); err != nil ||
			string(m.Payload()) != `{"eval_id":"2"}` {
			t.Fatalf("%v %v", m, err)
		}
		if _, _, err := snapshot.ByAPIKey(token + "x"); !errors.Is(err, lanes.ErrUnknownAPIKey) {
			t.Errorf("a wrong API key: %v", err)
		}
	})
}

func TestRDXFromNothingToAMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		issuer, vcas := newCompany(t, address()), newCompany(t, address())
		issuer.partner("vcas", "rdx", sealane.ServerSide, "STAG")
		vcas.partner("bank", "rdx", sealane.ClientSide, "STAG")
		pair, certificate := issuer.pair("rdx", "vcas", "STAG")
		parcel, err := issuer.anna.Offer(t.Context(), pairWith(pair.ID, "vcas"))
		issuer.must(err)
		files, err := parcel.Files()
		issuer.must(err)
		got := vcas.letIn("bank", "STAG", files[parcel.Base()+".p7b"], "")
		if got.Provenance.Format != string(keyfile.FormatPKCS7PEM) || !bytes.Equal(got.SHA256, certificate.SHA256) {
			t.Errorf("received as %s", got.Provenance.Format)
		}
		lane := vcas.lane("bank", "STAG")
		token, err := lane.Seal(t.Context(), []byte("{}"))
		vcas.must(err)
		// The pair opens before its partner is said to use it, but RDX asks for the ID.
		if _, err := issuer.lane("vcas", "STAG").OpenUnverified(t.Context(),
			token); sealane.FaultOf(err) != "local.no-key-id" {
			t.Errorf("without the alias: %v", err)
		}
		issuer.must(issuer.anna.WithReason("as they wrote").SetKeyID(t.Context(), exchange.KeyIDChange{ID: pair.ID,
			KeyID: got.KeyID}))
		if _, err := issuer.lane("vcas", "STAG").OpenUnverified(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
}

// Each letter says what it must, and none holds what it must not.
func TestOffer(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("vcas", "rdx", sealane.ServerSide, "STAG")
	h.must(h.anna.ChangeEnvironment(t.Context(), registry.Environment{Partner: "vcas", Name: "STAG"},
		func(e *registry.Environment) error { e.MailFrom = "pki@bank.example"; return nil }))
	pair, c := h.pair("rdx", "vcas", "STAG")
	parcel, err := h.anna.Offer(t.Context(), pairWith(pair.ID, "vcas"))
	h.must(err)
	covering, checksums, err := parcel.Letters()
	h.must(err)
	for _, want := range []string{"Subject: ", "STAG", "keys.example", "2028-11-21", "pki@bank.example",
		"key ID (alias)", "second message", ".p7b", ".cer", ".crt", ".pem"} {
		if !bytes.Contains(covering, []byte(want)) {
			t.Errorf("the covering letter has no %q:\n%s", want, covering)
		}
	}
	if bytes.Contains(covering, []byte(hexSum(c.SHA256))) || !bytes.Contains(checksums, []byte(hexSum(c.SHA256))) {
		t.Error("the checksum is not in the second letter, or in the first")
	}
	files, err := parcel.Files()
	h.must(err)
	for name, data := range files {
		if _, err := keyfile.Parse(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The steps can't be skipped, and who may take them is held to.
func TestStepsInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("acme", "rdx", sealane.ClientSide, "PROD")
		ctx := t.Context()
		c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
			Data: made(t, fresh(t, "steps"))})
		h.must(err)
		approval := exchange.Approval{Change: "CHG-1", CallBack: called(c)}
		both := h.member("dora", registry.Operator, registry.Approver)
		refuse := func(name, says string, err error) {
			t.Helper()
			if err == nil || !strings.Contains(said(err), says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		refuse("approve before the checksum", "is received", h.cora.Approve(ctx, c.ID, approval))
		refuse("activate before the checksum", "is received", h.anna.Activate(ctx, c.ID))
		_, err = h.anna.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: strings.Repeat("00", 32)})
		refuse("a wrong checksum", "call the partner", err)
		_, err = h.cora.MatchChecksum(ctx, checksumOf(c))
		refuse("an approver confirms", "needs the role operator", err)
		matched, err := both.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID,
			Checksum: strings.ToUpper(hexSum(c.SHA256))})
		h.must(err)
		if !strings.Contains(matched, "DER") && !strings.Contains(matched, "file") {
			t.Errorf("matched: %q", matched)
		}
		refuse("an operator approves", "needs the role approver", h.anna.Approve(ctx, c.ID, approval))
		refuse("who confirmed approves", "somebody else must approve", both.Approve(ctx, c.ID, approval))
		refuse("without a change", "needs change", h.cora.Approve(ctx, c.ID, exchange.Approval{CallBack: called(c)}))
		refuse("without a call-back or proof", "needs call-back", h.cora.Approve(ctx, c.ID,
			exchange.Approval{Change: "CHG-1"}))
		refuse("a proof that nobody asked for", "no challenge was sent",
			h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: "x"}))

		token, err := h.anna.Challenge(ctx, c.ID, false)
		h.must(err)
		refuse("a wrong answer", "did not open it", h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID,
			Answer: "sealane-proof-guess"}))
		answer := openChallenge(t, token, "steps")
		h.must(h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: " " + answer + "\n"}))
		h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{Change: "CHG-1"}))
		refuse("without a key ID", "has no key ID", h.anna.Activate(ctx, c.ID))
		for keyID, says := range map[string]string{
			"1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG": "STAG",
			"1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-PROD": "4096",
			"short": "",
			"with blank-PKE-ACS-Client-2048SHA2-PROD": "",
		} {
			refuse(keyID, says, h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: c.ID, KeyID: keyID}))
		}
		h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: c.ID,
			KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD"}))
		h.must(h.anna.Activate(ctx, c.ID))
		refuse("reject what is in use", "can't become rejected", h.cora.WithReason("too late").Reject(ctx, c.ID))
		h.must(h.anna.WithReason("their mailbox was read").Revoke(ctx, c.ID))
		if _, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
			Data: made(t, fresh(t, "steps"))}); err == nil || !strings.Contains(said(err), "[key-blocked]") {
			t.Errorf("a compromised key comes again: %v", err)
		}
	})
}

func openChallenge(t *testing.T, token []byte, name string) string {
	t.Helper()
	return string(decrypt(t, token, fresh(t, name)))
}

// A renewal has a key of its own, may have the same key ID, and the certificate
// before it still counts.
func TestRenewal(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("acme", "rdx", sealane.ClientSide, "PROD")
		h.partner("bank", "rdx", sealane.ClientSide, "PROD")
		first := h.letIn("acme", "PROD", made(t, fresh(t, "r1")), "")
		second := h.letIn("acme", "PROD", made(t, fresh(t, "r2")), "")
		if first = h.certificate(first.ID); first.State != registry.Retiring || second.State != registry.Active ||
			first.KeyID != second.KeyID {
			t.Errorf("%s %s under %q and %q", first.State, second.State, first.KeyID, second.KeyID)
		}
		c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "bank", Environment: "PROD",
			Data: made(t, fresh(t, "r3"))})
		h.must(err)
		if err := h.anna.SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID, KeyID: first.KeyID}); err == nil ||
			!strings.Contains(said(err), "of acme in ") {
			t.Errorf("another partner's key ID: %v", err)
		}
		if _, _, err := h.anna.CreateKeyPair(t.Context(), registry.NewPair{Profile: "rdx", Partner: "acme",
			Environment: "PROD", Bits: 2048, Subject: subject}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.anna.CreateKeyPair(t.Context(), registry.NewPair{Profile: "rdx", Partner: "acme",
			Environment: "PROD", Bits: 2048, Subject: subject}); err == nil ||
			!strings.Contains(said(err), "is staged for") {
			t.Errorf("a second pair: %v", err)
		}
	})
}

// A waiver needs a reason, and a second person, and stays visible.
func TestWaiver(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	three := made(t, fresh(t, "w"), func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) })
	in := exchange.Incoming{Partner: "acme", Environment: "STAG", Data: three,
		Waive: map[string]string{"validity-length": " "}}
	if _, _, err := h.anna.Receive(t.Context(), in); err == nil || !strings.Contains(said(err), "say why") {
		t.Errorf("without a reason: %v", err)
	}
	in.Waive["validity-length"] = "please"
	if _, _, err := h.anna.Receive(t.Context(), in); err == nil || !strings.Contains(said(err), "says nothing") {
		t.Errorf("with a reason that says nothing: %v", err)
	}
	in.Waive["validity-length"] = "their CA issues for three years"
	dora := h.member("dora", registry.Operator, registry.Approver)
	c, _, err := dora.Receive(t.Context(), in)
	h.must(err)
	_, err = h.anna.MatchChecksum(t.Context(), checksumOf(c))
	h.must(err)
	if err := h.cora.Approve(t.Context(), c.ID, exchange.Approval{}); err == nil || !strings.Contains(said(err),
		"needs grant validity-length") {
		t.Errorf("not granted: %v", err)
	}
	granting := exchange.Approval{Grant: []string{"validity-length"}}
	if err := dora.Approve(t.Context(), c.ID, granting); err == nil || !strings.Contains(said(err),
		"somebody else must grant") {
		t.Errorf("granted by who asked: %v", err)
	}
	h.must(h.cora.Approve(t.Context(), c.ID, granting))
	h.must(h.anna.SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID,
		KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"}))
	h.must(h.anna.Activate(t.Context(), c.ID))
	checks, _, err := exchange.Preflight(t.Context(), h.viewer(), named("acme", "STAG"))
	if err != nil || !strings.Contains(fmt.Sprint(checks), "their CA issues for three years") {
		t.Errorf("the waiver is not seen: %v %v", checks, err)
	}
	weak := made(t, fresh(t, "w2"))
	sum, err := registry.SPKISum(&fresh(t, "w2").PublicKey)
	h.must(err)
	h.must(only(h.anna.WithReason("no matter why").BlockKeys(t.Context(), [][]byte{sum})))
	if _, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG", Data: weak,
		Waive: map[string]string{"key-blocked": "please"}}); err == nil {
		t.Error("a blocked key was waived")
	}
}

// Two Sealanes exchange by their partner files.
func TestPartnerFile(t *testing.T) {
	a, b := newCompany(t, "sqlite:"+t.TempDir()+"/a.db"), newCompany(t, "sqlite:"+t.TempDir()+"/b.db")
	a.partner("b", "riskos", sealane.ClientSide, "SANDBOX")
	b.partner("a", "riskos", sealane.ServerSide, "SANDBOX")
	pair, _ := a.pair("riskos", "b", "SANDBOX")
	file, err := a.anna.Export(t.Context(), exchange.PartnerFileOptions{Target: pairWith(pair.ID, "b"),
		Name: "Company A", Contacts: []registry.Contact{{Role: registry.Primary, Email: "keys@a.example"}}})
	a.must(err)
	in := exchange.Incoming{Partner: "a", Environment: "SANDBOX", Data: append(file, '\n')}
	for at := 0; at < len(file); at += len(file) / 97 {
		changed := bytes.Clone(file)
		changed[at] ^= 1
		in.Data = changed
		if _, _, err := b.anna.Receive(t.Context(), in); err == nil {
			t.Fatalf("changed at %d, it is taken", at)
		}
	}
	in.Data = append(file, '\n')
	c, _, err := b.anna.Receive(t.Context(), in)
	b.must(err)
	if c.Provenance.Format != "partner file" || !bytes.Equal(c.SPKISHA256, pair.SPKISHA256) {
		t.Errorf("%+v", c.Provenance)
	}
	if _, _, err := a.anna.Receive(t.Context(), exchange.Incoming{Partner: "b", Environment: "SANDBOX",
		Data: file}); err == nil || !strings.Contains(said(err), "sender being the client") {
		t.Errorf("our own partner file: %v", err)
	}
}

// Of two who do the same at once, one does it. The other is told, or comes after it and sees
// that the checksum matches too.
func TestTwoAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("acme", "rdx", sealane.ClientSide, "STAG")
		c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
			Data: made(t, fresh(t, "two"))})
		h.must(err)
		start, results := make(chan struct{}), make(chan error, 2)
		for _, who := range []member{h.anna, h.bo} {
			go func() {
				<-start
				_, err := who.MatchChecksum(context.WithoutCancel(t.Context()), checksumOf(c))
				results <- err
			}()
		}
		close(start)
		first, second := <-results, <-results
		if first == nil {
			first, second = second, first
		}
		if second != nil || first != nil && !errors.Is(first, registry.ErrConflict) {
			t.Errorf("%v and %v", first, second)
		}
		if now := h.certificate(c.ID); now.State != registry.Matched || now.Version != c.Version+1 {
			t.Errorf("it is %s, in version %d", now.State, now.Version)
		}
	})
}

// A notice comes before the end, and after it nothing is ready.
func TestPreflightAsTimePasses(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	h.letIn("acme", "STAG", made(t, fresh(t, "time")), "")
	for after, level := range map[time.Duration]cert.Level{0: cert.OK, 660 * 24 * time.Hour: cert.Warning,
		720 * 24 * time.Hour: cert.Refused} {
		h.now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).Add(after)
		checks, ready, err := exchange.Preflight(t.Context(), h.viewer(), named("acme", "STAG"))
		h.must(err)
		for _, c := range checks {
			if c.Name == "their certificate, validity" && c.Level != level || ready != (level != cert.Refused) {
				t.Errorf("after %s: %+v, ready %t", after, c, ready)
			}
		}
	}
}
