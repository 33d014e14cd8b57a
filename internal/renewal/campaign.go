package renewal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// Campaign is the renewal of a pair that all partners of a profile share. Each partner has its own part:
// a renewal with its own step, hold and rollback. The order to activate is one for all.
type Campaign struct {
	Profile     string `json:"profile"`
	Environment string `json:"environment"`
	// Batch is how many partners are offered the certificate now; PerDay is how many it may be within 24
	// hours, and 0 is no limit.
	Batch  int `json:"batch"`
	PerDay int `json:"per_day,omitempty"`
	// Late is how many partners who have not answered within AnswerDays stop the campaign. 0 is
	// DefaultLate.
	Late int `json:"late,omitempty"`
	// Deliver writes the package of a partner. If it fails, that offer is not recorded, and the batch
	// ends.
	Deliver func(partner string, p exchange.OfferPackage) error `json:"-"`
}

// What a campaign has where it names nothing else.
const (
	DefaultLate = 3
	AnswerDays  = 14
	MaxBatch    = 1000
)

// Batch is what one call of OfferAll has done.
type Batch struct {
	Renewal  string   `json:"renewal"`
	KeyPair  string   `json:"key_pair"`
	Offered  []string `json:"offered"`          // partners
	Failed   []Wait   `json:"failed,omitempty"` // offers that a rule has refused
	Progress Progress `json:"progress"`
}

// Progress is how far a campaign has come.
type Progress struct {
	Offered   int `json:"offered"`   // partners, in all
	Installed int `json:"installed"` // of these, who use it
	Waiting   int `json:"waiting"`   // of these, who do not yet
	// Late are those who have not answered in time, at most MaxNamed, and MoreLate reports whether
	// there are others.
	Late     []string `json:"late,omitempty"`
	MoreLate bool     `json:"more_late,omitempty"`
	// Left reports whether there are partners to whom it was not offered yet.
	Left bool `json:"left"`
}

// MaxNamed is how many partners are named at most.
const MaxNamed = 100

// OfferAll offers the successor of a shared pair to the next partners who use the pair before it. It
// stops where too many have not answered: their lanes would end with the old pair.
func (r Renewals) OfferAll(ctx context.Context, in Campaign) (out Batch, err error) {
	if in.Batch < 1 || in.Batch > MaxBatch || in.PerDay < 0 || in.Late < 0 {
		return out, registry.Refuse("a batch has 1 to %d partners, and limits are not negative", MaxBatch)
	}
	n, err := r.plan(ctx, in)
	if err != nil {
		return out, err
	}
	out.Renewal, out.KeyPair = n.ID, n.Successor
	next, err := r.next(ctx, n, in)
	for _, partner := range next {
		if err = ctx.Err(); err != nil {
			break
		}
		target := exchange.Target{KeyPair: n.Successor, Partner: partner}
		deliver := func(p exchange.OfferPackage) error { return in.Deliver(partner, p) }
		err = exchange.New(r.session).Offer(ctx, target, deliver)
		if refused, is := errors.AsType[*registry.RefusedError](err); is {
			out.Failed = append(out.Failed, Wait{n.ID, partner, refused.Error()})
			err = nil
			continue
		}
		if err != nil {
			err = fmt.Errorf("offer to %s: %w", partner, err)
			break
		}
		out.Offered = append(out.Offered, partner)
	}
	var failed error
	out.Progress, failed = r.Progress(ctx, n)
	return out, errors.Join(err, failed)
}

// plan stores the plan in the renewal of the shared pair.
func (r Renewals) plan(ctx context.Context, in Campaign) (n registry.Renewal, err error) {
	leg := registry.Leg{Owner: registry.Ours, Profile: in.Profile, Environment: in.Environment}
	plan := registry.CampaignPlan{Batch: in.Batch, PerDay: in.PerDay, Late: cmp.Or(in.Late, DefaultLate)}
	err = r.session.View(ctx, func(tx registry.Reader) error {
		n, err = tx.OpenRenewal(leg)
		return err
	})
	switch {
	case errors.Is(err, registry.ErrNotFound) || err == nil && n.Successor == "":
		return n, registry.Refuse("%s has no successor yet: make it", leg).
			Then(registry.Advice{Action: registry.ActionKeyCreate, Environment: in.Environment})
	case err != nil:
		return n, err
	case n.Hold != nil:
		return n, registry.Refuse("renewal %s is held by %s (%s): end the hold first", n.ID, n.Hold.By, n.Hold.Reason).
			Then(registry.Advice{Action: registry.ActionRenewalHold, ID: n.ID})
	case n.Plan != nil && *n.Plan == plan:
		return n, nil
	}
	return r.change(ctx, registry.ActionRenewalPlan, Name{ID: n.ID},
		func(tx registry.Tx, _ *registry.Entry, n *registry.Renewal) error {
			n.Plan, n.Changed = &plan, r.session.Time()
			return tx.PutRenewal(n)
		})
}

// next returns the partners of the next batch.
func (r Renewals) next(ctx context.Context, n registry.Renewal, in Campaign) (next []string, err error) {
	now := r.session.Time()
	late := cmp.Or(in.Late, DefaultLate)
	err = r.session.View(ctx, func(tx registry.Reader) error {
		stuck, err := tx.Unanswered(n.Successor, now.AddDate(0, 0, -AnswerDays), MaxNamed)
		if err != nil {
			return err
		}
		if len(stuck) >= late {
			return registry.Refuse("renewal %s stops: %d partners or more have not answered within %d days: %s; call "+
				"them, or say that more may be late", n.ID, len(stuck), AnswerDays, named(stuck))
		}
		most := in.Batch
		if in.PerDay > 0 {
			today, err := tx.OfferedSince(n.Successor, now.Add(-24*time.Hour))
			if err != nil {
				return err
			}
			if most = min(most, in.PerDay-today); most <= 0 {
				return registry.Refuse("renewal %s was offered to %d partners within 24 hours already", n.ID, today)
			}
		}
		old, err := tx.KeyPair(n.Replaces)
		if err != nil {
			return err
		}
		next, err = tx.Unoffered(old, n.Successor, most)
		return err
	})
	return next, err
}

// named joins names, at most ten.
func named(names []string) string {
	if len(names) > 10 {
		return strings.Join(names[:10], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

// Progress returns how far the campaign of a shared pair has come.
func (r Renewals) Progress(ctx context.Context, n registry.Renewal) (Progress, error) {
	return ProgressOf(ctx, &r.session.Viewer, n)
}

// ProgressOf is Progress for those who only read.
func ProgressOf(ctx context.Context, v *registry.Viewer, n registry.Renewal) (p Progress, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		counts, err := tx.OfferCounts([]string{n.Successor})
		if err != nil {
			return err
		}
		p = Progress{Installed: counts[n.Successor].Installed, Waiting: counts[n.Successor].Waiting}
		p.Offered = p.Installed + p.Waiting
		p.Late, err = tx.Unanswered(n.Successor, v.Time().AddDate(0, 0, -AnswerDays), MaxNamed+1)
		if err != nil {
			return err
		}
		if len(p.Late) > MaxNamed {
			p.Late, p.MoreLate = p.Late[:MaxNamed], true
		}
		old, err := tx.KeyPair(n.Replaces)
		if err != nil {
			return err
		}
		left, err := tx.Unoffered(old, n.Successor, 1)
		p.Left = len(left) > 0
		return err
	})
	return p, err
}
