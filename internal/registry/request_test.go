package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// bank is a registry with an operator, two approvers and a partner in production.
type bank struct {
	*registry.Session // the administrator and operator
	ben, cora         *registry.Session
	now               time.Time
}

func newBank(t *testing.T, address string) *bank {
	t.Helper()
	s, _ := founded(t, address)
	b := &bank{Session: s, now: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)}
	s.Registry().Now = func() time.Time { // between a request and its approval there is some
		b.now = b.now.Add(time.Millisecond)
		return b.now
	}
	must(t, s.AddPartner(t.Context(), registry.Partner{
		ID: "acme", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide,
	}))
	b.ben, _ = person(t, s, "ben", registry.Approver)
	b.cora, _ = person(t, s, "cora", registry.Approver)
	must(t, s.AddEnvironment(t.Context(), registry.Environment{
		Partner: "acme", Name: "PROD", Sealing: sealane.SealingRequired,
	}))
	return b
}

// change changes the environment in production.
func (b *bank) change(ctx context.Context, s *registry.Session, set func(*registry.Environment)) error {
	return s.WithReason("CHG-1, agreed").ChangeEnvironment(ctx, registry.Environment{Partner: "acme", Name: "PROD"},
		func(e *registry.Environment) error {
			set(e)
			return nil
		})
}

func (b *bank) environment(t *testing.T) (env registry.Environment) {
	t.Helper()
	must(t, b.View(t.Context(), func(tx registry.Reader) (err error) {
		env, err = tx.Environment("acme", "PROD")
		return err
	}))
	return env
}

// waits stores the request of an act, which must need a second person, and whose text must say why.
func waits(t *testing.T, s *registry.Session, says string, err error) registry.Request {
	t.Helper()
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is || !strings.Contains(err.Error(), says) {
		t.Fatalf("%v, want a second person, and %q", err, says)
	}
	r, err := s.MakeRequest(t.Context(), needed.Request)
	must(t, err)
	return r
}

