package operation

import (
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// Renewal is the change from one key of a leg to its successor.
type Renewal = registry.Renewal

// RenewalName names a renewal by its identity, or by that of a key that has a part in it.
type RenewalName = renewal.Name

// RollbackTo names a renewal that is rolled back.
type RollbackTo = renewal.Rollback

// PartnerWord is what somebody at a partner has said.
type PartnerWord = renewal.Word

// LookAtNotices is the act of advice that WhyNotice follows.
const LookAtNotices = registry.AdviceNotices

// OrderActivation is what Activate needs in a renewal.
const OrderActivation = registry.ActionRenewalOrder

// Activation orders that a key is used.
type Activation = renewal.Activation

// Activated is a key after the order to use it.
type Activated struct {
	Step
	// Renewal is the one that the key is the successor in; nil: it is the first key of its leg.
	Renewal *Renewal `json:"renewal,omitempty"`
}

// Activate makes an approved certificate of a partner, or a key pair of ours that the partner has
// installed, the one that is used. In a renewal that is an order, which a program does at its time.
var Activate = repeatable("Activate", registry.ActionExchangeActivate,
	func(ctx context.Context, s *Session, in Activation) (out Activated, err error) {
		var n Renewal
		err = s.View(ctx, func(tx registry.Reader) (err error) {
			n, err = registry.FindRenewal(tx, in.ID, in.Partner)
			return err
		})
		if errors.Is(err, registry.ErrNotFound) && !registry.IsRenewal(in.ID) {
			follows, err := renewal.New(s.Session).Join(ctx, in.Name)
			if err != nil {
				return out, err
			}
			if !follows {
				return s.activateFirst(ctx, in)
			}
		} else if err != nil {
			return out, err
		}
		if in.ID != n.ID && in.ID != n.Successor && n.Revoked != 0 {
			return s.activateFirst(ctx, in) // the one before is used again
		}
		if n, err = renewal.New(s.Session).Order(ctx, in); err != nil {
			return out, err
		}
		out.Renewal = &n
		out.Step, err = s.step(ctx, n.Successor, n.Partner)
		return out, err
	})

// activateFirst activates a certificate that follows no other.
func (s *Session) activateFirst(ctx context.Context, in Activation) (out Activated, err error) {
	switch {
	case !in.At.IsZero():
		return out, registry.Refuse("%s follows no other key: there is no time to wait for", in.ID)
	case exchange.IsKeyPair(in.ID):
		return out, registry.Refuse("key pair %s follows no other: it is active when the partner has installed it",
			in.ID).
			Then(registry.Advice{Action: registry.ActionKeyInstalled, ID: in.ID, Partner: in.Partner})
	}
	if err := exchange.New(s.Session).Activate(ctx, in.ID); err != nil {
		return out, err
	}
	out.Step, err = s.step(ctx, in.ID, in.Partner)
	return out, err
}

// ShownRenewal is a renewal with what comes next, and what its two keys may do now.
type ShownRenewal = renewal.Shown

// RenewalStanding is a renewal with what comes next.
type RenewalStanding = renewal.Standing

// onRenewal is an operation on one renewal. It returns the renewal as it is then.
func onRenewal[In any](
	name string, a registry.Action, f func(renewal.Renewals, context.Context, In) (Renewal, error),
) *Operation[In, ShownRenewal] {
	return changing(name, a, func(ctx context.Context, s *Session, in In) (ShownRenewal, error) {
		n, err := f(renewal.New(s.Session), ctx, in)
		if err != nil {
			return ShownRenewal{}, err
		}
		return renewal.Show(ctx, &s.Viewer, RenewalName{ID: n.ID})
	})
}

// Operations on one renewal.
var (
	// Rollback makes the key before the active one the one that is used again.
	Rollback = onRenewal("Rollback", registry.ActionRenewalRollback, renewal.Renewals.RollBack)

	// Hold stops a renewal, and EndHold lets it go on.
	Hold    = onRenewal("Hold", registry.ActionRenewalHold, renewal.Renewals.Hold)
	EndHold = onRenewal("EndHold", registry.ActionRenewalHold, renewal.Renewals.EndHold)

	// CancelOrder takes the order of an activation back.
	CancelOrder = onRenewal("CancelOrder", registry.ActionRenewalHold, renewal.Renewals.CancelOrder)

	// KeyIDTold records that a partner knows the new key ID of its certificate.
	KeyIDTold = onRenewal("KeyIDTold", registry.ActionRenewalTold, renewal.Renewals.KeyIDTold)

	// Asked records that a partner was asked for a new certificate.
	Asked = onRenewal("Asked", registry.ActionRenewalAsk, renewal.Renewals.Asked)

	// ConfirmationSent records that the mail was sent that confirms a new certificate.
	ConfirmationSent = onRenewal("ConfirmationSent", registry.ActionRenewalMail, renewal.Renewals.Sent)

	// ConfirmationMail returns that mail.
	ConfirmationMail = reading("ConfirmationMail",
		func(ctx context.Context, v *registry.Viewer, in RenewalName) (RenewalLetter, error) {
			return renewal.ConfirmationMail(ctx, v, in)
		})

	// ShowRenewal returns a renewal, with what each key of it may do now.
	ShowRenewal = reading("ShowRenewal",
		func(ctx context.Context, v *registry.Viewer, in RenewalName) (ShownRenewal, error) {
			return renewal.Show(ctx, v, in)
		})
)

// Installation is the word of a partner that it has installed our certificate.
type Installation struct {
	ID
	Said string `json:"said,omitempty"` // who has said so, and how
}

// InstalledStep is a key pair after the partner's word that it has installed its certificate.
type InstalledStep struct {
	Step
	Partner string `json:"partner"`
}

// Installed records that the partner has installed our certificate. A first key pair is active from
// then on, and so is a successor where one person decides.
var Installed = changing("Installed", registry.ActionKeyInstalled,
	func(ctx context.Context, s *Session, in Installation) (out InstalledStep, err error) {
		target := exchange.Target{KeyPair: in.ID.ID, Partner: in.Partner, Said: in.Said}
		if err := exchange.New(s.Session).MarkInstalled(ctx, target); err != nil {
			return out, err
		}
		if out.Partner = in.Partner; out.Partner == "" {
			c, err := certificateOf(ctx, &s.Viewer, in.ID.ID)
			if err != nil {
				return out, err
			}
			out.Partner = c.Partner
		}
		out.Step, err = s.step(ctx, in.ID.ID, in.Partner)
		return out, err
	})

// Revoked is a certificate or key pair that was revoked, and what a person must know of it.
type Revoked struct {
	Step
	// Successor is the key that is used from then on; it is empty if there is none yet.
	Successor string `json:"successor,omitempty"`
	// Record is that of the audit log with the revocation. Nodes are those that may not have it yet, and
	// still accept the key.
	Record int64    `json:"record"`
	Nodes  []string `json:"nodes_without,omitempty"`
	// Uses are those of the key, by node and direction: what was opened or verified, or sealed, under it.
	Uses []registry.Usage `json:"uses,omitempty"`
}

// Revoke ends the use of a certificate or key pair at once, and blocks its key. A successor that the
// partner surely accepts is used from then on.
var Revoke = changing("Revoke", registry.ActionExchangeRevoke,
	func(ctx context.Context, s *Session, in ID) (out Revoked, err error) {
		if err := exchange.New(s.Session).Revoke(ctx, in.ID); err != nil {
			return out, err
		}
		err = s.View(ctx, func(tx registry.Reader) error {
			head, err := tx.AuditHead()
			if err != nil {
				return err
			}
			out.Record = head.Seq
			if out.Nodes, err = registry.NodesWithout(tx, head.Seq, s.Time()); err != nil {
				return err
			}
			if out.Uses, err = tx.KeyUsage(in.ID, ""); err != nil {
				return err
			}
			all, err := tx.Renewals(registry.RenewalQuery{Key: in.ID, Page: Page{Limit: 1000}})
			for _, n := range all {
				if n.Replaces == in.ID && n.Activated != 0 {
					out.Successor = n.Successor
				}
			}
			return err
		})
		if err != nil {
			return out, err
		}
		out.Step, err = s.step(ctx, in.ID, in.Partner)
		return out, err
	})

// CampaignRequest asks for the next batch of a campaign.
type CampaignRequest struct {
	renewal.Campaign
	// Subject and Bits are those of the new pair, if there is none yet. Empty means as before.
	Subject cert.Template `json:"subject"`
	Bits    int           `json:"bits,omitempty"`
	// Wait and Waits are as in an OfferRequest.
	Wait  time.Duration        `json:"wait,omitempty"`
	Waits func(nodes []string) `json:"-"`
}

// CampaignBatch is what one batch has done.
type CampaignBatch struct {
	renewal.Batch
	Made bool `json:"made"` // the pair was made for it
}

// OfferAll offers the successor of a shared pair to the next partners, and makes it if there is none.
var OfferAll = changing("OfferAll", registry.ActionExchangeOffer,
	func(ctx context.Context, s *Session, in CampaignRequest) (out CampaignBatch, err error) {
		if out.Made, err = s.makeShared(ctx, in); err != nil {
			return out, err
		}
		err = s.whenLoaded(ctx, in.Wait, in.Waits, func() (err error) {
			out.Batch, err = renewal.New(s.Session).OfferAll(ctx, in.Campaign)
			return err
		})
		return out, err
	})

// makeShared makes the successor of a shared pair, if there is none.
func (s *Session) makeShared(ctx context.Context, in CampaignRequest) (made bool, err error) {
	var pairs []KeyPair
	err = s.View(ctx, func(tx registry.Reader) error {
		pairs, err = tx.KeyPairs(KeyQuery{
			Profile: in.Profile, Shared: true, Environment: in.Environment, States: registry.StatesInUse,
		})
		return err
	})
	if err != nil {
		return false, err
	}
	replaces := ""
	for _, k := range pairs {
		switch k.State {
		case registry.Staged:
			return false, nil
		case registry.Active:
			replaces = k.ID
		}
	}
	if replaces == "" {
		return false, registry.Refuse("%s has no pair in %s that partners share: make the first one",
			in.Profile, in.Environment).Then(registry.Advice{Action: registry.ActionKeyCreate,
			Environment: in.Environment})
	}
	if open, err := s.campaignOpen(ctx, in); err != nil || open {
		return false, err
	}
	request := OfferRequest{Environment: in.Environment, Bits: in.Bits, Subject: in.Subject}
	_, err = s.makePairOf(ctx, request, in.Profile, replaces)
	return err == nil, err
}

// campaignOpen reports whether the campaign is under way: its pair is active for some partners already.
func (s *Session) campaignOpen(ctx context.Context, in CampaignRequest) (open bool, err error) {
	err = s.View(ctx, func(tx registry.Reader) error {
		n, err := tx.OpenRenewal(registry.Leg{
			Owner: registry.Ours, Profile: in.Profile, Environment: in.Environment,
		})
		if errors.Is(err, registry.ErrNotFound) {
			return nil
		}
		open = n.Successor != ""
		return err
	})
	return open, err
}
