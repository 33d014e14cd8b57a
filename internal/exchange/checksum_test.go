package exchange_test

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
)

// The second message confirms the certificate, not its key, whose checksum stands in
// the first one; and what is no checksum accuses nobody.
func TestWhatConfirms(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	file := made(t, fresh(t, "confirms"), signs)
	leaf, err := x509.ParseCertificate(file)
	h.must(err)
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD", Data: file})
	h.must(err)
	spki := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	head := h.head().Seq
	for text, want := range map[string]string{
		hexSum(spki[:]): "ask for the SHA-256 of the " +
			"certificate", cert.ThumbprintJWK(leaf.PublicKey.(*rsa.PublicKey)): "ask for the SHA-256 of the " +
			"certificate",
		"deadbeef": "no checksum", "": "no checksum",
	} {
		if _, err := h.anna.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: text}); err == nil ||
			!strings.Contains(said(err), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if now := h.head().Seq; now != head {
		t.Errorf("%d records of it", now-head)
	}
	// Another checksum that is wrong undoes the match.
	_, err = h.anna.MatchChecksum(ctx, checksumOf(c))
	h.must(err)
	if _, err := h.bo.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: strings.Repeat("00",
		32)}); err == nil {
		t.Error("a wrong checksum matched")
	}
	if now := h.certificate(c.ID); now.State != registry.Received || now.Provenance.MatchedBy != "" {
		t.Errorf("%s, matched by %q", now.State, now.Provenance.MatchedBy)
	}
	if err := h.cora.Approve(ctx, c.ID, exchange.Approval{Change: "C", CallBack: called(c)}); err == nil ||
		!strings.Contains(said(err), "is received") {
		t.Errorf("approved: %v", err)
	}
}

func signs(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDigitalSignature }

// A proof helps the person who approves: it precedes the approval, there is one challenge at a time, and
// a wrong answer is recorded.
func TestWhenProofCounts(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
		Data: made(t, fresh(t, "steps"))})
	h.must(err)
	token, err := h.anna.Challenge(ctx, c.ID, false)
	h.must(err)
	if _, err := h.bo.Challenge(ctx, c.ID, false); err == nil || !strings.Contains(said(err), "was sent already") {
		t.Errorf("a second challenge: %v", err)
	}
	_, err = h.anna.MatchChecksum(ctx, checksumOf(c))
	h.must(err)
	head := h.head().Seq
	if err := h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: "sealane-proof-guess"}); err == nil {
		t.Error("a guess proves")
	}
	if now := h.head().Seq; now != head+1 || h.certificate(c.ID).State != registry.Matched {
		t.Errorf("%d records, %s", now-head, h.certificate(c.ID).State)
	}
	h.must(h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: openChallenge(t, token, "steps")}))
	_, next, err := exchange.StandingOf(ctx, h.viewer(), c.ID, "")
	h.must(err)
	if slices.Contains(next.Advice.Needs, registry.CallBack) {
		t.Errorf("after the proof: %+v", next)
	}
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{Change: "C"}))
	if _, err := h.anna.Challenge(ctx, c.ID, true); err == nil {
		t.Error("challenged when it was approved")
	}
	if err := h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: "x"}); err == nil ||
		!strings.Contains(said(err), "before it is approved") {
		t.Errorf("proved when it was approved: %v", err)
	}
	if h.certificate(c.ID).Provenance.Possession == "" {
		t.Error("the proof is gone")
	}
}

// A key that shares a prime stays out for good, and the alarm names the other; keys
// that came in side by side are stopped at approval.
func TestSharedPrimeIsAnAlarm(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.meddled = 1
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	a, b, c := fresh(t, "alarm a"), fresh(t, "alarm b"), fresh(t, "alarm c")
	known := h.letIn("acme", "STAG", made(t, a), "")
	in := exchange.Incoming{Partner: "acme", Environment: "PROD", Data: made(t, testkey.Crossed(a, b))}
	if _, _, err := h.anna.Receive(ctx, in); err == nil || !strings.Contains(said(err), known.ID) {
		t.Errorf("the other is not named: %v", err)
	}
	h.must(h.anna.WithReason("shares a prime").Revoke(ctx, known.ID))
	if _, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
		Data: made(t, testkey.Crossed(a, b),
			func(c *x509.Certificate) { c.Subject.CommonName = "again" })}); err == nil {
		t.Error("it came in another time")
	}
	// Side by side: as two changes do that look before either is in.
	one, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
		Data: made(t, testkey.Crossed(b, c))})
	h.must(err)
	leaf, err := x509.ParseCertificate(made(t, testkey.Crossed(c, fresh(t, "alarm d"))))
	h.must(err)
	sibling := registry.NewCertificate(registry.Certificate{Owner: registry.Theirs, Partner: "acme", Profile: "rdx",
		Environment: "STAG"}, []*x509.Certificate{leaf})
	sibling.State = registry.Received
	h.must(h.Store.Update(ctx, func(tx registry.Tx) error { return tx.PutCertificate(&sibling) }))
	_, err = h.anna.MatchChecksum(ctx, checksumOf(one))
	h.must(err)
	if err := h.cora.Approve(ctx, one.ID, exchange.Approval{Change: "C", CallBack: called(one)}); err == nil ||
		!strings.Contains(said(err), sibling.ID) {
		t.Errorf("approved: %v", err)
	}
}

