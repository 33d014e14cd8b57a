package exchange_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

// A key that is blocked when its certificate is here already is out of use at once,
// by whatever way it was blocked.
func TestBlockedWhileHere(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("acme", "rdx", sealane.ClientSide, "STAG")
		used := h.letIn("acme", "STAG", made(t, fresh(t, "b1")), "")
		onItsWay, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
			Data: made(t, fresh(t, "b2"))})
		h.must(err)
		h.must(only(h.anna.WithReason("it is of ID+").BlockKeys(t.Context(), [][]byte{used.SPKISHA256})))
		key, err := keyfile.EncodePrivate(fresh(t, "b2"), nil)
		h.must(err)
		_, _, err = h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG", Data: key})
		if err == nil || !strings.Contains(said(err), "certificate "+onItsWay.ID+" can't be used any more") {
			t.Errorf("its private key comes: %v", err)
		}
		for _, id := range []string{used.ID, onItsWay.ID} {
			if c := h.certificate(id); c.State != registry.Compromised {
				t.Errorf("%s is %s", id, c.State)
			}
		}
		if _, err := h.anna.MatchChecksum(t.Context(), checksumOf(onItsWay)); err == nil {
			t.Error("it goes on")
		}
		if l := h.lane("acme", "STAG"); l.Ready() == nil {
			t.Error("the lane still has the key")
		}
		if _, err := h.anna.WithReason("nothing else").BlockKeys(t.Context(), nil); err == nil {
			t.Error("nothing was blocked, and that was fine")
		}
	})
}

// What a mail's text quotes hides nothing that is attached.
func TestAttachedBehindAQuotation(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	quoted := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made(t, fresh(t, "quoted"))})
	key := fresh(t, "attached")
	private, err := keyfile.EncodePrivate(key, nil)
	h.must(err)
	leaf, err := keyfile.Parse(made(t, key))
	h.must(err)
	p12, err := keyfile.EncodePKCS12(key, leaf.Certificates, []byte("a long passphrase"))
	h.must(err)
	for name, file := range map[string][]byte{"keys.p12": p12, "our.key": private} {
		data := bytes.Replace(mailWith(name, file), []byte("please find attached …"),
			append([]byte("our certificate:\r\n"), quoted...), 1)
		_, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG", Data: data})
		if err == nil || !strings.Contains(said(err), "the alarm is recorded") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key ID is replaced only by somebody who names the one that is there.
func TestAliasOfTwoCustodians(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c := h.letIn("acme", "STAG", made(t, fresh(t, "alias")), "")
	other := "ffffdadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"
	if err := h.bo.SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID, KeyID: other}); err == nil ||
		!strings.Contains(said(err), c.KeyID) {
		t.Errorf("without naming it: %v", err)
	}
	for _, bad := range [][3]string{{other, c.KeyID, " "}, {"", "", "none"}} {
		if err := h.bo.WithReason(bad[2]).SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID, KeyID: bad[0],
			Replace: bad[1]}); err == nil {
			t.Errorf("%q in the place of %q, because %q", bad[0], bad[1], bad[2])
		}
	}
	h.must(h.bo.WithReason("the same").SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID, KeyID: c.KeyID}))
	h.must(h.bo.WithReason("renamed by the partner").SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID, KeyID: other,
		Replace: c.KeyID}))
	h.must(h.anna.WithReason("seen elsewhere").Revoke(t.Context(), c.ID))
	err := h.bo.WithReason("renamed again").SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID, KeyID: c.KeyID,
		Replace: other})
	wantRefused(t, "after its end", "is compromised: it needs no key ID any more", err)
}

// Renewals pile up no certificates: the oldest has to go.
func TestOverlapIsBounded(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	var in []registry.Certificate
	for i := range 4 {
		in = append(in, h.letIn("acme", "STAG", made(t, fresh(t, fmt.Sprint("pile ", i))), ""))
	}
	c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "pile 4"))})
	h.must(err)
	_, err = h.anna.MatchChecksum(t.Context(), checksumOf(c))
	h.must(err)
	h.must(h.cora.Approve(t.Context(), c.ID, exchange.Approval{}))
	h.must(h.anna.SetKeyID(t.Context(), exchange.KeyIDChange{ID: c.ID, KeyID: in[0].KeyID}))
	if err := h.anna.Activate(t.Context(), c.ID); err == nil || !strings.Contains(said(err), "retire the oldest") {
		t.Errorf("a fifth: %v", err)
	}
	if err := h.anna.WithReason("too early").Retire(t.Context(), in[3].ID, false); err == nil ||
		!strings.Contains(said(err), "is in use") {
		t.Errorf("the active one was retired: %v", err)
	}
	h.must(h.anna.WithReason("nothing comes under it").End(t.Context(), exchange.Ending{
		ID: in[0].ID, Said: "Eva Lind by telephone: it is not used any more",
	}))
	h.must(h.anna.Activate(t.Context(), c.ID))
	if err := h.lane("acme", "STAG").Ready(); err != nil {
		t.Error(err)
	}
}

