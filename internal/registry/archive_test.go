package registry_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// An archived partner has no lanes, and nothing new begins with it until it is brought back. It is
// archived when nothing of it is in use or on its way.
func TestArchivedPartner(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	s = s.WithReason("the contract has ended")
	acme(t, s)
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	x := exchange.New(s)
	leaf, _ := issued(t, testkey.RSA(t, "registry archive", 2048).Public(), nil)
	c, _, err := x.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD", Data: leaf.Raw})
	must(t, err)
	pair := registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject}
	k, _, err := s.CreateKeyPair(ctx, pair)
	must(t, err)
	api, _, err := s.IssueAPIKey(ctx, registry.NewAPIKey{
		Partner: "acme", Environment: "PROD", Sealing: sealane.SealingRequired,
	})
	must(t, err)
	for _, end := range []struct {
		says string
		do   func() error
	}{
		{"certificate " + c.ID + " of acme is received: reject it", func() error { return x.Reject(ctx, c.ID) }},
		{"key pair " + k.ID + " for acme is staged: retire it", func() error { return x.Retire(ctx, k.ID, true) }},
		{"API key " + api.ID + " of acme in PROD is valid", func() error { return s.RevokeAPIKey(ctx, api.ID) }},
	} {
		err := s.ArchivePartner(ctx, "acme")
		refused(t, end.says, err)
		if registry.AdviceIn(err).IsZero() {
			t.Errorf("no advice in %v", err)
		}
		must(t, end.do())
	}
	must(t, s.ArchivePartner(ctx, "acme"))
	refused(t, "partner acme was archived on", s.ArchivePartner(ctx, "acme"))
	if got := lanesOf(t, s); got != 0 {
		t.Errorf("an archived partner has %d lanes", got)
	}
	again := exchange.Incoming{Partner: "acme", Environment: "PROD", Data: leaf.Raw}
	for name, work := range map[string]func(context.Context) error{
		"receive":     func(ctx context.Context) error { _, _, err := x.Receive(ctx, again); return err },
		"undo":        func(ctx context.Context) error { return only(x.Undo(ctx, c.ID, "")) },
		"undo pair":   func(ctx context.Context) error { return only(x.Undo(ctx, k.ID, "")) },
		"key pair":    func(ctx context.Context) error { _, _, err := s.CreateKeyPair(ctx, pair); return err },
		"environment": func(ctx context.Context) error { return s.AddEnvironment(ctx, environmentOf("acme", "DEV")) },
		"contact": func(ctx context.Context) error {
			return s.SetContact(ctx, lane, registry.Contact{Role: registry.Primary, Email: "a@b.example"})
		},
		"API key": func(ctx context.Context) error {
			_, _, err := s.IssueAPIKey(ctx, registry.NewAPIKey{
				Partner: "acme", Environment: "PROD", Sealing: sealane.SealingRequired,
			})
			return err
		},
	} {
		err := work(ctx)
		refused(t, "partner acme was archived on", err)
		if a := registry.AdviceIn(err); a.Action != registry.ActionPartnerRestore || a.Partner != "acme" {
			t.Errorf("%s: advice %+v", name, a)
		}
	}
	must(t, s.RenamePartner(ctx, "acme", "Acme plc"))
	must(t, s.RestorePartner(ctx, "acme"))
	refused(t, "partner acme is not archived", s.RestorePartner(ctx, "acme"))
	if got := lanesOf(t, s); got != 1 {
		t.Errorf("a partner that is back has %d lanes", got)
	}
	must(t, only(x.Undo(ctx, c.ID, "")))
	refused(t, "is of it", s.RemoveEnvironment(ctx, lane))
	refused(t, "was used", s.RemovePartner(ctx, "acme"))
}

func environmentOf(partner, name string) registry.Environment {
	return registry.Environment{Partner: partner, Name: name, Sealing: sealane.SealingRequired}
}

// lanesOf counts the environments that serving programs read.
func lanesOf(t *testing.T, s *registry.Session) (n int) {
	t.Helper()
	must(t, s.View(t.Context(), func(tx registry.Reader) error {
		partners := 0
		for _, err := range tx.Lanes().Partners() {
			if partners++; err != nil {
				return err
			}
		}
		for _, err := range tx.Lanes().Environments() {
			if n++; err != nil {
				return err
			}
		}
		if partners != n {
			t.Errorf("%d partners with %d environments", partners, n)
		}
		return nil
	}))
	return n
}

