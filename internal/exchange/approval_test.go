package exchange_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// wantRefused wants an error that says so.
func wantRefused(t testing.TB, name, says string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(said(err), says) {
		t.Errorf("%s: %v, want %q", name, err, says)
	}
}

// takenIn is a certificate of the partner's that somebody received.
func (h *company) takenIn(who member, partner, environment, key string,
	change ...func(*x509.Certificate)) registry.Certificate {
	h.t.Helper()
	c, _, err := who.Receive(h.t.Context(), exchange.Incoming{Partner: partner, Environment: environment,
		Data: made(h.t, fresh(h.t, key), change...)})
	h.must(err)
	return c
}

// signsToo lets a certificate's key sign, as RiskOS demands.
func signsToo(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDigitalSignature }

// ownDialect adds a copy of an embedded dialect that has other environments.
func (h *company) ownDialect(of, name, environments string) {
	h.t.Helper()
	source, err := profile.Source(of)
	h.must(err)
	source = bytes.Replace(source, []byte("name: "+of), []byte("name: "+name), 1)
	_, after, _ := bytes.Cut(source, []byte("environments: "))
	listed, _, _ := bytes.Cut(after, []byte("\n"))
	_, err = h.anna.AddProfile(h.t.Context(), bytes.Replace(source, listed, []byte(environments), 1))
	h.must(err)
}

// In production somebody approves who has neither received nor matched the
// certificate, and names the change; so in every environment that is not known to be
// for trying out. Elsewhere one person may do it all.
func TestWhoApproves(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.ownDialect("rdx", "ours", "[SANDBOX, LIVE]")
	h.partner("p-rdx", "rdx", sealane.ClientSide, "STAG", "PROD")
	h.partner("p-ours", "ours", sealane.ClientSide, "SANDBOX", "LIVE")
	both := h.member("dora", registry.Operator, registry.Approver)
	for _, c := range []struct {
		partner, environment string
		production           bool
	}{{"p-rdx", "STAG", false}, {"p-rdx", "PROD", true}, {"p-ours", "SANDBOX", false}, {"p-ours", "LIVE", true}} {
		for _, step := range []struct {
			name               string
			receives, compares member
		}{{"received", both, h.anna}, {"matched", h.anna, both}} {
			name := c.environment + ", " + step.name
			got := h.takenIn(step.receives, c.partner, c.environment, name)
			_, err := step.compares.MatchChecksum(ctx, checksumOf(got))
			h.must(err)
			if !c.production {
				if err := both.Approve(ctx, got.ID, exchange.Approval{}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			approval := exchange.Approval{CallBack: called(got)}
			wantRefused(t, name+", no change", "needs change", h.cora.Approve(ctx, got.ID, approval))
			approval.Change = "CHG-1"
			wantRefused(t, name, "somebody else must approve", both.Approve(ctx, got.ID, approval))
			h.must(h.cora.Approve(ctx, got.ID, approval))
		}
	}
}

// The row says for good on what its trust rests, or why there is none.
func TestWhatIsKeptOfADecision(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	three := made(t, fresh(t, "one"), func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) })
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD", Data: three,
		Waive: map[string]string{"validity-length": "their CA issues for three years"}})
	h.must(err)
	_, err = h.bo.MatchChecksum(ctx, checksumOf(c))
	h.must(err)
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{Change: "CHG-7", CallBack: called(c),
		Grant: []string{"validity-length"}}))
	got := h.certificate(c.ID).Provenance
	if got.ReceivedBy != "anna" || got.MatchedBy != "bo" || got.ApprovedBy != "cora" {
		t.Errorf("received by %q, matched by %q, approved by %q", got.ReceivedBy, got.MatchedBy, got.ApprovedBy)
	}
	if got.Change != "CHG-7" || !strings.HasPrefix(got.CallBack, "Eva Lind, +46 8 123 45 67") {
		t.Errorf("change %q, call-back %q", got.Change, got.CallBack)
	}
	if len(got.Waivers) != 1 || got.Waivers[0].Asked != "anna" || got.Waivers[0].Granted != "cora" {
		t.Errorf("waivers: %+v", got.Waivers)
	}
	refused := h.takenIn(h.anna, "acme", "PROD", "two")
	h.must(h.cora.WithReason("nobody there knows of it").Reject(ctx, refused.ID))
	if c := h.certificate(refused.ID); c.State != registry.Rejected ||
		c.Provenance.Rejected != "nobody there knows of it" {
		t.Errorf("%s: %q", c.State, c.Provenance.Rejected)
	}
}

// Nobody ends the exchange, or the use, of a certificate without saying why.
func TestAnEndWantsAReason(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	onItsWay := h.takenIn(h.anna, "acme", "STAG", "one")
	inUse := h.letIn("acme", "PROD", made(t, fresh(t, "two")), "")
	for _, reason := range []string{"", " \t\n"} {
		for _, end := range []struct {
			name string
			of   registry.Certificate
			err  error
		}{
			{"reject", onItsWay, h.cora.WithReason(reason).Reject(ctx, onItsWay.ID)},
			{"retire", inUse, h.anna.WithReason(reason).Retire(ctx, inUse.ID, true)},
			{"compromised", inUse, h.anna.WithReason(reason).Revoke(ctx, inUse.ID)},
		} {
			wantRefused(t, end.name, "say why", end.err)
			if state := h.certificate(end.of.ID).State; state != end.of.State {
				t.Errorf("%s for %q: it is %s", end.name, reason, state)
			}
		}
	}
}

