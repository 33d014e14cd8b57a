package exchange

import (
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// withDue says of each active certificate whose successor is due, and is not on its way, that it is to
// be followed.
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
		if slices.ContainsFunc(list, follows) { // which says by itself what comes next
			continue
		}
		since := "its successor is due since " + s.Due.Format(time.DateOnly)
		if s.Owner == registry.Ours {
			s.Next = Next{since + ": offer it", offerAdvice(s.Partner, s.Environment), WaitsForUs}
			continue
		}
		s.Next = Next{
			since + ": ask the partner for it, and receive it",
			registry.Advice{
				Action: registry.ActionExchangeReceive, Partner: s.Partner, Environment: s.Environment,
			}, s.Partner,
		}
	}
}
