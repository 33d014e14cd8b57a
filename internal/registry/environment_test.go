package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// We give API keys to those who call us, and end each once.
func TestAPIKeyRefused(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	must(t, s.AddPartner(ctx, registry.Partner{ID: "called", Name: "Called", Profile: "riskos",
		Side: sealane.ClientSide}))
	must(t, s.AddEnvironment(ctx, registry.Environment{Partner: "called", Name: "PROD",
		Sealing: sealane.SealingRequired}))
	refused(t, "partner called is called by us",
		second(s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "called", Environment: "PROD",
			Sealing: sealane.SealingRequired})))
	k, _, err := s.IssueAPIKey(ctx, registry.NewAPIKey{Partner: "acme", Environment: "PROD",
		Sealing: sealane.SealingRequired})
	must(t, err)
	must(t, s.WithReason("it is lost").RevokeAPIKey(ctx, k.ID))
	before := last(t, s)
	refused(t, "API key "+k.ID+" was revoked on", s.WithReason("once again").RevokeAPIKey(ctx, k.ID))
	if after := last(t, s); after.Seq != before.Seq {
		t.Errorf("there is a record: %s", after.Action)
	}
}

// Fifty contacts are enough; one of them may be changed still.
func TestContactsAreBounded(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	must(t, s.ChangeEnvironment(ctx, registry.Environment{Partner: "acme", Name: "PROD"},
		func(env *registry.Environment) error {
			for i := range 49 {
				env.Contacts = append(env.Contacts, registry.Contact{Role: registry.Support,
					Email: fmt.Sprintf("c%d@acme.example", i)})
			}
			return nil
		}))
	set := func(email string) error {
		return s.SetContact(ctx, lanes.Name{Partner: "acme", Environment: "PROD"},
			registry.Contact{Role: registry.Support, Name: "N", Email: email})
	}
	must(t, set("fiftieth@acme.example"))
	refused(t, "51 contacts are too many", set("more@acme.example"))
	dev := registry.Environment{Partner: "acme", Name: "DEV", Sealing: sealane.SealingRequired,
		Contacts: make([]registry.Contact, 51)}
	refused(t, "51 contacts are too many", s.AddEnvironment(ctx, dev))
	must(t, set("c7@acme.example"))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment("acme", "PROD")
		if len(env.Contacts) != 50 || env.Contacts[49].Email != "c7@acme.example" {
			t.Errorf("%d contacts, the last %+v", len(env.Contacts), env.Contacts[len(env.Contacts)-1])
		}
		return err
	}))
}

// What is not known to be for trying out is production, whatever it is called.
func TestProduction(t *testing.T) {
	for names, want := range map[string]bool{
		"LIVE PRE PREPROD PRE-PROD PROD PRD PRODUCTION EU DEV1 TESTING PRE-STAG": true,
		"QA INT ACC DEMO PILOT DR CERT LOCAL":                                    true,
		"DEV TEST STAG STAGING UAT SANDBOX":                                      false,
	} {
		for name := range strings.FieldsSeq(names) {
			for _, spelt := range []string{name, strings.ToLower(name), name[:1] + strings.ToLower(name[1:])} {
				if registry.Production(spelt) != want {
					t.Errorf("%s is production: %t", spelt, !want)
				}
			}
		}
	}
	if !registry.Production("") {
		t.Error("an environment without a name is not production")
	}
}

// If two people change the same row, one succeeds and the other gets an error; and production does
// not change to unencrypted messages without a reason.
func TestEnvironmentsThatTwoChange(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	var seen registry.Environment
	must(t, s.View(ctx, func(tx registry.Reader) (err error) {
		seen, err = tx.Environment("acme", "PROD")
		return err
	}))
	from := func(address string) func(*registry.Environment) error {
		return func(e *registry.Environment) error { e.MailFrom = address; return nil }
	}
	must(t, s.ChangeEnvironment(ctx, seen, from("one@bank.example")))
	if err := s.ChangeEnvironment(ctx, seen, from("two@bank.example")); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("the second: %v", err)
	}
	oldOAEP := func(e *registry.Environment) error { e.AcceptRSAOAEP = "x"; return nil }
	refused(t, "OAEP with SHA-1 in environment PROD of acme: the reason \"x\" says nothing",
		s.ChangeEnvironment(ctx, registry.Environment{Partner: "acme", Name: "PROD"}, oldOAEP))
	inClear := func(e *registry.Environment) error { e.Sealing = sealane.SealingOptional; return nil }
	place := registry.Environment{Partner: "acme", Name: "PROD"}
	refused(t, "messages may be unencrypted from now on: say why",
		s.WithReason(" ").ChangeEnvironment(ctx, place, inClear))
	must(t, s.WithReason("CHG-1: two weeks of change").ChangeEnvironment(ctx, place, inClear))
}
