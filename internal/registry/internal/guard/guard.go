// Package guard names the guards of renewals, so that a test can take one out and show that the tests
// of renewals fail without it. Package guardtest does so; nothing else can.
package guard

import "sync/atomic"

// Name is a guard.
type Name string

// The guards.
const (
	Loaded    Name = "loaded"    // every node has the key
	Confirmed Name = "confirmed" // the partner has said that it is installed
	Quiet     Name = "quiet"     // nobody has used the old key for a while
	Ordered   Name = "ordered"   // a person has ordered it, and another has agreed
	Hold      Name = "hold"      // nobody holds it
	Window    Name = "window"    // the environment's window is open
	Mail      Name = "mail"      // no rollback once the mail is planned
	Rights    Name = "rights"    // a program does only what is a program's
)

var out atomic.Value // of Name

// Out reports whether a guard is taken out.
func Out(n Name) bool {
	taken, _ := out.Load().(Name)
	return taken == n
}

// TakeOut takes a guard out. The empty name puts it in again.
func TakeOut(n Name) { out.Store(n) }
