// Package exchange walks certificates from one partner to the other: ours are
// offered and confirmed; theirs are received, compared with a checksum that came
// by another way, approved, and put to use. Each step says what comes next and
// who is waited for.
package exchange

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Exchange works at somebody's desk.
type Exchange struct {
	*registry.Desk
	screened map[[sha256.Size]byte][]string // with whom keys share a prime, as found beforehand, by SPKI
}

// At gives the exchange as the person at that desk may do it.
func At(d *registry.Desk) Exchange { return Exchange{Desk: d} }

// Offer gives the parcel of a key pair of ours for a partner, and records that it
// goes out.
func (x Exchange) Offer(ctx context.Context, pair, partner, reason string) (Parcel, error) {
	var parcel Parcel
	err := x.Change(ctx, registry.Entry{Action: "exchange.offer", Subject: "key/" + pair, Partner: partner, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		k, c, err := ourPair(tx, pair)
		if err != nil {
			return err
		}
		if !k.State.InUse() {
			return fmt.Errorf("key pair %s is %s; there is nothing to offer", pair, k.State)
		}
		env, err := x.forPartner(tx, k, partner)
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
		parcel = Parcel{Profile: dialect, Environment: k.Environment, KeyID: k.KeyID, MailFrom: env.MailFrom, Certificate: chain[0]}
		return x.offered(tx, e, k, partner, func(o *registry.Offer) { o.At = x.Time() })
	})
	return parcel, err
}

// offered notes how far a key pair of ours is with a partner.
func (x Exchange) offered(tx registry.Tx, e *registry.Entry, k registry.KeyPair, partner string, note func(*registry.Offer)) error {
	e.Partner, e.Environment = partner, k.Environment
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	o := offerOf(offers, k.ID)
	e.Before = o
	o.Partner = partner
	note(&o)
	e.After = o
	return tx.PutOffer(&o)
}

// Alias records the key ID of a key. For a certificate of the partner's we assign
// it; for a key pair of ours the partner has, and their name is kept as it is.
//
// One that is there is not replaced but by naming it.
func (x Exchange) Alias(ctx context.Context, id, keyID, replace, reason string) error {
	return x.alias(ctx, id, keyID, replace, reason, false)
}

// AliasAsIs is Alias for a partner's name that is not as the dialect writes them.
func (x Exchange) AliasAsIs(ctx context.Context, id, keyID, replace, reason string) error {
	return x.alias(ctx, id, keyID, replace, reason, true)
}

func (x Exchange) alias(ctx context.Context, id, keyID, replace, reason string, asIs bool) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.alias", Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := tx.Certificate(id)
		pair := registry.KeyPair{}
		if strings.HasPrefix(id, "k-") {
			pair, c, err = ourPair(tx, id)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if c.Owner == registry.Ours && pair.ID == "" {
			if pair, c, err = ourPair(tx, c.KeyPair); err != nil {
				return err
			}
		}
		switch {
		case keyID == "":
			return errors.New("the key ID is empty")
		case c.KeyID != "" && c.KeyID != keyID && strings.TrimSpace(reason) == "" && replace != "":
			return fmt.Errorf("%s: say why its key ID is replaced (--reason)", id)
		case c.KeyID != "" && c.KeyID != keyID && c.KeyID != replace:
			return fmt.Errorf("%s has the key ID %q already, and messages may carry it: to replace it, name it (--replace)", id, c.KeyID)
		case !c.State.Open() && !c.State.InUse():
			return fmt.Errorf("%s is %s: it needs no key ID any more", id, c.State)
		}
		dialect, err := registry.LoadProfile(tx, c.Profile)
		if err != nil {
			return err
		}
		if form := dialect.Certificate.CheckKeyID(keyID); form != nil && c.Owner == registry.Ours && !asIs {
			return fmt.Errorf("%w; compare it with what the partner wrote, and if that is their name for it, say so (--as-is)", form)
		}
		if err := x.CheckKeyID(tx, keyID, &c, dialect, c.Owner == registry.Ours); err != nil {
			return err
		}
		e.Subject, e.Partner, e.Environment, e.Before = "certificate/"+c.ID, c.Partner, c.Environment, c
		c.KeyID = keyID
		e.After = c
		if err := tx.PutCertificate(&c); err != nil || pair.ID == "" {
			return err
		}
		pair.KeyID = keyID
		return tx.PutKeyPair(&pair)
	})
}

// Confirmed records that a partner has installed a certificate of ours, and makes its
// key pair the active one for it; the one before it still opens. The partner may be
// left out where the pair is for one alone, or came in from elsewhere.
func (x Exchange) Confirmed(ctx context.Context, pair, partner, reason string) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.activate", Subject: "key/" + pair, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		k, c, err := ourPair(tx, pair)
		if err != nil {
			return err
		}
		partner := cmp.Or(partner, k.Partner)
		if err := x.confirmable(tx, k, c, partner); err != nil {
			return err
		}
		e.Partner, e.Environment, e.Before, e.After = partner, k.Environment, k, k
		if partner != "" {
			if err := x.offered(tx, e, k, partner, func(o *registry.Offer) { o.Confirmed = x.Time() }); err != nil {
				return err
			}
		}
		if k.State == registry.Active {
			return nil
		}
		return x.ActivatePair(tx, &k)
	})
}

// confirmable says what keeps a key pair of ours from being used with a partner.
func (x Exchange) confirmable(tx registry.Tx, k registry.KeyPair, c registry.Certificate, partner string) error {
	dialect, err := registry.LoadProfile(tx, k.Profile)
	if err != nil {
		return err
	}
	switch {
	case partner == "" && k.Origin != registry.Imported:
		return fmt.Errorf("key pair %s is %s: say which partner has installed it (--partner)", k.ID, describePair(k))
	case keyIDNeeded(dialect) && k.KeyID == "":
		return fmt.Errorf("key pair %s has no key ID, and messages of %s carry one: record what the partner assigns (sealane exchange alias %s KEYID)", k.ID, k.Profile, k.ID)
	case x.Time().After(c.NotAfter):
		return fmt.Errorf("the certificate of key pair %s has expired on %s: make a new pair", k.ID, c.NotAfter.Format(time.DateOnly))
	case partner == "":
		return nil
	}
	if _, err := x.forPartner(tx, k, partner); err != nil {
		return err
	}
	offers, err := tx.Offers(partner)
	if err != nil {
		return err
	}
	if k.Origin != registry.Imported && offerOf(offers, k.ID).At.IsZero() {
		return fmt.Errorf("key pair %s was not offered to %s: sealane exchange offer %s --to %s --out FOLDER", k.ID, partner, k.ID, partner)
	}
	return nil
}

// forPartner gives the environment for which a key pair of ours is, with a partner.
func (x Exchange) forPartner(tx registry.Tx, k registry.KeyPair, partner string) (registry.Environment, error) {
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

func ourPair(tx registry.Tx, id string) (registry.KeyPair, registry.Certificate, error) {
	k, err := tx.KeyPair(id)
	if err != nil {
		return k, registry.Certificate{}, fmt.Errorf("key pair %s: %w", id, err)
	}
	c, err := tx.Certificate(k.Certificate)
	return k, c, err
}

func describePair(k registry.KeyPair) string {
	if k.Partner == "" {
		return fmt.Sprintf("for all of %s in %s", k.Profile, k.Environment)
	}
	return fmt.Sprintf("for %s in %s", k.Partner, k.Environment)
}