// The use of a certificate ends without a successor where somebody says so, or where it
// has expired.
func TestTheLastCertificate(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	stag := h.letIn("acme", "STAG", made(t, fresh(t, "last stag")), "")
	prod := h.letIn("acme", "PROD", made(t, fresh(t, "last prod")), "")
	if err := h.anna.WithReason("the contract ends").Retire(ctx, stag.ID, false); err == nil ||
		!strings.Contains(said(err), "needs last") {
		t.Errorf("without saying so: %v", err)
	}
	h.must(h.anna.WithReason("the contract ends").Retire(ctx, stag.ID, true))
	h.now = prod.NotAfter.Add(time.Hour)
	h.must(h.anna.WithReason("it has expired, and no other came").Retire(ctx, prod.ID, false))
	if a, b := h.certificate(stag.ID).State, h.certificate(prod.ID).State; a != registry.Retired ||
		b != registry.Expired {
		t.Errorf("%s and %s", a, b)
	}
	for _, environment := range []string{"STAG", "PROD"} {
		if err := h.lane("acme", environment).Ready(); err == nil {
			t.Errorf("%s still has a lane", environment)
		}
	}
}

// One call-back is no word on another partner's certificate.
func TestApproveSeveral(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	var received []registry.Certificate
	matched := func(partner string, name string) string {
		c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: partner, Environment: "PROD",
			Data: made(t, fresh(t, name))})
		h.must(err)
		_, err = h.anna.MatchChecksum(ctx, checksumOf(c))
		h.must(err)
		received = append(received, c)
		return c.ID
	}
	h.partner("p1", "rdx", sealane.ClientSide, "PROD")
	h.partner("p2", "rdx", sealane.ClientSide, "PROD")
	one, two, other := matched("p1", "several 1"), matched("p1", "several 2"), matched("p2", "several 3")
	approval := exchange.Approval{Change: "CHG-1", CallBack: called(received...)}
	var approved []string
	approve := func(ids ...string) error {
		for id, err := range h.cora.ApproveAll(ctx, ids, approval) {
			if err != nil {
				return err
			}
			approved = append(approved, id)
		}
		return nil
	}
	if err := approve(one, other); err == nil || !strings.Contains(said(err), "one call-back") || len(approved) > 0 {
		t.Errorf("two partners by one call: %v, %v", approved, err)
	}
	h.must(approve(one, two))
	if !slices.Equal(approved, []string{one, two}) || h.certificate(one).State != registry.Approved ||
		h.certificate(other).State != registry.Matched {
		t.Errorf("approved: %v", approved)
	}
}

// A pair for all partners is offered to each, and each says for itself that it is
// installed.
func TestSharedPair(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("p1", "riskos", sealane.ServerSide, "PROD")
	h.partner("p2", "riskos", sealane.ServerSide, "PROD")
	k, _ := h.pair("riskos", "", "PROD")
	next := func(partner string) string {
		steps, err := exchange.Status(ctx, h.viewer(), named(partner, "PROD"))
		h.must(err)
		used := slices.DeleteFunc(steps, func(s exchange.Standing) bool { return !s.State.InUse() })
		if len(used) != 1 {
			t.Fatalf("%d steps", len(used))
		}
		return used[0].Next.Waits + ": " + used[0].Next.Text
	}
	if err := h.anna.MarkInstalled(ctx, pairWith(k.ID, "p1")); err == nil || !strings.Contains(said(err),
		"was not offered to p1") {
		t.Errorf("without an offer: %v", err)
	}
	if err := h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: k.ID}); err == nil || !strings.Contains(said(err),
		"which partner") {
		t.Errorf("by nobody: %v", err)
	}
	_, err := h.anna.Offer(ctx, pairWith(k.ID, "p1"))
	h.must(err)
	if got := next("p1"); !strings.HasPrefix(got, "p1: wait until") {
		t.Error(got)
	}
	h.must(h.anna.MarkInstalled(ctx, pairWith(k.ID, "p1")))
	if got := next("p1"); got != "nobody: nothing is left to do" {
		t.Error(got)
	}
	if got := next("p2"); !strings.HasPrefix(got, "us: send its certificate") {
		t.Error(got)
	}
	// Its private key is opened once, for all lanes.
	if a, b := h.lane("p1", "PROD").Ours()[0], h.lane("p2", "PROD").Ours()[0]; !a.Public.Equal(b.Public) {
		t.Error("the lanes have different keys")
	}
	// A pair of its own that is not in use any more does not hide the shared one.
	own, _ := h.pair("riskos", "p2", "PROD")
	h.must(h.anna.WithReason("a mistake").MovePair(ctx, own.ID, registry.Retired, false))
	if got := next("p2"); !strings.HasPrefix(got, "us: send its certificate") {
		t.Error(got)
	}
}