// A certificate that still verifies is no exchange any more that could be rejected.
func TestRejectWhatIsRetiring(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	before := h.letIn("acme", "STAG", made(t, fresh(t, "one")), "")
	h.letIn("acme", "STAG", made(t, fresh(t, "two")), "")
	wantRefused(t, "reject", "is retiring, and can't become rejected",
		h.cora.WithReason("too late").Reject(t.Context(), before.ID))
	if state := h.certificate(before.ID).State; state != registry.Retiring {
		t.Errorf("it is %s", state)
	}
}

// What was approved can't be compared again: the approval would be gone. Who has another right checksum
// of it learns that it is confirmed, by whom and when.
func TestApprovedIsNotConfirmedAgain(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	c := h.takenIn(h.anna, "acme", "PROD", "one", signsToo)
	h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
	again := func(state registry.State, says string) {
		t.Helper()
		h.now = h.now.Add(24 * time.Hour)
		wantRefused(t, "confirm", says, only(h.bo.MatchChecksum(ctx, checksumOf(c))))
		if c := h.certificate(c.ID); c.State != state || c.Provenance.MatchedBy != "anna" {
			t.Errorf("it is %s, matched by %s", c.State, c.Provenance.MatchedBy)
		}
	}
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{Change: "CHG-1", CallBack: called(c)}))
	again(registry.Approved, c.ID+" is approved, and anna has confirmed it on 2026-11-21")
	h.must(h.anna.Activate(ctx, c.ID))
	again(registry.Active, c.ID+" is active, and anna has confirmed it on 2026-11-21")
	h.must(h.anna.WithReason("it leaked").Revoke(ctx, c.ID))
	again(registry.Compromised, "was blocked")
}

// A new challenge voids the proof that answered the one before.
func TestChallengeVoidsTheProof(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	c := h.takenIn(h.anna, "acme", "PROD", "one")
	h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
	token, err := h.anna.Challenge(ctx, c.ID, false)
	h.must(err)
	h.must(h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: openChallenge(t, token, "one")}))
	again, err := h.anna.Challenge(ctx, c.ID, false)
	h.must(err)
	if proof := h.certificate(c.ID).Provenance.Possession; proof != "" {
		t.Errorf("the proof is still there: %s", proof)
	}
	approval := exchange.Approval{Change: "CHG-1"}
	wantRefused(t, "without a proof", "needs call-back", h.cora.Approve(ctx, c.ID, approval))
	h.must(h.anna.Prove(ctx, exchange.Proof{Certificate: c.ID, Answer: openChallenge(t, again, "one")}))
	h.must(h.cora.Approve(ctx, c.ID, approval))
}

// What comes next names who may approve as the environment says, and not as its name does.
func TestNextSaysWhoApproves(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	const another, alone = "a second person: somebody else approves it", "us: an approver approves it"
	for i, c := range []struct {
		environment string
		approvals   int
		waived      bool
		want        string
	}{
		{"STAG", 0, false, alone}, {"STAG", 2, false, another}, {"STAG", 0, true, another},
		{"PROD", 0, false, another}, {"PROD", 1, false, alone}, {"PROD", 1, true, alone},
	} {
		partner := fmt.Sprintf("p%d", i)
		h.partner(partner, "rdx", sealane.ClientSide)
		env := registry.Environment{Partner: partner, Name: c.environment, Sealing: sealane.SealingRequired,
			Approvals: c.approvals}
		h.must(h.agreed(h.anna.Session, func() error { return h.anna.AddEnvironment(ctx, env) }))
		in := exchange.Incoming{Partner: partner, Environment: c.environment, Data: made(t, fresh(t, partner))}
		if c.waived {
			in.Data = made(t, fresh(t, partner),
				func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) })
			in.Waive = map[string]string{"validity-length": "their CA issues for three years"}
		}
		got, _, err := h.anna.Receive(ctx, in)
		h.must(err)
		h.must(only(h.anna.MatchChecksum(ctx, checksumOf(got))))
		steps, err := exchange.Status(ctx, h.viewer(), named(partner, c.environment))
		h.must(err)
		_, next, err := exchange.StandingOf(ctx, h.viewer(), got.ID, "")
		h.must(err)
		for _, next := range []exchange.Next{steps[0].Next, next} {
			if said := next.Waits + ": " + next.Text; said != c.want {
				t.Errorf("%s with %d approvals, waived %v: %s, want %s", c.environment, c.approvals, c.waived, said,
					c.want)
			}
		}
		_, says, _ := strings.Cut(c.want, ": ")
		wantRefused(t, "activate in "+c.environment, says, h.anna.Activate(ctx, got.ID))
	}
}
