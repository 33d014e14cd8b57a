package exchange_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// undone undoes the last step of a certificate or key pair, and fails the test unless that leads
// to a state and is recorded.
func (h *company) undone(id, partner string, want registry.State) {
	h.t.Helper()
	state, err := h.anna.WithReason("a slip").Undo(h.t.Context(), id, partner)
	if err != nil || state != want {
		h.t.Fatalf("undo of %s: %q, %v; want %s", id, state, err, want)
	}
	r := h.lastRecord()
	if action := string(r.Action); !strings.HasSuffix(action, ".undo") || r.Reason != "a slip" {
		h.t.Errorf("recorded: %s, %q", action, r.Reason)
	}
}

// notUndone fails the test unless an undo is refused, and changes nothing.
func (h *company) notUndone(t *testing.T, id, partner, says string) {
	t.Helper()
	before := h.head().Seq
	_, err := h.anna.WithReason("a slip").Undo(t.Context(), id, partner)
	wantRefused(t, "undo of "+id, says, err)
	if h.head().Seq != before {
		t.Errorf("undo of %s was refused, and recorded", id)
	}
}

// wantLane fails the test unless the lane has these keys.
func (h *company) wantLane(partner, environment, want string) {
	h.t.Helper()
	if got := h.lanesOf(partner, environment); got != want {
		h.t.Errorf("the lane with %s has %q, want %q", partner, got, want)
	}
}

// Each step of a partner's certificate that no message can have depended on is undone, and done
// again. What messages may depend on stays.
func TestUndoOfACertificate(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("acme", "riskos", sealane.ServerSide, "PROD")
		c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
			Data: made(t, fresh(t, "undo 1"), signsToo)})
		h.must(err)
		approval := exchange.Approval{Change: "CHG-1", CallBack: called(c)}
		h.notUndone(t, c.ID, "", "there is no step that could be undone")
		_, err = h.anna.Undo(ctx, c.ID, "")
		wantRefused(t, "without a reason", "say why", err)

		h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
		h.undone(c.ID, "", registry.Received)
		if p := h.certificate(c.ID).Provenance; p.MatchedBy != "" || p.Checksum != "" || p.MatchedAs != "" {
			t.Errorf("it is still matched: %+v", p)
		}
		wantRefused(t, "approved without a match", "is received", h.cora.Approve(ctx, c.ID, approval))

		h.must(h.anna.WithReason("the wrong one").Reject(ctx, c.ID))
		h.undone(c.ID, "", registry.Received)
		h.must(only(h.bo.MatchChecksum(ctx, checksumOf(c))))
		h.must(h.anna.WithReason("the wrong one").Reject(ctx, c.ID))
		h.undone(c.ID, "", registry.Matched)
		if p := h.certificate(c.ID).Provenance; p.Rejected != "" || p.MatchedBy != "bo" {
			t.Errorf("after a rejection: %+v", p)
		}

		h.must(h.cora.Approve(ctx, c.ID, approval))
		h.undone(c.ID, "", registry.Matched)
		if p := h.certificate(c.ID).Provenance; p.ApprovedBy != "" || p.Change != "" || p.CallBack != "" {
			t.Errorf("it is still approved: %+v", p)
		}
		wantRefused(t, "used without an approval", "is matched", h.anna.Activate(ctx, c.ID))
		h.must(h.cora.Approve(ctx, c.ID, approval))
		h.wantLane("acme", "PROD", "")

		h.must(h.anna.Stage(ctx, c.ID))
		h.wantLane("acme", "PROD", " staged; ")
		h.notUndone(t, c.ID, "", "messages may come that it verifies")
		h.must(h.anna.Activate(ctx, c.ID))
		h.notUndone(t, c.ID, "", "is active, and messages may be encrypted to it")
		h.wantLane("acme", "PROD", " active; ")

		second := h.letIn("acme", "PROD", made(t, fresh(t, "undo 2"), signsToo), "")
		h.notUndone(t, c.ID, "", "is retiring: there is no step")
		h.must(h.anna.WithReason("it was replaced").End(ctx, dropped(c.ID)))
		h.wantLane("acme", "PROD", " active; ")
		h.undone(c.ID, "", registry.Retiring)
		h.wantLane("acme", "PROD", " active;  retiring; ")
		h.must(h.anna.rollBack(ctx, second.ID, "")) // and the one before it is in use again
		if a, b := h.certificate(c.ID).State, h.certificate(second.ID).State; a != registry.Active ||
			b != registry.Staged {
			t.Errorf("%s and %s", a, b)
		}

		h.must(h.anna.WithReason("it leaked").Revoke(ctx, second.ID))
		h.notUndone(t, second.ID, "", "is compromised: there is no step")
		h.notUndone(t, "c-none", "", "not found")
	})
}

