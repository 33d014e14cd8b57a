package exchange

import (
	"context"
	"fmt"

	"github.com/sealane/sealane/internal/registry"
)

// Offer gives the parcel of a key pair of ours for a partner, and records that it
// goes out.
func (e Exchange) Offer(ctx context.Context, pair, partner string) (OfferPackage, error) {
	var parcel OfferPackage
	err := e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeOffer, Subject: "key/" + pair, Partner: partner}, func(tx registry.Tx, entry *registry.Entry) error {
		k, c, err := ourPair(tx, pair)
		if err != nil {
			return err
		}
		if !k.State.InUse() {
			return fmt.Errorf("key pair %s is %s; there is nothing to offer", pair, k.State)
		}
		env, err := e.forPartner(tx, k, partner)
		if err != nil {
			return err
		}
		dialect, err := registry.LoadProfile(tx, k.Profile)
		if err != nil {
			return err
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		parcel = OfferPackage{Profile: dialect, Environment: k.Environment, KeyID: k.KeyID, MailFrom: env.MailFrom, Certificate: chain[0]}
		return e.offered(tx, entry, k, partner, func(o *registry.Offer) { o.At = e.session.Registry.Time() })
	})
	return parcel, err
}

// offered notes how far a key pair of ours is with a partner.
func (e Exchange) offered(tx registry.Tx, entry *registry.Entry, k registry.KeyPair, partner string, note func(*registry.Offer)) error {
	entry.Partner, entry.Environment = partner, k.Environment
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	o := offerOf(offers, k.ID)
	entry.Before = o
	o.Partner = partner
	note(&o)
	entry.After = o
	return tx.PutOffer(&o)
}

// offerOf is how far a key pair is with a partner; nothing yet where there is none.
func offerOf(offers []registry.Offer, pair string) registry.Offer {
	for _, o := range offers {
		if o.KeyPair == pair {
			return o
		}
	}
	return registry.Offer{KeyPair: pair}
}

// forPartner gives the environment for which a key pair of ours is, with a partner.
func (e Exchange) forPartner(tx registry.Tx, k registry.KeyPair, partner string) (registry.Environment, error) {
	env, err := registry.FindEnvironment(tx, partner, k.Environment)
	if err != nil {
		return env, err
	}
	p, err := tx.Partner(partner)
	if err == nil && (k.Partner != "" && k.Partner != partner || p.Profile != k.Profile) {
		err = fmt.Errorf("key pair %s is %s, and not for %s, who speaks %s", k.ID, describePair(k), partner, p.Profile)
	}
	return env, err
}
