package operation

import (
	"context"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// Parts of a renewal.
type (
	RenewalOrder = registry.RenewalOrder
	RenewalMail  = registry.RenewalMail
	RenewalKey   = renewal.KeyUse
)

// RenewalLetter is the mail that tells a partner that its new certificate counts.
type RenewalLetter = renewal.Letter

// RenewalStep is where a renewal stands.
type RenewalStep = registry.RenewalStep

// IsRenewal reports whether an identity is that of a renewal.
func IsRenewal(id string) bool { return registry.IsRenewal(id) }

// RenewalQuery selects renewals. Empty fields select all.
type RenewalQuery struct {
	Open        bool           `json:"open,omitempty"` // those that have not ended
	Owner       registry.Owner `json:"owner,omitempty"`
	Partner     string         `json:"partner,omitempty"`
	Environment string         `json:"environment,omitempty"`
	Steps       []RenewalStep  `json:"steps,omitempty"`
	After       string         `json:"after,omitempty"` // start after this renewal
	Limit       int            `json:"limit,omitempty"` // 1 to 1,000; 0: 100
}

// RenewalList is a page of renewals.
type RenewalList struct {
	Renewals []RenewalStanding `json:"renewals"`
	More     string            `json:"more,omitempty"` // After of the next page
	// Scheduled is when a schedule has worked last. Silent reports whether something waits for one that
	// does not run.
	Scheduled time.Time `json:"scheduled,omitzero"`
	Silent    bool      `json:"schedule_silent,omitempty"`
	Damage
}

// scheduleSilent is after which time without a pass a schedule does not run.
const scheduleSilent = 10 * time.Minute

// silent reports when a schedule has worked last, and whether one of the renewals waits for one that does
// not run.
func silent(tx registry.Reader, list []RenewalStanding, now time.Time) (last time.Time, is bool, err error) {
	if last, err = renewal.LastPass(tx, now); err != nil {
		return last, false, err
	}
	waits := func(n RenewalStanding) bool { return n.Next.Waits == exchange.WaitsForSchedule }
	return last, now.Sub(last) > scheduleSilent && slices.ContainsFunc(list, waits), nil
}

// ListRenewals returns a page of renewals.
var ListRenewals = reading("ListRenewals",
	func(ctx context.Context, v *registry.Viewer, in RenewalQuery) (out RenewalList, err error) {
		for _, step := range in.Steps {
			if !slices.Contains(registry.RenewalSteps(), step) {
				return out, registry.Refuse("step %q is not known; there are %s", step,
					registry.Listed(registry.RenewalSteps()))
			}
		}
		q := registry.RenewalQuery{
			Open: in.Open, Owner: in.Owner, Partner: in.Partner, Environment: in.Environment, Steps: in.Steps,
			Page: Page{After: in.After, Limit: pageLimit(in.Limit)},
		}
		err = v.View(ctx, func(tx registry.Reader) error {
			list, damaged, err := registry.Readable(tx.Renewals(q))
			if err != nil {
				return err
			}
			out = RenewalList{}
			out.lack(damaged)
			if n := len(list) + len(damaged); n == q.Limit {
				for _, one := range list {
					out.More = max(out.More, one.ID)
				}
				for _, row := range damaged {
					out.More = max(out.More, row.ID)
				}
			}
			if out.Renewals, err = renewal.Standings(tx, list, v.Time()); err != nil {
				return err
			}
			out.Scheduled, out.Silent, err = silent(tx, out.Renewals, v.Time())
			return err
		})
		return out, err
	})

func pageLimit(n int) int {
	if n == 0 {
		return 100
	}
	return min(n, 1000)
}