// Nothing of an approval is left when it counts no more: after an undo, after a rejection that is
// undone, and after a checksum that was wrong.
func TestNothingIsLeftOfAnApproval(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*company, string)
		want registry.State
	}{
		"undone": {func(h *company, id string) { h.undone(id, "", registry.Matched) }, registry.Matched},
		"rejected": {func(h *company, id string) {
			h.must(h.cora.WithReason("the wrong one").Reject(h.t.Context(), id))
			if p := h.certificate(id).Provenance; p.ApprovedBy != "cora" {
				h.t.Errorf("the rejected one was approved by %q", p.ApprovedBy)
			}
			h.undone(id, "", registry.Matched)
		}, registry.Matched},
		"a wrong checksum": {func(h *company, id string) {
			wantRefused(h.t, "a wrong checksum", "does not match", only(h.bo.MatchChecksum(h.t.Context(),
				exchange.Comparison{Certificate: id, Checksum: strings.Repeat("00", 32)})))
		}, registry.Received},
	} {
		t.Run(name, func(t *testing.T) {
			h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
			ctx := t.Context()
			h.partner("acme", "rdx", sealane.ClientSide, "PROD")
			long := func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) }
			got, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
				Data:  made(t, fresh(t, "left"), long),
				Waive: map[string]string{"validity-length": "their CA issues for three years"}})
			h.must(err)
			h.must(only(h.anna.MatchChecksum(ctx, checksumOf(got))))
			h.must(h.cora.Approve(ctx, got.ID, exchange.Approval{Change: "CHG-1", CallBack: called(got),
				Grant: []string{"validity-length"}}))
			c.end(h, got.ID)
			now := h.certificate(got.ID)
			p := now.Provenance
			if now.State != c.want || p.ApprovedBy != "" || p.Change != "" || p.CallBack != "" ||
				len(p.Waivers) != 1 || p.Waivers[0].Granted != "" || p.Waivers[0].Asked != "anna" {
				t.Errorf("it is %s, want %s: %+v", now.State, c.want, p)
			}
		})
	}
}

