package registry_test

import (
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
)

// An administrator alone does not bring a root key of their own, with which they and a backup would
// have all private keys. What was agreed once goes on after an interruption.
func TestRootKeyIsRotatedByTwo(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	own, err := rootkey.Generate()
	must(t, err)
	rotate := func(to *rootkey.Key) error {
		return only(b.WithReason("yearly rotation").RotateRoot(ctx, to, nil))
	}
	r := waits(t, b.Session, "all private keys are encrypted under another root key", rotate(own))
	other, err := rootkey.Generate()
	must(t, err)
	must(t, only(b.ben.GrantRequest(ctx, r.ID)))
	if err := rotate(other); !isSecond(err) {
		t.Errorf("another key than the one that was agreed on: %v", err)
	}
	must(t, rotate(own))
	if err := rotate(other); !isSecond(err) {
		t.Errorf("the next rotation: %v", err)
	}
}

// An environment in which somebody has raised the approvals is not removed and added again by one
// person, and neither is its partner.
func TestApprovalsStayRaised(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	lane := lanes.Name{Partner: "beta", Environment: "SANDBOX"}
	must(t, b.AddPartner(ctx, registry.Partner{ID: "beta", Name: "Beta", Profile: "riskos", Side: sealane.ServerSide}))
	add := func() {
		must(t, b.AddEnvironment(ctx, registry.Environment{Partner: "beta", Name: "SANDBOX",
			Sealing: sealane.SealingRequired}))
	}
	add()
	must(t, b.WithReason("it was a typo").RemoveEnvironment(ctx, lane)) // nobody has raised them
	add()
	must(t, b.ben.RaiseApprovals(ctx, lane))
	remove := func() error { return b.WithReason("it was a typo").RemoveEnvironment(ctx, lane) }
	waits(t, b.Session, "two people decide in SANDBOX", remove())
	err := b.WithReason("it was a typo").RemovePartner(ctx, "beta")
	waits(t, b.Session, "two people decide in SANDBOX", err)
	r := waits(t, b.Session, "two people decide", remove())
	must(t, only(b.ben.GrantRequest(ctx, r.ID)))
	must(t, remove())
	must(t, b.WithReason("it was a typo").RemovePartner(ctx, "beta"))
}

// Nobody founds a registry again whose people were deleted from the database.
func TestRegistryIsFoundedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		acme(t, s)
		db, ctx := behind(t, address), t.Context()
		db.does("DELETE FROM person")
		_, err := s.Registry().Found(ctx, registry.Person{ID: "eve"})
		refused(t, "they were deleted from the database", err)
		db.does("DELETE FROM audit")
		_, err = s.Registry().Found(ctx, registry.Person{ID: "eve"})
		refused(t, "they were deleted from the database", err)
		report, err := s.Registry().VerifyRows(ctx)
		must(t, err)
		meddled.Store(t.Name(), len(report.Findings))
	})
}
