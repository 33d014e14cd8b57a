package registry_test

import (
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// Who approves a partner with a loose environment approves the partner, too, as it was shown.
func TestPartnerIsAddedAsItWasShown(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	must(t, only(b.AddProfile(ctx, ownDialect(t, "ours"))))
	n := registry.NewPartner{
		Partner:     registry.Partner{ID: "beta", Name: "Beta", Profile: "riskos", Side: sealane.ServerSide},
		Environment: registry.Environment{Name: "PROD", Sealing: sealane.SealingOptional},
	}
	add := func(s *registry.Session, n registry.NewPartner) error {
		return s.WithReason("CHG-1, agreed").AddPartnerWith(ctx, n)
	}
	r := waits(t, b.Session, "unencrypted", add(b.Session, n))
	as, _, err := b.ben.ApproveRequest(ctx, r.ID)
	must(t, err)
	for _, change := range []func(*registry.NewPartner){
		func(n *registry.NewPartner) { n.Name = "Other" },
		func(n *registry.NewPartner) { n.Side = sealane.ClientSide },
		func(n *registry.NewPartner) { n.Profile = "ours" },
	} {
		other := n
		change(&other)
		refused(t, "no longer what was shown", add(as, other))
	}
	must(t, add(as, n))
}

// Who approves that a partner is removed approves each environment that needs it.
func TestPartnerIsRemovedAsItWasShown(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	must(t, b.AddPartner(ctx, registry.Partner{ID: "beta", Name: "B", Profile: "riskos", Side: sealane.ServerSide}))
	raise := func(name string) {
		t.Helper()
		must(t, b.AddEnvironment(ctx, environmentOf("beta", name)))
		must(t, b.RaiseApprovals(ctx, lanes.Name{Partner: "beta", Environment: name}))
	}
	remove := func(s *registry.Session) error { return s.WithReason("a typo").RemovePartner(ctx, "beta") }
	raise("SANDBOX")
	r := waits(t, b.Session, "two people decide in SANDBOX", remove(b.Session))
	as, _, err := b.ben.ApproveRequest(ctx, r.ID)
	must(t, err)
	raise("DEV")
	refused(t, "no longer what was shown", remove(as))
	must(t, only(b.WithReason("made again").RejectRequest(ctx, r.ID)))
	r = waits(t, b.Session, "SANDBOX", remove(b.Session))
	as, _, err = b.ben.ApproveRequest(ctx, r.ID)
	must(t, err)
	must(t, remove(as))
}