// A staged certificate that nothing is verified by is approved again.
func TestUndoOfAStagedCertificateThatVerifiesNothing(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("bank", "rdx", sealane.ClientSide, "STAG")
	c, _, err := h.anna.Receive(ctx,
		exchange.Incoming{Partner: "bank", Environment: "STAG", Data: made(t, fresh(t, "one"))})
	h.must(err)
	h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{}))
	h.must(h.anna.SetKeyID(ctx,
		exchange.KeyIDChange{ID: c.ID, KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"}))
	h.must(h.anna.Stage(ctx, c.ID))
	h.undone(c.ID, "", registry.Approved)
	h.wantLane("bank", "STAG", "")
	h.must(h.anna.Activate(ctx, c.ID))
}

// A retired certificate is not accepted again if it is blocked or has expired, or if four are in
// use already.
func TestRetiredCertificatesThatStay(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	var in []registry.Certificate
	for _, name := range []string{"pile 0", "pile 1", "pile 2", "pile 3", "pile 4", "undo 1"} {
		in = append(in, h.letIn("acme", "PROD", made(t, fresh(t, name), signsToo), ""))
		if n := len(in); n == 2 || n == 4 { // four stay in use
			h.must(h.anna.WithReason("it was replaced").End(ctx, dropped(in[n-2].ID)))
		}
	}
	h.notUndone(t, in[0].ID, "", "has 4 certificates in use in PROD already")
	h.must(h.anna.WithReason("it was replaced").End(ctx, dropped(in[1].ID)))
	h.must(only(h.anna.WithReason("of another product").BlockKeys(ctx, [][]byte{in[2].SPKISHA256})))
	h.notUndone(t, in[2].ID, "", "was blocked on")
	h.undone(in[0].ID, "", registry.Retiring)
	h.must(h.anna.WithReason("it was replaced").End(ctx, dropped(in[0].ID)))
	h.now = in[0].NotAfter.Add(time.Second)
	h.notUndone(t, in[0].ID, "", "has expired on")
}

// A retired certificate comes back only soon after its end, and only if no other has followed it since
// then. Otherwise it needs the evidence of a new one.
func TestRetiredCertificateComesBackSoonOnly(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	day := func() { h.now = h.now.Add(24 * time.Hour) }
	retire := func(c registry.Certificate) {
		day()
		h.must(h.anna.WithReason("it was replaced").End(t.Context(), dropped(c.ID)))
		day()
	}
	first := h.letIn("acme", "PROD", made(t, fresh(t, "pile 0"), signsToo), "")
	day()
	second := h.letIn("acme", "PROD", made(t, fresh(t, "pile 1"), signsToo), "")
	retire(first)
	h.undone(first.ID, "", registry.Retiring)
	retire(first)
	h.now = h.now.Add(28 * 24 * time.Hour)
	h.undone(first.ID, "", registry.Retiring)
	retire(first)
	h.now = h.now.Add(30 * 24 * time.Hour)
	h.notUndone(t, first.ID, "", "more than 30 days ago: receive it again")

	third := h.letIn("acme", "PROD", made(t, fresh(t, "pile 2"), signsToo), "")
	retire(second)
	h.undone(second.ID, "", registry.Retiring)
	retire(second)
	fourth := h.letIn("acme", "PROD", made(t, fresh(t, "pile 3"), signsToo), "")
	h.notUndone(t, second.ID, "", fourth.ID+" was activated since: receive it again")
	h.must(h.anna.WithReason("it leaked").Revoke(t.Context(), fourth.ID))
	h.notUndone(t, second.ID, "", fourth.ID+" was activated since: receive it again")
	h.must(h.anna.Activate(t.Context(), third.ID))
	h.notUndone(t, second.ID, "", "was activated since")
}

// A partner's word about a pair of its own is taken back: the pair before it signs again, unless
// that has ended.
func TestUndoOfAPairOfOneAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("p1", "riskos", sealane.ServerSide, "PROD")
		first, _ := h.pair("riskos", "p1", "PROD")
		h.notUndone(t, first.ID, "", "is staged: there is no step")
		h.installed(first.ID, "p1")
		h.wantLane("p1", "PROD", first.KeyID+" active; ")
		h.undone(first.ID, "", registry.Staged)
		h.wantLane("p1", "PROD", first.KeyID+" staged; ")
		h.must(h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: first.ID}))

		n := registry.NewPair{Profile: "riskos", Partner: "p1", Environment: "PROD", Bits: 2048, Subject: subject,
			Renewal: true}
		second, _, err := h.anna.CreateKeyPair(ctx, n)
		h.must(err)
		h.installed(second.ID, "p1")
		h.notUndone(t, first.ID, "", "is retiring: there is no step")
		h.undone(second.ID, "p1", registry.Staged)
		if a, b := h.stateFor("p1", first), h.stateFor("p1", second); a != "active" || b != "staged" {
			t.Errorf("%s and %s", a, b)
		}
		h.installed(second.ID, "p1")
		h.must(h.anna.WithReason("it was renewed").Retire(ctx, first.ID, false))
		h.notUndone(t, second.ID, "", "have ended, such as "+first.ID+": offer a new pair instead")
		h.wantLane("p1", "PROD", second.KeyID+" active; ")

		h.undone(first.ID, "", registry.Retiring)
		if a, b := h.stateFor("p1", first), h.stateFor("p1", second); a != "retiring" || b != "active" {
			t.Errorf("%s and %s", a, b)
		}
		h.undone(second.ID, "", registry.Staged)
		if a, b := h.stateFor("p1", first), h.stateFor("p1", second); a != "active" || b != "staged" {
			t.Errorf("%s and %s", a, b)
		}

		h.must(h.anna.WithReason("not this one").Reject(ctx, second.ID)) // which withdraws the offer
		h.undone(second.ID, "", registry.Staged)
		h.must(h.anna.WithReason("the contract ends").Retire(ctx, first.ID, true))
		h.now = h.now.AddDate(0, 0, registry.DestroyAfter)
		h.must(h.anna.WithReason("the contract has ended").MovePair(ctx, first.ID, registry.Destroyed, false))
		h.notUndone(t, first.ID, "", "is destroyed: there is no step")
		h.must(h.anna.WithReason("it leaked").Revoke(ctx, second.ID))
		h.notUndone(t, second.ID, "", "is compromised: there is no step")
	})
}

