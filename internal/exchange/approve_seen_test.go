package exchange_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// What is approved is what was shown: a certificate that somebody has changed since is shown again.
func TestApprovedAsItWasShown(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	c := h.takenIn(h.anna, "acme", "PROD", "shown")
	h.must(only(h.anna.MatchChecksum(ctx, checksumOf(c))))
	shown := h.certificate(c.ID)
	a := exchange.Approval{Change: "CHG-1", CallBack: called(c), Seen: map[string]int64{c.ID: shown.Version}}
	h.must(h.bo.SetKeyID(ctx, exchange.KeyIDChange{
		ID: c.ID, KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD",
	}))
	if err := h.cora.Approve(ctx, c.ID, a); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("it was changed since it was shown: %v", err)
	}
	if now := h.certificate(c.ID).State; now != registry.Matched {
		t.Errorf("it is %s", now)
	}
	a.Seen[c.ID] = h.certificate(c.ID).Version
	h.must(h.cora.Approve(ctx, c.ID, a))
}
