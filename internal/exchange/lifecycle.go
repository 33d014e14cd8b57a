package exchange

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Confirmed records that a partner has installed a certificate of ours, and makes its
// key pair the active one for it; the one before it still opens. The partner may be
// left out where the pair is for one alone, or came in from elsewhere.
func (e Exchange) MarkInstalled(ctx context.Context, pair, partner string) error {
	return e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeActivate, Subject: "key/" + pair}, func(tx registry.Tx, entry *registry.Entry) error {
		k, c, err := ourPair(tx, pair)
		if err != nil {
			return err
		}
		partner := cmp.Or(partner, k.Partner)
		if err := e.confirmable(tx, k, c, partner); err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before, entry.After = partner, k.Environment, k, k
		if partner != "" {
			if err := e.offered(tx, entry, k, partner, func(o *registry.Offer) { o.Confirmed = e.session.Registry.Time() }); err != nil {
				return err
			}
		}
		if k.State == registry.Active {
			return nil
		}
		return e.session.ActivatePair(tx, &k)
	})
}

// confirmable says what keeps a key pair of ours from being used with a partner.
func (e Exchange) confirmable(tx registry.Tx, k registry.KeyPair, c registry.Certificate, partner string) error {
	dialect, err := registry.LoadProfile(tx, k.Profile)
	if err != nil {
		return err
	}
	switch {
	case partner == "" && k.Origin != registry.Imported:
		return fmt.Errorf("key pair %s is %s: say which partner has installed it (--partner)", k.ID, describePair(k))
	case keyIDNeeded(dialect) && k.KeyID == "":
		return fmt.Errorf("key pair %s has no key ID, and messages of %s carry one: record what the partner assigns (sealane exchange alias %s KEYID)", k.ID, k.Profile, k.ID)
	case e.session.Registry.Time().After(c.NotAfter):
		return fmt.Errorf("the certificate of key pair %s has expired on %s: make a new pair", k.ID, c.NotAfter.Format(time.DateOnly))
	case partner == "":
		return nil
	}
	if _, err := e.forPartner(tx, k, partner); err != nil {
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

// Activate puts an approved certificate to use. The one before it still verifies.
func (e Exchange) Activate(ctx context.Context, id string) error {
	return e.use(ctx, registry.ActionExchangeActivate, id, registry.Active)
}

// Stage lets an approved certificate verify already, while messages go on being
// encrypted to the one before it.
func (e Exchange) Stage(ctx context.Context, id string) error {
	return e.use(ctx, registry.ActionExchangeStage, id, registry.Staged)
}

func (e Exchange) use(ctx context.Context, action registry.Action, id string, to registry.State) error {
	return e.session.Change(ctx, registry.Entry{Action: action, Subject: "certificate/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if err := e.usable(tx, c); err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, c
		if err := e.makeRoom(tx, c, to); err != nil {
			return err
		}
		if err := e.session.MoveCertificate(tx, &c, to); err != nil {
			return err
		}
		entry.After = c
		return nil
	})
}

// usable says what keeps a certificate from being put to use.
func (e Exchange) usable(tx registry.Tx, c registry.Certificate) error {
	dialect, err := registry.LoadProfile(tx, c.Profile)
	if err != nil {
		return err
	}
	switch {
	case c.State == registry.Received || c.State == registry.Matched:
		return fmt.Errorf("certificate %s is %s; %s", c.ID, c.State, Next(c))
	case keyIDNeeded(dialect) && c.KeyID == "":
		return fmt.Errorf("certificate %s has no key ID, and messages of %s carry one: assign it (sealane exchange alias %s KEYID)", c.ID, c.Profile, c.ID)
	case e.session.Registry.Time().After(c.NotAfter):
		return fmt.Errorf("certificate %s has expired on %s: ask for a new one", c.ID, c.NotAfter.Format(time.DateOnly))
	case e.session.Registry.Time().Before(c.NotBefore):
		return fmt.Errorf("certificate %s is valid from %s only: wait until then", c.ID, c.NotBefore.Format(time.RFC3339))
	}
	if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
		return fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	return nil
}

// makeRoom makes the certificate retiring that was active before this one becomes so.
func (e Exchange) makeRoom(tx registry.Tx, next registry.Certificate, to registry.State) error {
	used, err := inUse(tx, next)
	if err != nil {
		return err
	}
	for _, c := range used {
		if to != registry.Active || c.State != registry.Active {
			continue
		}
		if err := e.session.MoveCertificate(tx, &c, registry.Retiring); err != nil {
			return err
		}
	}
	if len(used) >= registry.MaxOverlap {
		return fmt.Errorf("%s has %d certificates in use in %s already: retire the oldest (sealane exchange retire CERTIFICATE)", next.Partner, len(used), next.Environment)
	}
	return nil
}

// inUse gives the other certificates of a partner's that its lane has.
func inUse(tx registry.Tx, but registry.Certificate) ([]registry.Certificate, error) {
	used, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: but.Partner, Environment: but.Environment, States: registry.StatesInUse})
	var others []registry.Certificate
	for _, c := range used {
		if c.ID != but.ID {
			others = append(others, c)
		}
	}
	return others, err
}

// Retire ends the use of a partner's certificate: one that another has followed, one
// that has expired, or the last with all that still count beside it, after which nothing
// can be sealed to the partner, or verified, any more.
func (e Exchange) Retire(ctx context.Context, id string, last bool) error {
	return e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeRetire, Subject: "certificate/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, c
		ended := []registry.Certificate{c}
		if last {
			others, err := inUse(tx, c)
			if err != nil {
				return err
			}
			ended = append(ended, others...)
		}
		for i := range ended {
			if err := e.retire(tx, &ended[i], last); err != nil {
				return err
			}
		}
		entry.After = ended
		return nil
	})
}

func (e Exchange) retire(tx registry.Tx, c *registry.Certificate, last bool) error {
	switch {
	case e.session.Registry.Time().After(c.NotAfter):
		return e.session.MoveCertificate(tx, c, registry.Expired)
	case c.State == registry.Active && !last:
		return fmt.Errorf("certificate %s is in use: activate its successor first; or, where none is to follow, say that it is the last (--last)", c.ID)
	}
	return e.session.MoveCertificate(tx, c, registry.Retired)
}

// Compromised takes a partner's certificate out of use at once, and blocks its key.
func (e Exchange) Compromised(ctx context.Context, id string) error {
	return e.end(ctx, registry.ActionExchangeCompromised, id, func(tx registry.Tx, c *registry.Certificate) error {
		_, err := e.session.Block(tx, c.SPKISHA256, "certificate "+id+" of "+c.Partner+" was compromised: "+e.session.Reason())
		if err == nil {
			*c, err = tx.Certificate(id)
		}
		return err
	})
}

// end is a change that ends a partner's certificate, and wants a reason.
func (e Exchange) end(ctx context.Context, action registry.Action, id string, how func(registry.Tx, *registry.Certificate) error) error {
	return e.session.Change(ctx, registry.Entry{Action: action, Subject: "certificate/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, c
		err = how(tx, &c)
		entry.After = c
		return err
	})
}
