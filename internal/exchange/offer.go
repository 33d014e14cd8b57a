package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// Target is a key pair of ours, and a partner to whom its certificate goes.
type Target struct {
	KeyPair, Partner string // the identities
	// Said is who at the partner has said that it is installed, and how.
	Said string
}

// Offer passes the package that is sent to the partner to deliver, which writes it to files, and
// records that it was offered. If deliver fails, nothing is recorded.
func (e Exchange) Offer(ctx context.Context, to Target, deliver func(OfferPackage) error) error {
	record := registry.Entry{Action: registry.ActionExchangeOffer, Subject: "key/" + to.KeyPair, Partner: to.Partner}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		k, c, err := ourPair(tx, to.KeyPair)
		if err != nil {
			return err
		}
		if !k.State.InUse() {
			return registry.Refuse("key pair %s is %s; there is nothing to offer", k.ID, k.State)
		}
		env, err := forPartner(tx, k, to.Partner)
		if err != nil {
			return err
		}
		if err := e.mayLeave(tx, k, to.Partner); err != nil {
			return err
		}
		prof, err := registry.LoadProfile(tx, k.Profile)
		if err != nil {
			return err
		}
		partner, err := tx.Partner(to.Partner)
		if err != nil {
			return err
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		by := e.session.Person()
		offer := OfferPackage{
			Profile: prof, Environment: k.Environment, KeyID: k.KeyID, MailFrom: env.MailFrom, Certificate: chain[0],
			To: partner.Name, From: Sender{Name: by.Name, Email: by.Email, Telephone: by.Telephone},
		}
		if err := e.recordOffer(tx, entry, k, to.Partner); err != nil {
			return err
		}
		return deliver(offer)
	})
}

// mayLeave returns an error where the certificate of a pair can't be sent yet. A message that is
// encrypted to it must open on every node.
func (e Exchange) mayLeave(tx registry.Reader, k registry.KeyPair, partner string) error {
	n, renews, err := e.renewalOf(tx, k, partner)
	if err != nil {
		return err
	}
	if renews && n.Hold != nil {
		return registry.Refuse("renewal %s is held by %s (%s): end the hold first", n.ID, n.Hold.By, n.Hold.Reason).
			Then(registry.Advice{Action: registry.ActionRenewalHold, ID: n.ID})
	}
	shared, err := tx.OpenRenewal(registry.Leg{
		Owner: registry.Ours, Partner: k.Partner, Profile: k.Profile, Environment: k.Environment,
	})
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	record := k.Added + 1
	for _, of := range []registry.Renewal{n, shared} {
		if of.Successor == k.ID {
			record = max(record, of.Staged)
		}
	}
	waiting, err := registry.NodesWithout(tx, record, e.session.Time())
	if err == nil && len(waiting) > 0 {
		err = &registry.NotLoadedError{Key: k.ID, Nodes: waiting}
	}
	return err
}

// ToOffer returns the key pair of ours that is to be offered to a partner: one that the partner
// has not installed yet, the newest if there are several. Where there is none it is empty, and
// replaces is the pair in use that a new one would follow, or empty.
func ToOffer(ctx context.Context, v *registry.Viewer, lane lanes.Name) (pair, replaces string, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		env, err := registry.FindEnvironment(tx, lane)
		if err != nil {
			return err
		}
		p, err := tx.Partner(env.Partner)
		if err != nil {
			return err
		}
		pairs, err := registry.PairsFor(tx, p, env.Name)
		if err != nil {
			return err
		}
		var newest registry.KeyPair
		for _, k := range pairs {
			switch {
			case k.State == registry.Staged && k.Created.After(newest.Created):
				newest = k
			case k.State == registry.Active:
				replaces = k.ID
				if k.Partner == "" {
					replaces, err = "", registry.Refuse("%s uses key pair %s, which all partners of %s share: "+
						"make its successor for all of them, or name the pair to offer it again", p.ID, k.ID,
						p.Profile).
						Then(registry.Advice{Action: registry.ActionKeyCreate, Environment: env.Name})
				}
			}
		}
		if pair = newest.ID; pair != "" {
			replaces, err = "", nil
		}
		return err
	})
	return pair, replaces, err
}

// recordOffer records that a key pair's certificate was offered to a partner.
func (e Exchange) recordOffer(tx registry.Tx, entry *registry.Entry, k registry.KeyPair, partner string) error {
	return changeOffer(tx, entry, k, partner, func(o *registry.Offer) { o.At = e.session.Time() })
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
		err = registry.Refuse("key pair %s is %s, and not for %s, who speaks %s", k.ID, describePair(k), partner,
			p.Profile)
	}
	return env, err
}

// Withdraw withdraws the offer of a key pair of ours to a partner who has not installed it, for
// the session's reason. A pair for one partner alone is retired with it.
func (e Exchange) Withdraw(ctx context.Context, of Target) error {
	record := registry.Entry{Action: registry.ActionExchangeReject, Subject: "key/" + of.KeyPair}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		k, _, err := ourPair(tx, of.KeyPair)
		if err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = k.Partner, k.Environment, k
		switch {
		case k.Partner == "" && of.Partner == "":
			return registry.Refuse("key pair %s is %s: say whose offer is withdrawn", k.ID, describePair(k)).
				Needing(registry.Whose)
		case k.Partner == "":
			return withdrawFrom(tx, entry, k, of.Partner)
		case of.Partner != "" && of.Partner != k.Partner:
			return registry.Refuse("key pair %s is %s, and not for %s", k.ID, describePair(k), of.Partner)
		}
		err = e.session.RetireOffer(tx, &k)
		entry.After = k
		return err
	})
}

// withdrawFrom withdraws the offer of a shared pair to one partner.
func withdrawFrom(tx registry.Tx, entry *registry.Entry, k registry.KeyPair, partner string) error {
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	switch o := offerOf(offers, k.ID); {
	case !o.Confirmed.IsZero() || !o.Installed.IsZero():
		return registry.Refuse("%s has installed key pair %s: take back that they have, before the offer is withdrawn",
			partner, k.ID).Then(registry.Advice{
			Action: registry.ActionKeyUndo, ID: k.ID, Partner: partner, Needs: []registry.Need{registry.Reason},
		})
	case o.At.IsZero():
		return registry.Refuse("key pair %s is not on offer to %s", k.ID, partner)
	}
	return changeOffer(tx, entry, k, partner, func(o *registry.Offer) { o.At = time.Time{} })
}
