// Package guardtest takes the guards of renewals out, one at a time, to test their tests. Only tests may
// import it.
package guardtest

import (
	"testing"

	"github.com/sealane/sealane/internal/registry/internal/guard"
)

// Guards returns the names of all guards.
func Guards() []string {
	return []string{
		string(guard.Loaded), string(guard.Confirmed), string(guard.Quiet), string(guard.Ordered),
		string(guard.Hold), string(guard.Window), string(guard.Mail), string(guard.Rights),
	}
}

// Without takes a guard out until the test ends.
func Without(t testing.TB, name string) {
	guard.TakeOut(guard.Name(name))
	t.Cleanup(func() { guard.TakeOut("") })
}
