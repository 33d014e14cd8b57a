package exchange

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Undo brings a certificate or key pair back into the state before its last step, if that is
// safe: if no message can have depended on the step, or if the key is only accepted again, and
// not used. It needs a reason. The partner is who a shared key pair is about.
//
// What ends a danger is not undone here: a revocation, a block, a destroyed private key.
func (e Exchange) Undo(ctx context.Context, id, partner string) (state registry.State, err error) {
	if IsKeyPair(id) {
		return e.undoPair(ctx, Target{KeyPair: id, Partner: partner})
	}
	step := func(tx registry.Tx, c *registry.Certificate) error {
		err := e.undoCertificate(tx, c)
		state = c.State
		return err
	}
	err = e.changeTheirs(ctx, registry.ActionExchangeUndo, id, step)
	return state, err
}

func (e Exchange) undoCertificate(tx registry.Tx, c *registry.Certificate) error {
	p := &c.Provenance
	to := registry.Received
	switch c.State {
	case registry.Matched:
		unmatch(p)
	case registry.Approved:
		to = registry.Matched
		disapprove(p)
	case registry.Staged:
		to = registry.Approved
		if err := e.mayUnstage(tx, *c); err != nil {
			return err
		}
	case registry.Rejected:
		p.Rejected = ""
		if disapprove(p); p.MatchedBy != "" {
			to = registry.Matched
		}
	case registry.Retired:
		to = registry.Retiring
		if err := e.mayReturn(tx, *c); err != nil {
			return err
		}
	case registry.Active:
		return stillActive(tx, *c)
	default:
		return registry.Refuse("certificate %s is %s: there is no step that could be undone", c.ID, c.State)
	}
	return e.session.ReturnCertificate(tx, c, to)
}

// stillActive is the error for an active certificate whose activation would be undone.
func stillActive(tx registry.Reader, c registry.Certificate) error {
	n, err := registry.FindRenewal(tx, c.ID, "")
	if errors.Is(err, registry.ErrNotFound) || err == nil && n.Successor != c.ID {
		return registry.Refuse("certificate %s is active, and messages may be encrypted to it: retire it", c.ID).Then(
			registry.Advice{Action: registry.ActionExchangeRetire, ID: c.ID, Needs: []registry.Need{
				registry.Reason, registry.Last,
			}})
	}
	if err != nil {
		return err
	}
	return registry.Refuse("certificate %s is active, and messages may be encrypted to it: roll renewal %s back, "+
		"or retire it", c.ID, n.ID).
		Then(registry.Advice{Action: registry.ActionRenewalRollback, ID: n.ID})
}

// unmatch removes what was recorded of a match, and of an approval, which rests on it.
func unmatch(p *registry.Provenance) {
	p.MatchedBy, p.Matched, p.Checksum, p.MatchedAs = "", time.Time{}, "", ""
	disapprove(p)
}

// disapprove removes all that was recorded of an approval. Waivers stay asked for.
func disapprove(p *registry.Provenance) {
	p.ApprovedBy, p.Change, p.CallBack = "", "", ""
	p.Waivers = slices.Clone(p.Waivers)
	for i := range p.Waivers {
		p.Waivers[i].Granted = ""
	}
}

// mayUnstage returns an error where messages may be verified by a staged certificate already.
func (e Exchange) mayUnstage(tx registry.Reader, c registry.Certificate) error {
	p, err := tx.Partner(c.Partner)
	if err != nil {
		return err
	}
	prof, err := registry.LoadProfile(tx, c.Profile)
	if err != nil {
		return err
	}
	in, _ := directions(p, prof)
	if in.Sign == nil {
		return nil
	}
	return registry.Refuse("certificate %s is staged, and messages may come that it verifies: if it must not count, "+
		"retire it", c.ID).Then(registry.Advice{
		Action: registry.ActionExchangeRetire, ID: c.ID, Partner: c.Partner, Environment: c.Environment,
		Needs: []registry.Need{registry.Reason},
	})
}

