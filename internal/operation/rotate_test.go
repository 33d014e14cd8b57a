package operation_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
)

// A rotation to a passphrase waits for a second person, and is done when it is run again: the passphrase
// is the key that was approved.
func TestRotationToAPassphraseIsApproved(t *testing.T) {
	anna, database, _ := opened(t)
	ctx := t.Context()
	token, err := anna.AddPerson(ctx, registry.Person{ID: "ben", Roles: []registry.Role{registry.Approver}})
	must(t, err)
	config := operation.Config{Database: database, RootKey: "file:" + filepath.Join(filepath.Dir(database), "rootkey")}
	reg, err := operation.Open(ctx, config)
	must(t, err)
	defer reg.Close()
	ben, err := reg.Login(ctx, token, "")
	must(t, err)

	t.Setenv("NEXT", "correct horse battery staple")
	rotate := func() (operation.RootKeyRotated, error) {
		return operation.RotateRootKey.Do(ctx, anna, operation.RootKeyRotation{To: "passphrase:NEXT"})
	}
	asks := func() operation.Request {
		t.Helper()
		_, err := rotate()
		pending, is := errors.AsType[*operation.PendingError](err)
		if !is {
			t.Fatalf("%v, want a request", err)
		}
		return pending.Request
	}
	first := asks()
	if again := asks(); again.ID != first.ID {
		t.Errorf("the same passphrase is another request: %s, %s", first.ID, again.ID)
	}
	t.Setenv("NEXT", "a different passphrase of hers")
	if other := asks(); other.ID == first.ID || other.Subject == first.Subject {
		t.Errorf("another passphrase is the same request: %+v", other)
	}
	t.Setenv("NEXT", "hunter2")
	if _, err := rotate(); err == nil || !strings.Contains(err.Error(), "fewer than 16 bytes") {
		t.Errorf("a weak passphrase: %v", err)
	}

	granted, err := operation.ApproveRequest.Do(ctx, ben, operation.RequestApproval{Request: first.ID})
	must(t, err)
	if granted.State != operation.RequestGranted {
		t.Errorf("it is %s", granted.State)
	}
	t.Setenv("NEXT", "a different passphrase of hers")
	asks() // the grant is for the passphrase that was approved
	t.Setenv("NEXT", "correct horse battery staple")
	done, err := rotate()
	must(t, err)
	if "rootkey/"+done.RootKey != first.Subject {
		t.Errorf("approved is %s, and done is %s", first.Subject, done.RootKey)
	}
	// The registry has the parameters by which the passphrase is its root key now.
	if now, err := rotate(); err != nil || now.RootKey != done.RootKey {
		t.Errorf("the passphrase is root key %s, %v", now.RootKey, err)
	}
}
