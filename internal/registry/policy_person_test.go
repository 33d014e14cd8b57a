package registry_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// loosen accepts unencrypted messages in production, which two people decide.
func (b *bank) loosen(t *testing.T) error {
	t.Helper()
	return b.change(t.Context(), b.Session, func(e *registry.Environment) { e.Sealing = sealane.SealingOptional })
}

// revoke revokes the tokens of people, which never waits.
func (b *bank) revoke(t *testing.T, people ...string) {
	t.Helper()
	for _, id := range people {
		must(t, b.WithReason("has left the bank").RevokePerson(t.Context(), id))
	}
}

// Nobody becomes alone by revoking the others and then taking their roles.
func TestRolesOfTheRevokedAreNotTakenAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		b.revoke(t, "ben", "cora")
		for _, id := range []string{"ben", "cora"} {
			err := b.SetRoles(ctx, id, []registry.Role{registry.Auditor})
			asksSecond(t, id+" is no longer approver", err)
		}
		asksSecond(t, "unencrypted messages", b.loosen(t))
	})
}

// asksSecond fails the test unless an error asks for a second person, and says why.
func asksSecond(t *testing.T, says string, err error) *registry.SecondPersonError {
	t.Helper()
	needed, is := errors.AsType[*registry.SecondPersonError](err)
	if !is {
		t.Fatalf("%v, want a second person", err)
	}
	refused(t, says, err)
	return needed
}

// One person takes no role from the only other approver, but can give one to them.
func TestRolesOfTheOnlyOtherApprover(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	person(t, s, "ben", registry.Approver)
	asksSecond(t, "ben is no longer approver", s.SetRoles(ctx, "ben", []registry.Role{registry.Auditor}))
	must(t, s.SetRoles(ctx, "ben", []registry.Role{registry.Approver, registry.Administrator}))
}