// returnWithin is how long after its retirement a certificate is accepted again without the evidence
// that a new one needs.
const returnWithin = 30 * 24 * time.Hour

// mayReturn returns an error where a retired certificate can't be accepted again.
func (e Exchange) mayReturn(tx registry.Reader, c registry.Certificate) error {
	if err := e.mayBeUsed(tx, c); err != nil {
		return err
	}
	receive := registry.Advice{
		Action: registry.ActionExchangeReceive, Partner: c.Partner, Environment: c.Environment,
	}
	if retired := c.Changed; e.session.Time().Sub(retired) > returnWithin {
		return registry.Refuse("certificate %s was retired on %s, more than %d days ago: receive it again, or ask "+
			"for a new one", c.ID, retired.Format(time.DateOnly), returnWithin/(24*time.Hour)).Then(receive)
	}
	later, err := activatedAfter(tx, c)
	if err != nil {
		return err
	}
	if later != "" {
		return registry.Refuse("certificate %s was retired on %s, and %s was activated since: receive it again, "+
			"or ask for a new one", c.ID, c.Changed.Format(time.DateOnly), later).Then(receive)
	}
	used, err := inUse(tx, c)
	if err == nil && len(used) >= registry.MaxOverlap {
		err = registry.Refuse("%s has %d certificates in use in %s already", c.Partner, len(used), c.Environment)
	}
	return err
}

// activatedAfter returns the certificate of a lane that was activated after a retired one had ended.
// It is empty if there is none.
func activatedAfter(tx registry.Reader, retired registry.Certificate) (string, error) {
	others, err := tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: retired.Partner, Environment: retired.Environment, Page: all,
	})
	for _, o := range others {
		at := o.Activated
		if at.IsZero() && o.State == registry.Active { // a row of an earlier version
			at = o.Changed
		}
		if o.ID != retired.ID && at.After(retired.Changed) {
			return o.ID, err
		}
	}
	return "", err
}

// undoPair undoes the last step of a key pair of ours.
func (e Exchange) undoPair(ctx context.Context, of Target) (state registry.State, err error) {
	record := registry.Entry{Action: registry.ActionKeyUndo, Subject: "key/" + of.KeyPair}
	err = e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		k, _, err := ourPair(tx, of.KeyPair)
		if err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = k.Partner, k.Environment, k
		switch k.State {
		case registry.Retired, registry.Expired:
			err = e.undoRetired(tx, &k)
		case registry.Active:
			err = e.undoInstalled(tx, entry, &k, cmp.Or(of.Partner, k.Partner))
		case registry.Staged:
			if err = e.wasSaid(tx, k, cmp.Or(of.Partner, k.Partner)); err == nil {
				err = e.undoInstalled(tx, entry, &k, cmp.Or(of.Partner, k.Partner))
			}
		default:
			err = registry.Refuse("key pair %s is %s: there is no step that could be undone", k.ID, k.State)
		}
		entry.After, state = k, k.State
		return err
	})
	return state, err
}

// wasSaid returns an error where no partner has said that a staged pair is installed.
func (e Exchange) wasSaid(tx registry.Reader, k registry.KeyPair, partner string) error {
	if partner != "" {
		offer, err := offerNow(tx, k, partner)
		if err != nil || !offer.Installed.IsZero() {
			return err
		}
	}
	return registry.Refuse("key pair %s is %s: there is no step that could be undone", k.ID, k.State)
}

