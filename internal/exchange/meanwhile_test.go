package exchange_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// block blocks a key, and leaves the state of what has it as it is.
func (h *company) block(spkiSHA256 []byte) {
	h.t.Helper()
	h.must(h.Store.Update(h.t.Context(), func(tx registry.Tx) error {
		return tx.PutBlocked(registry.Blocked{SPKISHA256: spkiSHA256, Reason: "seen in a repository", By: "cora",
			At: h.now})
	}))
}

// No step of an exchange goes on with a key that was blocked since the one before.
func TestBlockedBetweenTheSteps(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.meddled = 3
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ClientSide, "SANDBOX")
	steps := []struct {
		name  string
		state registry.State // before it
		take  func(registry.Certificate) error
	}{
		{"confirm", registry.Received, func(c registry.Certificate) error {
			_, err := h.anna.MatchChecksum(ctx, checksumOf(c))
			return err
		}},
		{"approve", registry.Matched, func(c registry.Certificate) error {
			return h.cora.Approve(ctx, c.ID,
				exchange.Approval{})
		}},
		{"activate", registry.Approved, func(c registry.Certificate) error { return h.anna.Activate(ctx, c.ID) }},
	}
	for i, step := range steps {
		c := h.takenIn(h.anna, "acme", "SANDBOX", "before "+step.name, signsToo)
		for _, before := range steps[:i] {
			h.must(before.take(c))
		}
		h.block(c.SPKISHA256)
		wantRefused(t, step.name, "was blocked on 2026-11-21: seen in a repository", step.take(c))
		if state := h.certificate(c.ID).State; state != step.state {
			t.Errorf("%s: it is %s", step.name, state)
		}
	}
}

// What has expired while it was waited for is not put to use, theirs or ours.
func TestExpiredMeanwhile(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ClientSide, "SANDBOX")
	theirs := h.takenIn(h.anna, "acme", "SANDBOX", "one", signsToo)
	_, err := h.anna.MatchChecksum(ctx, checksumOf(theirs))
	h.must(err)
	h.must(h.cora.Approve(ctx, theirs.ID, exchange.Approval{}))
	pair, ours := h.pair("riskos", "acme", "SANDBOX")
	_, err = h.anna.Offer(ctx, pairWith(pair.ID, "acme"))
	h.must(err)
	start := h.now
	h.now = theirs.NotAfter.Add(time.Second)
	wantRefused(t, "theirs", "has expired on 2028-11-01", h.anna.Activate(ctx, theirs.ID))
	h.now = ours.NotAfter.Add(time.Second)
	wantRefused(t, "ours", "has expired on 2028-11-21", h.anna.MarkInstalled(ctx, pairWith(pair.ID, "acme")))
	h.now = start // and nothing else was in the way
	h.must(h.anna.Activate(ctx, theirs.ID))
	h.must(h.anna.MarkInstalled(ctx, pairWith(pair.ID, "acme")))
}