// What was added by mistake and never used is removed, and recorded; its name is free again.
func TestRemovedPartner(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	s = s.WithReason("a typo")
	acme(t, s)
	must(t, s.AddEnvironment(ctx, environmentOf("acme", "DEV")))
	must(t, s.RemoveEnvironment(ctx, lanes.Name{Partner: "acme", Environment: "DEV"}))
	refused(t, "has no environment", s.RemoveEnvironment(ctx, lanes.Name{Partner: "acme", Environment: "DEV"}))
	// A pair that all share counts where it was offered.
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject})
	must(t, err)
	must(t, exchange.New(s).Offer(ctx, exchange.Target{KeyPair: k.ID, Partner: "acme"},
		func(exchange.OfferPackage) error { return nil }))
	refused(t, "key pair "+k.ID+" was offered for it",
		s.RemoveEnvironment(ctx, lanes.Name{Partner: "acme", Environment: "PROD"}))
	must(t, s.AddPartnerWith(ctx, registry.NewPartner{
		Partner:     registry.Partner{ID: "amce", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide},
		Environment: environmentOf("", "PROD"),
	}))
	must(t, s.RemovePartner(ctx, "amce"))
	refused(t, `partner "amce": not found`, s.RemovePartner(ctx, "amce"))
	must(t, s.AddPartner(ctx,
		registry.Partner{ID: "amce", Name: "Again", Profile: "riskos", Side: sealane.ServerSide}))
}

// A partner with its profile and environment is added as a whole, or not at all.
func TestPartnerIsAddedAsAWhole(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	ada, _ := person(t, s, "ada", registry.Administrator)
	ole, _ := person(t, s, "ole", registry.Operator)
	source := ownDialect(t, "ours")
	n := registry.NewPartner{
		Partner:       registry.Partner{ID: "b", Name: "B", Side: sealane.ServerSide},
		ProfileSource: source, Environment: environmentOf("", "PROD"),
	}
	wrong := func(change func(*registry.NewPartner)) registry.NewPartner {
		w := n
		change(&w)
		return w
	}
	before := last(t, s)
	refused(t, "partner.add needs the role operator", ada.AddPartnerWith(ctx, n))
	refused(t, "small letters", ole.AddPartnerWith(ctx, wrong(func(n *registry.NewPartner) { n.ID = "B b" })))
	refused(t, "which side", ole.AddPartnerWith(ctx, wrong(func(n *registry.NewPartner) { n.Side = "" })))
	refused(t, "none of profile ours",
		ole.AddPartnerWith(ctx, wrong(func(n *registry.NewPartner) { n.Environment.Name = "MOON" })))
	loose := wrong(func(n *registry.NewPartner) { n.Environment.Sealing = sealane.SealingOptional })
	if err := ole.AddPartnerWith(ctx, loose); !isSecond(err) {
		t.Errorf("what loosens production needs a second person: %v", err)
	}
	if after := last(t, s); after.Seq != before.Seq {
		t.Errorf("a refused partner left record %d: %s", after.Seq, after.Action)
	}
	must(t, s.View(ctx, func(tx registry.Reader) error {
		if profiles, err := tx.Profiles(); len(profiles) > 0 || err != nil {
			t.Errorf("%d profiles are there, %v", len(profiles), err)
		}
		return nil
	}))
	must(t, ole.AddPartnerWith(ctx, n))
	if r := last(t, s); r.Action != "partner.add" || r.Partner != "b" || r.Environment != "PROD" {
		t.Errorf("%+v", r)
	}
	n.ID, n.ProfileSource = "c", append(source, "# other rules\n"...)
	err := ole.AddPartnerWith(ctx, n)
	refused(t, "is there with other rules", err)
	if a := registry.AdviceIn(err); a.Action != registry.ActionProfileChange || a.ID != "ours" {
		t.Errorf("%+v", a)
	}
}

func isSecond(err error) bool {
	_, is := errors.AsType[*registry.SecondPersonError](err)
	return is
}
