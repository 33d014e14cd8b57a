package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// MarkInstalled records that a partner has installed a certificate of ours. The partner may be
// empty where the pair is for one alone.
//
// A first pair is active from then on. The successor of another is so at once where one person
// decides at any time; elsewhere it waits for an order: see package renewal. The one before it still
// opens.
func (e Exchange) MarkInstalled(ctx context.Context, at Target) error {
	record := registry.Entry{Action: registry.ActionKeyInstalled, Subject: "key/" + at.KeyPair}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		k, c, err := ourPair(tx, at.KeyPair)
		if err != nil {
			return err
		}
		partner := cmp.Or(at.Partner, k.Partner)
		if err := e.mayBeInstalled(tx, k, c, partner); err != nil {
			return err
		}
		n, renews, err := e.renewalOf(tx, k, partner)
		if err != nil {
			return err
		}
		if err := isOld(n, renews, k); err != nil {
			return err
		}
		if err := e.saidAlready(tx, n, renews, k, at.Said, partner); err != nil {
			return err
		}
		if err := hasWords(n, renews, k, at.Said); err != nil {
			return err
		}
		said := func(o *registry.Offer) {
			o.Installed, o.Said = cmp.Or(o.Installed, e.session.Time()), cmp.Or(at.Said, o.Said)
		}
		if err := changeOffer(tx, entry, k, partner, said); err != nil {
			return err
		}
		now := !renews || k.ID == n.Replaces
		if !now {
			if now, err = e.activatesNow(tx, n, k); err != nil {
				return err
			}
		}
		if !now {
			return nil
		}
		if err := e.UsePair(tx, k, partner); err != nil {
			return err
		}
		entry.After, err = offerNow(tx, k, partner)
		return err
	})
}

// activatesNow reports whether the successor of a renewal is activated by the partner's word alone. Where
// only nodes are missing, it orders that: the schedule activates it when they have it.
func (e Exchange) activatesNow(tx registry.Tx, n registry.Renewal, k registry.KeyPair) (bool, error) {
	alone, err := e.session.ActivatesAlone(tx, n)
	if err != nil || !alone {
		return false, err
	}
	err = e.session.MayActivate(tx, n.Leg, k.ID)
	if _, lacking := errors.AsType[*registry.NotLoadedError](err); !lacking || k.ID != n.Successor {
		return err == nil, err
	}
	n.Order, n.Changed = &registry.RenewalOrder{
		By: e.session.Person().ID, Given: e.session.Time(),
	}, e.session.Time()
	return false, tx.PutRenewal(&n)
}

// saidAlready returns an error where a partner has said before that a pair is installed, and nothing would
// change: unless other words are to be recorded, or the pair is used from now on.
func (e Exchange) saidAlready(
	tx registry.Reader, n registry.Renewal, renews bool, k registry.KeyPair, said, partner string,
) error {
	o, err := offerNow(tx, k, partner)
	if err != nil {
		return err
	}
	at := cmp.Or(o.Installed, o.Confirmed)
	if at.IsZero() {
		return nil
	}
	leg := registry.Leg{Owner: registry.Ours, Partner: partner, Profile: k.Profile, Environment: k.Environment}
	state, err := registry.StateOf(tx, leg, k.ID)
	if err != nil {
		return err
	}
	if state != registry.Active {
		alone := !renews || n.Successor != k.ID
		if !alone {
			if alone, err = e.session.ActivatesAlone(tx, n); err != nil {
				return err
			}
		}
		if alone || said != "" && said != o.Said {
			return nil
		}
	}
	return registry.Refuse("%s has said on %s that key pair %s is installed: that is recorded already", partner,
		at.Format(time.DateOnly), k.ID)
}

// renewalOf returns the open renewal of our leg with a partner.
func (e Exchange) renewalOf(
	tx registry.Reader, k registry.KeyPair, partner string,
) (n registry.Renewal, open bool, err error) {
	n, err = tx.OpenRenewal(registry.Leg{
		Owner: registry.Ours, Partner: partner, Profile: k.Profile, Environment: k.Environment,
	})
	if errors.Is(err, registry.ErrNotFound) {
		return n, false, nil
	}
	return n, err == nil, err
}

// isOld returns an error where a partner would have installed the pair that it had before.
func isOld(n registry.Renewal, renews bool, k registry.KeyPair) error {
	if !renews || k.ID != n.Replaces || n.Successor == "" {
		return nil
	}
	text := "if their mail is about that one, name it; otherwise record nothing"
	if n.Activated != 0 {
		text = "if they have brought the old one back, roll renewal " + n.ID + " back; otherwise record nothing"
	}
	return registry.Refuse("key pair %s is the one before %s, and %s had it: %s", k.ID, n.Successor, n.Partner, text)
}

// hasWords returns an error where nobody has said that a successor in production is installed.
func hasWords(n registry.Renewal, renews bool, k registry.KeyPair, said string) error {
	if renews && registry.Production(k.Environment) && registry.CheckReason(said) != nil {
		return registry.Refuse("renewal %s is in production: say who at %s has said so, and how", n.ID, n.Partner).
			Needing(registry.Word)
	}
	return nil
}

// UsePair makes a key pair of ours the one by which messages to a partner are signed, as part of a
// change.
func (e Exchange) UsePair(tx registry.Tx, k registry.KeyPair, partner string) error {
	if k.Partner == "" {
		leg := registry.Leg{
			Owner: registry.Ours, Partner: partner, Profile: k.Profile, Environment: k.Environment,
		}
		if err := e.session.MayActivate(tx, leg, k.ID); err != nil {
			return err
		}
	}
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	o := offerOf(offers, k.ID)
	o.Partner, o.Confirmed = partner, registry.ConfirmedAt(offers, e.session.Time())
	if err := tx.PutOffer(&o); err != nil {
		return err
	}
	if k.State == registry.Active { // for this partner another may have been
		return nil
	}
	return e.session.ActivatePair(tx, &k)
}

func offerNow(tx registry.Reader, k registry.KeyPair, partner string) (registry.Offer, error) {
	offers, err := tx.Offers(partner)
	return offerOf(offers, k.ID), err
}

// mayBeInstalled returns an error where a key pair of ours can't be used with a partner.
func (e Exchange) mayBeInstalled(
	tx registry.Tx, k registry.KeyPair, c registry.Certificate, partner string,
) error {
	prof, err := registry.LoadProfile(tx, k.Profile)
	if err != nil {
		return err
	}
	switch {
	case partner == "":
		return registry.Refuse("key pair %s is %s: say which partner has installed it", k.ID, describePair(k)).
			Needing(registry.Whose)
	case keyIDNeeded(prof) && k.KeyID == "":
		return registry.Refuse(
			"key pair %s has no key ID, and messages of %s carry one: record the one that the partner assigns",
			k.ID, k.Profile).Then(registry.Advice{Action: registry.ActionExchangeAlias, ID: k.ID})
	case e.session.Time().After(c.NotAfter):
		return registry.Refuse("the certificate of key pair %s has expired on %s: make a new pair",
			k.ID, c.NotAfter.Format(time.DateOnly))
	}
	if err := c.NotBlocked(tx); err != nil {
		return fmt.Errorf("key pair %s: %w", k.ID, err)
	}
	if _, err := forPartner(tx, k, partner); err != nil {
		return err
	}
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	if k.Origin != registry.Imported && offerOf(offers, k.ID).At.IsZero() {
		return registry.Refuse("key pair %s was not offered to %s", k.ID, partner).
			Then(offerAdvice(partner, k.Environment))
	}
	return nil
}