// undoRetired lets a retired pair open messages again. One that no partner had installed is on
// offer again.
func (e Exchange) undoRetired(tx registry.Tx, k *registry.KeyPair) error {
	others, err := tx.KeyPairs(registry.KeyPairQuery{
		Profile: k.Profile, Partner: k.Partner, Shared: k.Partner == "", Environment: k.Environment,
		States: registry.StatesInUse,
	})
	if err != nil {
		return err
	}
	if len(others) >= registry.MaxOverlap {
		return registry.Refuse("%d key pairs are in use %s already", len(others), describePair(*k))
	}
	to := registry.Retiring
	if k.Partner != "" && k.Origin != registry.Imported {
		offers, err := tx.Offers(k.Partner)
		if err != nil {
			return err
		}
		if offerOf(offers, k.ID).Confirmed.IsZero() {
			to = registry.Staged
		}
	}
	return e.session.ReturnPair(tx, k, to)
}

// undoInstalled takes back that a partner has installed a pair. The one that the partner had
// confirmed before it signs again. It is refused if that one has ended: messages could no longer
// be signed.
func (e Exchange) undoInstalled(
	tx registry.Tx, entry *registry.Entry, k *registry.KeyPair, partner string,
) error {
	if partner == "" {
		return registry.Refuse("key pair %s is %s: say whose word is taken back", k.ID, describePair(*k)).
			Needing(registry.Whose)
	}
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	offer := offerOf(offers, k.ID)
	if offer.Confirmed.IsZero() && offer.Installed.IsZero() {
		return registry.Refuse("%s has not said that key pair %s is installed", partner, k.ID)
	}
	before, err := installedBefore(tx, *k, partner, offers)
	if err != nil {
		return err
	}
	entry.Partner = partner
	n, renews, err := e.renewalOf(tx, *k, partner)
	if err != nil {
		return err
	}
	if renews && k.ID == n.Replaces && n.Successor != "" {
		return registry.Refuse("key pair %s is the one that %s follows in renewal %s: end the exchange of that "+
			"one first",
			k.ID, n.Successor, n.ID)
	}
	if renews && n.Successor == k.ID && n.Activated != 0 {
		// The partner has the one before: their word about this one was recorded by mistake.
		if err := e.session.RollBack(tx, n, e.session.Reason()); err != nil {
			return err
		}
		if offers, err = tx.Offers(partner); err != nil {
			return err
		}
		offer = offerOf(offers, k.ID)
		offer.Installed, offer.Said = time.Time{}, ""
		if err := tx.PutOffer(&offer); err != nil {
			return err
		}
		*k, err = tx.KeyPair(k.ID)
		return err
	}
	offer.Installed, offer.Confirmed, offer.Said = time.Time{}, time.Time{}, ""
	if err := tx.PutOffer(&offer); err != nil {
		return err
	}
	if k.Partner != "" && k.State == registry.Active { // of others who share it nothing changes
		if err := e.session.ReturnPair(tx, k, registry.Staged); err != nil {
			return err
		}
	}
	if before.State != registry.Retiring { // there is none, or it is active without k
		return nil
	}
	return e.session.ActivatePair(tx, &before)
}

// installedBefore returns the pair in use that is to be active for a partner without k: of the
// others, the one that it confirmed last. It is empty if the partner has confirmed no other. If
// all others that it confirmed have ended, that is an error.
func installedBefore(
	tx registry.Reader, k registry.KeyPair, partner string, offers []registry.Offer,
) (before registry.KeyPair, err error) {
	var at time.Time
	ended := ""
	for _, o := range offers {
		if o.KeyPair == k.ID || o.Confirmed.IsZero() {
			continue
		}
		other, err := tx.KeyPair(o.KeyPair)
		switch {
		case err != nil:
			return before, err
		case other.Environment != k.Environment || other.Profile != k.Profile:
		case !other.State.InUse():
			ended = other.ID
		case o.Confirmed.After(at):
			before, at = other, o.Confirmed
		}
	}
	if before.ID == "" && ended != "" {
		return before, registry.Refuse(
			"key pair %s is the one that messages to %s are signed by, and those before it have "+
				"ended, such as %s: offer a new pair instead", k.ID, partner,
			ended).Then(offerAdvice(partner, k.Environment))
	}
	return before, nil
}