// A private key that does not open any more is found before traffic finds it.
func TestPreflightOpensPrivateKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.meddled = 1
		h.partner("vcas", "rdx", sealane.ServerSide, "STAG")
		k, _ := h.pair("rdx", "vcas", "STAG")
		_, err := h.anna.Offer(t.Context(), pairWith(k.ID, "vcas"))
		h.must(err)
		h.must(h.anna.SetKeyID(t.Context(), exchange.KeyIDChange{ID: k.ID,
			KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"}))
		h.must(h.anna.MarkInstalled(t.Context(), exchange.Target{KeyPair: k.ID}))
		if checks, ready, err := exchange.Preflight(t.Context(), h.viewer(), named("vcas", "STAG")); err != nil ||
			!ready {
			t.Fatalf("%v %+v", err, checks)
		}
		h.must(h.Store.Update(t.Context(), func(tx registry.Tx) error {
			k, err := tx.KeyPair(k.ID)
			h.must(err)
			k.Sealed[40] ^= 1
			return tx.PutKeyPair(&k)
		}))
		checks, ready, err := exchange.Preflight(t.Context(), h.viewer(), named("vcas", "STAG"))
		if err != nil || ready || !strings.Contains(fmt.Sprint(checks), "our private key") {
			t.Errorf("%v %t %+v", err, ready, checks)
		}
		token, err := h.lane("vcas", "STAG").OpenUnverified(t.Context(), []byte("x"))
		if token != nil || err == nil {
			t.Errorf("%v %v", token, err)
		}
	})
}

// Two Sealanes prove a key without taking it out.
func TestAnswer(t *testing.T) {
	a, b := newCompany(t, "sqlite:"+t.TempDir()+"/a.db"), newCompany(t, "sqlite:"+t.TempDir()+"/b.db")
	a.partner("b", "riskos", sealane.ClientSide, "PROD")
	b.partner("a", "riskos", sealane.ServerSide, "PROD")
	_, certificate := a.pair("riskos", "b", "PROD")
	c, _, err := b.anna.Receive(t.Context(), exchange.Incoming{Partner: "a", Environment: "PROD",
		Data: certificate.DER})
	b.must(err)
	token, err := b.anna.Challenge(t.Context(), c.ID, false)
	b.must(err)
	answer, err := a.anna.Answer(t.Context(), append(token, '\n'), "")
	a.must(err)
	if again, err := a.anna.Answer(t.Context(), token, "b"); again != answer || err != nil {
		t.Errorf("with the partner named: %q, %v", again, err)
	}
	a.partner("c", "riskos", sealane.ClientSide, "PROD")
	if _, err := a.anna.Answer(t.Context(), token, "c"); err == nil {
		t.Error("a key pair of another partner's answered")
	}
	b.must(b.anna.Prove(t.Context(), exchange.Proof{Certificate: c.ID, Answer: answer}))
	if err := b.anna.Prove(t.Context(), exchange.Proof{Certificate: c.ID, Answer: answer}); err == nil ||
		!strings.Contains(said(err), "no challenge was sent") {
		t.Errorf("the answer again: %v", err)
	}
	if _, err := b.anna.Answer(t.Context(), token, ""); err == nil {
		t.Error("somebody else could answer")
	}
	other, err := a.lane("b", "PROD").Seal(t.Context(), []byte("{}"))
	if err == nil { // no message of traffic is opened this way
		if text, err := a.anna.Answer(t.Context(), other, ""); err == nil {
			t.Errorf("opened %q", text)
		}
	}
}

// A checksum that does not match is recorded, and changes nothing.
func TestMismatchIsRecorded(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "mismatch"))})
	h.must(err)
	before := h.head().Seq
	if _, err := h.anna.MatchChecksum(t.Context(), exchange.Comparison{Certificate: c.ID,
		Checksum: strings.Repeat("ab", 32)}); err == nil {
		t.Error("it matches")
	}
	if h.head().Seq != before+1 || h.certificate(c.ID).State != registry.Received {
		t.Errorf("%d records more, %s", h.head().Seq-before, h.certificate(c.ID).State)
	}
	if _, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "mm2")), Waive: map[string]string{"no-such-rule": "x"}}); err == nil ||
		!strings.Contains(said(err), "no-such-rule") {
		t.Errorf("an unknown rule was waived: %v", err)
	}
}