// Of a shared pair one partner's word is taken back, and nothing changes for the others.
func TestUndoOfASharedPair(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("p1", "riskos", sealane.ServerSide, "PROD")
		h.partner("p2", "riskos", sealane.ServerSide, "PROD")
		first, _ := h.pair("riskos", "", "PROD")
		h.installed(first.ID, "p1", "p2")
		second := h.renewal("PROD")
		h.installed(second.ID, "p1", "p2")
		states := func(want string) {
			t.Helper()
			got := ""
			for _, p := range []string{"p1", "p2"} {
				got += p + " " + h.stateFor(p, first) + " " + h.stateFor(p, second) + "; "
			}
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		states("p1 retiring active; p2 retiring active; ")
		h.notUndone(t, second.ID, "", "say whose word is taken back")
		h.undone(second.ID, "p1", registry.Active)
		states("p1 active staged; p2 retiring active; ")
		h.notUndone(t, second.ID, "p1", "p1 has not said")
		h.notUndone(t, second.ID, "nobody", "nobody has not said")
		h.must(h.anna.MarkInstalled(ctx, pairWith(second.ID, "p1")))
		h.must(h.anna.WithReason("it was renewed").Retire(ctx, first.ID, false))
		h.notUndone(t, second.ID, "p1", "have ended, such as "+first.ID)
		h.undone(first.ID, "", registry.Retiring)
		states("p1 retiring active; p2 retiring active; ")
		h.undone(second.ID, "p1", registry.Active)
		states("p1 active staged; p2 retiring active; ")
	})
}

// A retired pair does not open again if it is blocked, or if four are in use already.
func TestRetiredPairsThatStay(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("p1", "riskos", sealane.ServerSide, "PROD")
	var pairs []registry.KeyPair
	for i := range registry.MaxOverlap + 1 {
		if i == registry.MaxOverlap {
			h.must(h.anna.WithReason("it was renewed").Retire(ctx, pairs[0].ID, false))
		}
		k, _, err := h.anna.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "p1", Environment: "PROD",
			Bits: 2048, Subject: subject, Renewal: i > 0})
		h.must(err)
		h.installed(k.ID, "p1")
		pairs = append(pairs, k)
	}
	h.notUndone(t, pairs[0].ID, "", "4 key pairs are in use")
	h.must(h.anna.WithReason("it was renewed").Retire(ctx, pairs[1].ID, false))
	h.must(only(h.anna.WithReason("of another product").BlockKeys(ctx, [][]byte{pairs[0].SPKISHA256})))
	h.notUndone(t, pairs[0].ID, "", "was blocked on")
	h.undone(pairs[1].ID, "", registry.Retiring)
}

// dropped is the end of a certificate that the partner has said it does not use.
func dropped(id string) exchange.Ending {
	return exchange.Ending{ID: id, Said: "Eva Lind by telephone: they have dropped it"}
}