// What loosens production needs a second person, each for itself; what tightens or stops it does
// not, nor does anything in a test environment.
func TestWhatNeedsASecondPerson(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		for says, set := range map[string]func(*registry.Environment){
			"unencrypted messages are accepted": func(e *registry.Environment) { e.Sealing = sealane.SealingOptional },
			"another account":                   func(e *registry.Environment) { e.Account = "evil" },
			"one person alone":                  func(e *registry.Environment) { e.Approvals = 1 },
		} {
			before := b.environment(t)
			waits(t, b.Session, says, b.change(ctx, b.Session, set))
			if now := b.environment(t); now.Version != before.Version {
				t.Errorf("%s: it is changed already", says)
			}
		}
		must(t, b.change(ctx, b.Session, func(e *registry.Environment) { e.MailFrom = "keys@bank.example" }))
		must(t, b.change(ctx, b.Session, func(e *registry.Environment) { e.Approvals = 2 }))
		_, _, err := b.IssueAPIKey(ctx, registry.NewAPIKey{
			Partner: "acme", Environment: "PROD", Sealing: sealane.SealingOptional,
		})
		waits(t, b.Session, "unencrypted messages are accepted with this API key", err)
		_, err = b.AddPerson(ctx, registry.Person{ID: "eve", Roles: []registry.Role{registry.Approver}})
		waits(t, b.Session, "eve becomes approver", err)
		_, err = b.AddPerson(ctx, registry.Person{ID: "eve", Roles: []registry.Role{registry.Administrator}})
		waits(t, b.Session, "eve becomes administrator", err)
		_, err = b.AddPerson(ctx, registry.Person{ID: "olga", Roles: []registry.Role{registry.Operator}})
		waits(t, b.Session, "olga becomes operator", err)
		for _, free := range []registry.Role{registry.Auditor, registry.Backup} {
			id := "the-" + string(free)
			must(t, only(b.AddPerson(ctx, registry.Person{ID: id, Roles: []registry.Role{free}})))
			must(t, only(b.RenewToken(ctx, id)))
		}
		err = b.SetRoles(ctx, "the-auditor", []registry.Role{registry.Operator})
		waits(t, b.Session, "the-auditor becomes operator", err)
		k, _, err := b.CreateKeyPair(ctx, registry.NewPair{
			Profile: "riskos", Partner: "acme", Environment: "PROD", Subject: subject,
		})
		must(t, err)
		delivered := false
		err = b.WithReason("moves to the HSM").ExportKeyPair(ctx, registry.KeyPairExport{
			KeyPair: k.ID, Format: "pkcs8", Passphrase: []byte("a long passphrase"),
			Deliver: func([]byte) error { delivered = true; return nil },
		})
		waits(t, b.Session, "a private key for production leaves", err)
		if delivered {
			t.Error("the private key was delivered before anybody approved")
		}
		must(t, b.WithReason("it was seen").MovePair(ctx, k.ID, registry.Compromised, false)) // stopping never waits
		must(t, b.AddEnvironment(ctx, registry.Environment{
			Partner: "acme", Name: "SANDBOX", Sealing: sealane.SealingOptional,
		}))
		must(t, b.AddPartner(ctx, registry.Partner{
			ID:      "vcas",
			Name:    "VCAS",
			Profile: "rdx",
			Side:    sealane.ServerSide,
		}))
		vcas := registry.Environment{
			Partner: "vcas", Name: "PROD", Sealing: sealane.SealingRequired, SenderAuth: sealane.SenderMutualTLS,
		}
		must(t, b.AddEnvironment(ctx, vcas))
		for says, set := range map[string]func(*registry.Environment){
			"OAEP with SHA-1":      func(e *registry.Environment) { e.AcceptRSAOAEP = "their library is old" },
			"is not authenticated": func(e *registry.Environment) { e.SenderAuth = sealane.SenderUnauthenticated },
		} {
			err := b.WithReason("CHG-2, agreed").ChangeEnvironment(ctx, vcas, func(e *registry.Environment) error {
				set(e)
				return nil
			})
			waits(t, b.Session, says, err)
		}
		vcas.Partner, vcas.SenderAuth = "other", sealane.SenderUnauthenticated
		must(t, b.AddPartner(ctx, registry.Partner{ID: "other", Name: "O", Profile: "rdx", Side: sealane.ServerSide}))
		waits(t, b.Session, "is not authenticated", b.AddEnvironment(ctx, vcas))
		rowsHold(t, b.Registry())
	})
}

// A request is done once, by another person, as it was shown, and before it ends.
func TestRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		optional := func(e *registry.Environment) { e.Sealing = sealane.SealingOptional }
		r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		again := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		if again.ID != r.ID {
			t.Errorf("%s is a second request for the same act as %s", again.ID, r.ID)
		}
		refused(t, "is your own", only2(b.ApproveRequest(ctx, r.ID)))
		as, _, err := b.ben.ApproveRequest(ctx, r.ID)
		must(t, err)
		// Another act than the one that was shown is not done by its approval.
		refused(t, "no longer what was shown", b.change(ctx, as, func(e *registry.Environment) { e.Account = "evil" }))
		must(t, b.change(ctx, as, optional))
		if b.environment(t).Sealing != sealane.SealingOptional {
			t.Error("it is approved, and not done")
		}
		records := lastRecords(t, b.Session, 2)
		if records[0].Actor != "ben" || records[0].Action != "request.approve" ||
			records[1].Action != "environment.change" || records[1].Actor == "ben" {
			t.Errorf("records: %+v", records)
		}
		refused(t, "was decided", only2(b.cora.ApproveRequest(ctx, r.ID)))
		if err := b.change(ctx, as, optional); err == nil {
			t.Error("the approval counts twice")
		}

		// What it would change was changed since it was shown.
		must(t, b.change(ctx, b.Session, func(e *registry.Environment) { e.Sealing = sealane.SealingRequired }))
		r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		must(t, b.change(ctx, b.Session, func(e *registry.Environment) { e.MailFrom = "other@bank.example" }))
		as, _, err = b.ben.ApproveRequest(ctx, r.ID)
		must(t, err)
		refused(t, "no longer what was shown", b.change(ctx, as, optional))
		must(t, only(b.WithReason("made again").RejectRequest(ctx, r.ID)))

		// It ends after a week; a grant after a day, and counts once.
		r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		b.now = b.now.Add(8 * 24 * time.Hour)
		refused(t, "ended on", only2(b.ben.ApproveRequest(ctx, r.ID)))
		r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		b.now = b.now.Add(25 * time.Hour)
		r = waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		must(t, b.change(ctx, b.Session, optional))
		must(t, b.change(ctx, b.Session, func(e *registry.Environment) { e.Sealing = sealane.SealingRequired }))
		waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		rowsHold(t, b.Registry())
	})
}

