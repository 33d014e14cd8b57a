package store

import (
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// holdWhile returns columns that hold while the last of them has the version of the row: a program
// that does not know them changes the version only.
func holdWhile[T any](columns []column[T]) []column[T] {
	for i := range columns {
		columns[i].while = columns[len(columns)-1].name
	}
	return columns
}

// noted returns columns that find the rows of a concern, and the column noted, which says for which
// version of a row they hold.
func noted[T any](version func(*T) *int64, columns ...column[T]) []column[T] {
	return holdWhile(append(columns, computed("noted", func(row *T) any {
		return *version(row) + 1 // which the row has once it is stored
	})))
}

// contactsColumn has how many contacts an environment has.
var contactsColumn = computed("contacts", func(e *registry.Environment) any { return int64(len(e.Contacts)) })

// leadColumn has how many days before the end of a key its successor is due.
var leadColumn = computed("lead", func(e *registry.Environment) any { return int64(e.Rotation.LeadDays()) })

// concernColumns are those of a certificate: when its concerns began, or end.
var concernColumns = noted(func(c *registry.Certificate) *int64 { return &c.Version },
	timeWhile("came", func(c *registry.Certificate) (time.Time, bool) { return c.Created, c.State.Open() }),
	timeWhile("ends", func(c *registry.Certificate) (time.Time, bool) {
		return c.EndOfUse(), c.State == registry.Active || c.State == registry.Staged
	}),
	timeWhile("alarmed", func(c *registry.Certificate) (time.Time, bool) { return alarmedAt(c.Alarm, c.State) }),
	timeWhile("mismatched", func(c *registry.Certificate) (at time.Time, is bool) {
		if n := len(c.Provenance.Mismatches); n > 0 {
			at = c.Provenance.Mismatches[n-1].At
		}
		return at, len(c.Provenance.Mismatches) > 0 && alive(c.State)
	}),
	timeWhile("waived", func(c *registry.Certificate) (time.Time, bool) {
		return c.EndOfUse(), len(c.Provenance.Waivers) > 0 && alive(c.State)
	}),
)

// pairAlarmed has when the open alarm about a key pair began.
var pairAlarmed = timeWhile("alarmed", func(k *registry.KeyPair) (time.Time, bool) {
	return alarmedAt(k.Alarm, k.State)
})

// renewalDue has when the successor of what a renewal replaces was due or, where nobody knows, when the
// renewal began; while somebody has to act.
var renewalDue = timeWhile("due", func(n *registry.Renewal) (time.Time, bool) {
	if n.Due.IsZero() {
		return n.Created, n.NeedsSomebody()
	}
	return n.Due, n.NeedsSomebody()
})

func alive(s registry.State) bool { return s.Open() || s.InUse() }

func alarmedAt(a *registry.Alarm, s registry.State) (time.Time, bool) {
	if a == nil {
		return time.Time{}, false
	}
	return a.At, s.InUse()
}

// timeWhile is a column with a time while something is so, and else with 0.
func timeWhile[T any](name string, of func(*T) (at time.Time, is bool)) column[T] {
	return computed(name, func(row *T) any {
		if at, is := of(row); is {
			return max(1, at.UnixMicro())
		}
		return int64(0)
	})
}
