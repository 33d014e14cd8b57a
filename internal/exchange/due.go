package exchange

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// withDue says of each active certificate whose successor is due what comes next: the exchange of a
// successor, or what is on its way already. Nothing waits for nobody while it ends.
func withDue(list []Standing, now time.Time) {
	for i := range list {
		s := &list[i]
		if s.Due.IsZero() || now.Before(s.Due) || s.State != registry.Active || s.Next.Waits != WaitsForNobody ||
			s.Alarm != nil {
			continue
		}
		follows := func(o Standing) bool {
			return o.Owner == s.Owner && o.Environment == s.Environment &&
				(o.State.Open() || o.State == registry.Staged) && o.NotAfter.After(s.NotAfter)
		}
		at := slices.IndexFunc(list, follows)
		if at < 0 {
			s.Next = NextOfDue(s.Owner, s.Partner, s.Environment, s.Due)
			continue
		}
		o := list[at]
		s.Next = Next{
			Text:  "its successor is due since " + s.Due.Format(time.DateOnly) + ": go on with " + idOf(o),
			Waits: o.Next.Waits,
		}
		if s.Next.Waits == WaitsForNobody {
			s.Next.Waits = WaitsForUs
		}
	}
}

func idOf(s Standing) string { return cmp.Or(s.KeyPair, s.Certificate) }

// NextOfDue returns what comes next for an active key whose successor is due, and not on its way. A key of
// ours without a partner is one that partners share.
func NextOfDue(owner registry.Owner, partner, environment string, due time.Time) Next {
	since := "its successor is due since " + due.Format(time.DateOnly)
	switch {
	case owner == registry.Theirs:
		return Next{
			since + ": ask the partner for it, and receive it",
			registry.Advice{
				Action: registry.ActionExchangeReceive, Partner: partner, Environment: environment,
			}, partner,
		}
	case partner == "":
		return Next{
			since + ": make it, and offer it to each partner",
			registry.Advice{Action: registry.ActionKeyCreate, Environment: environment}, WaitsForUs,
		}
	}
	return Next{since + ": offer it", offerAdvice(partner, environment), WaitsForUs}
}

// rulesOf returns the environment of a lane. One that can't be read has the rules of its name.
func rulesOf(tx registry.Reader, partner, environment string) (registry.Environment, error) {
	env, err := tx.Environment(partner, environment)
	if _, damaged := errors.AsType[*registry.DamagedRow](err); damaged {
		return registry.Environment{Name: environment}, nil
	}
	return env, err
}