// Nobody approves their own request, whatever roles they have.
func TestOwnRequest(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	both, _ := person(t, b.Session, "dora", registry.Operator, registry.Approver)
	r := waits(t, both, "another account", b.change(ctx, both, func(e *registry.Environment) { e.Account = "a" }))
	refused(t, "is your own", only2(both.ApproveRequest(ctx, r.ID)))
	refused(t, "is your own", only(both.GrantRequest(ctx, r.ID)))
	must(t, b.WithReason("has left the bank").RevokePerson(ctx, "dora"))
	refused(t, "whose token was revoked", only2(b.ben.ApproveRequest(ctx, r.ID)))
}

// A company of one has nobody to wait for, and status shows that one is enough.
func TestCompanyOfOne(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s) // approvals: 1
	production := registry.Environment{Partner: "acme", Name: "PROD"}
	must(t, s.WithReason("they begin in May").ChangeEnvironment(ctx, production,
		func(e *registry.Environment) error {
			e.Sealing = sealane.SealingOptional
			return nil
		}))
	must(t, s.ChangeEnvironment(ctx, registry.Environment{Partner: "acme", Name: "PROD"},
		func(e *registry.Environment) error {
			e.Approvals = 2 // anyone raises it
			return nil
		}))
	err := s.WithReason("too slow for us").ChangeEnvironment(ctx, registry.Environment{Partner: "acme", Name: "PROD"},
		func(e *registry.Environment) error {
			e.Approvals = 1
			return nil
		})
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is {
		t.Fatalf("one person lowers the approvals: %v", err)
	}
	refused(t, "nobody else is an approver", only(s.MakeRequest(ctx, needed.Request)))
}

// A block is lifted by two, and what it has ended stays ended.
func TestUnblock(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		sum := make([]byte, 32)
		sum[0] = 7
		must(t, only(b.WithReason("key of ID+").BlockKeys(ctx, [][]byte{sum})))
		lift := func(s *registry.Session) error {
			return s.WithReason("the wrong line of the list").UnblockKey(ctx, sum)
		}
		r := waits(t, b.Session, "a blocked key may be used again", lift(b.Session))
		as, _, err := b.ben.ApproveRequest(ctx, r.ID)
		must(t, err)
		must(t, lift(as))
		refused(t, "was lifted on", lift(b.Session))
		rowsHold(t, b.Registry())
	})
}

// only2 leaves the error of two answers.
func only2[A, B any](_ A, _ B, err error) error { return err }

// lastRecords returns the newest records of the audit log.
func lastRecords(t *testing.T, s *registry.Session, n int) (records []audit.Record) {
	t.Helper()
	must(t, s.View(t.Context(), func(tx registry.Reader) error {
		head, err := tx.AuditHead()
		if err == nil {
			records, err = tx.AuditRecords(head.Seq-int64(n), n)
		}
		return err
	}))
	return records
}

// The person whom a request is about can't approve it; another can.
func TestRequestAboutTheApprover(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/registry.db"), t.Context()
	roles := []registry.Role{registry.Approver, registry.Administrator}
	r := waits(t, b.Session, "ben becomes administrator", b.WithReason("CHG-2, agreed").SetRoles(ctx, "ben", roles))
	_, _, err := b.ben.ApproveRequest(ctx, r.ID)
	refused(t, "is about you", err)
	_, _, err = b.cora.ApproveRequest(ctx, r.ID)
	must(t, err)
}