// A certificate that is not valid yet is not put to use.
func TestNotYetValid(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "later"), func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = c.NotBefore.AddDate(0, 0, 35), c.NotAfter.AddDate(0, 0, 35)
		})})
	h.must(err)
	_, err = h.anna.MatchChecksum(ctx, checksumOf(c))
	h.must(err)
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{}))
	h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: c.ID,
		KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"}))
	if err := h.anna.Activate(ctx, c.ID); err == nil || !strings.Contains(said(err), "valid from") {
		t.Errorf("activated: %v", err)
	}
	h.now = c.NotBefore.Add(time.Second)
	h.must(h.anna.Activate(ctx, c.ID))
}

// What is blocked by the checksum of a certificate, or of its file, stays out, and is
// put out of use where it is in.
func TestBlockedByCertificate(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	used := h.letIn("acme", "STAG", made(t, fresh(t, "block used")), "")
	der, other := made(t, fresh(t, "block der")), made(t, fresh(t, "block pem"))
	leaf, err := x509.ParseCertificate(other)
	h.must(err)
	text := cert.EncodePEM(leaf)
	byDER, byFile := sha256.Sum256(der), sha256.Sum256(text)
	ended, err := h.cora.WithReason("of another product").BlockKeys(ctx, [][]byte{used.SHA256, byDER[:], byFile[:]})
	h.must(err)
	if len(ended) != 1 || ended[0] != "certificate "+used.ID || h.certificate(used.ID).State != registry.Compromised {
		t.Errorf("ended %v, %s", ended, h.certificate(used.ID).State)
	}
	for _, file := range [][]byte{der, text} {
		if _, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
			Data: file}); err == nil || !strings.Contains(said(err), "[key-blocked]") {
			t.Errorf("%v", err)
		}
	}
}

// An alias of ours that is not in the dialect's form is taken only as it is said to be.
func TestAliasAsIs(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("vcas", "rdx", sealane.ServerSide, "STAG")
	k, _ := h.pair("rdx", "vcas", "STAG")
	const slip = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2_STAG"
	if err := h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: k.ID, KeyID: slip}); err == nil ||
		!strings.Contains(said(err), "needs as-is") {
		t.Errorf("a slip of the pen: %v", err)
	}
	h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: k.ID, KeyID: "their-own-name", AsIs: true}))
}

// If a partner sends another's certificate together with a private key that can't be read, no key is
// blocked except its own.
func TestHiddenKeyBlocksNobodyElse(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("victim", "rdx", sealane.ClientSide, "STAG")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	victim := h.letIn("victim", "STAG", made(t, fresh(t, "hidden victim")), "")
	own := made(t, fresh(t, "hidden own"))
	hidden, err := keyfile.EncodePrivate(fresh(t, "hidden"), []byte("a long passphrase"))
	h.must(err)
	data := hidden
	for _, der := range [][]byte{victim.DER, own} {
		leaf, err := x509.ParseCertificate(der)
		h.must(err)
		data = append(data, cert.EncodePEM(leaf)...)
	}
	if _, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: data}); err == nil || !strings.Contains(said(err), "the alarm is recorded") {
		t.Errorf("%v", err)
	}
	if now := h.certificate(victim.ID).State; now != registry.Active {
		t.Errorf("the victim's certificate is %s", now)
	}
	if _, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: own}); err == nil || !strings.Contains(said(err), "[key-blocked]") {
		t.Errorf("the sender's own: %v", err)
	}
}

// A modulus that was made out of another's keeps that one neither out nor in: only its
// own maker is refused.
func TestModulusMadeOfAnothers(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.meddled = 1
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	victim, stranger := fresh(t, "made of"), fresh(t, "made with")
	made4096 := &rsa.PublicKey{N: new(big.Int).Mul(victim.N, stranger.N), E: 65537}
	sum, err := registry.SPKISum(made4096)
	h.must(err)
	spki, err := x509.MarshalPKIXPublicKey(made4096)
	h.must(err)
	shared, err := h.SharedPrimes(ctx, []*rsa.PublicKey{&victim.PublicKey, made4096})
	h.must(err)
	if shared[0].Any() || len(shared[1].Primes) > 0 || len(shared[1].Whole) == 0 {
		t.Errorf("together: the key shares with %v, what was made of it with %v", shared[0], shared[1])
	}
	// It is there first, as one whose check had missed it.
	c := registry.Certificate{ID: "c-made", Owner: registry.Theirs, Partner: "acme", Profile: "rdx",
		Environment: "STAG", State: registry.Received, SPKI: spki, SPKISHA256: sum, SHA256: sum}
	h.must(h.Store.Update(ctx, func(tx registry.Tx) error { return tx.PutCertificate(&c) }))
	h.letIn("acme", "STAG", made(t, victim), "")
}
