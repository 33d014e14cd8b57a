package exchange

import (
	"context"
	"fmt"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// Target is a key pair of ours, and a partner to whom its certificate goes.
type Target struct {
	KeyPair, Partner string // the identities
}

// Offer returns what is sent to the partner, and records that it was offered.
func (e Exchange) Offer(ctx context.Context, to Target) (offer OfferPackage, err error) {
	record := registry.Entry{Action: registry.ActionExchangeOffer, Subject: "key/" + to.KeyPair, Partner: to.Partner}
	err = e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		k, c, err := ourPair(tx, to.KeyPair)
		if err != nil {
			return err
		}
		if !k.State.InUse() {
			return fmt.Errorf("key pair %s is %s; there is nothing to offer", k.ID, k.State)
		}
		env, err := forPartner(tx, k, to.Partner)
		if err != nil {
			return err
		}
		prof, err := registry.LoadProfile(tx, k.Profile)
		if err != nil {
			return err
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		offer = OfferPackage{
			Profile: prof, Environment: k.Environment, KeyID: k.KeyID, MailFrom: env.MailFrom, Certificate: chain[0],
		}
		return e.recordOffer(tx, entry, k, to.Partner)
	})
	return offer, err
}

// recordOffer records that a key pair's certificate was offered to a partner.
func (e Exchange) recordOffer(tx registry.Tx, entry *registry.Entry, k registry.KeyPair, partner string) error {
	return changeOffer(tx, entry, k, partner, func(o *registry.Offer) { o.At = e.session.Registry.Time() })
}

// changeOffer changes what is known of a key pair of ours with a partner.
func changeOffer(
	tx registry.Tx, entry *registry.Entry, k registry.KeyPair, partner string, change func(*registry.Offer),
) error {
	entry.Partner, entry.Environment = partner, k.Environment
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	o := offerOf(offers, k.ID)
	entry.Before = o
	o.Partner = partner
	change(&o)
	entry.After = o
	return tx.PutOffer(&o)
}

// offerOf returns the offer of a key pair, which is empty where it was not offered.
func offerOf(offers []registry.Offer, pair string) registry.Offer {
	for _, o := range offers {
		if o.KeyPair == pair {
			return o
		}
	}
	return registry.Offer{KeyPair: pair}
}

// forPartner returns the partner's environment that a key pair of ours is for.
func forPartner(tx registry.Tx, k registry.KeyPair, partner string) (registry.Environment, error) {
	env, err := registry.FindEnvironment(tx, lanes.Name{Partner: partner, Environment: k.Environment})
	if err != nil {
		return env, err
	}
	p, err := tx.Partner(partner)
	if err == nil && (k.Partner != "" && k.Partner != partner || p.Profile != k.Profile) {
		err = fmt.Errorf("key pair %s is %s, and not for %s, who speaks %s", k.ID, describePair(k), partner, p.Profile)
	}
	return env, err
}
