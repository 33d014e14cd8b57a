package exchange

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Activate puts an approved certificate to use. The one before it still verifies.
func (x Exchange) Activate(ctx context.Context, id, reason string) error {
	return x.use(ctx, "exchange.activate", id, registry.Active, reason)
}

// Stage lets an approved certificate verify already, while messages go on being
// encrypted to the one before it.
func (x Exchange) Stage(ctx context.Context, id, reason string) error {
	return x.use(ctx, "exchange.stage", id, registry.Staged, reason)
}

func (x Exchange) use(ctx context.Context, action, id string, to registry.State, reason string) error {
	return x.Change(ctx, registry.Entry{Action: action, Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if err := x.usable(tx, c); err != nil {
			return err
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		if err := x.makeRoom(tx, c, to); err != nil {
			return err
		}
		if err := x.MoveCertificate(tx, &c, to); err != nil {
			return err
		}
		e.After = c
		return nil
	})
}

// usable says what keeps a certificate from being put to use.
func (x Exchange) usable(tx registry.Tx, c registry.Certificate) error {
	dialect, err := registry.LoadProfile(tx, c.Profile)
	if err != nil {
		return err
	}
	switch {
	case c.State == registry.Received || c.State == registry.Matched:
		return fmt.Errorf("certificate %s is %s; %s", c.ID, c.State, Next(c))
	case keyIDNeeded(dialect) && c.KeyID == "":
		return fmt.Errorf("certificate %s has no key ID, and messages of %s carry one: assign it (sealane exchange alias %s KEYID)", c.ID, c.Profile, c.ID)
	case x.Time().After(c.NotAfter):
		return fmt.Errorf("certificate %s has expired on %s: ask for a new one", c.ID, c.NotAfter.Format(time.DateOnly))
	case x.Time().Before(c.NotBefore):
		return fmt.Errorf("certificate %s is valid from %s only: wait until then", c.ID, c.NotBefore.Format(time.RFC3339))
	}
	if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
		return fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	return nil
}

// makeRoom makes the certificate retiring that was active before this one becomes so.
func (x Exchange) makeRoom(tx registry.Tx, next registry.Certificate, to registry.State) error {
	used, err := inUse(tx, next)
	if err != nil {
		return err
	}
	for _, c := range used {
		if to != registry.Active || c.State != registry.Active {
			continue
		}
		if err := x.MoveCertificate(tx, &c, registry.Retiring); err != nil {
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
func (x Exchange) Retire(ctx context.Context, id, reason string, last bool) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.retire", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		ended := []registry.Certificate{c}
		if last {
			others, err := inUse(tx, c)
			if err != nil {
				return err
			}
			ended = append(ended, others...)
		}
		for i := range ended {
			if err := x.retire(tx, &ended[i], last); err != nil {
				return err
			}
		}
		e.After = ended
		return nil
	})
}

func (x Exchange) retire(tx registry.Tx, c *registry.Certificate, last bool) error {
	switch {
	case x.Time().After(c.NotAfter):
		return x.MoveCertificate(tx, c, registry.Expired)
	case c.State == registry.Active && !last:
		return fmt.Errorf("certificate %s is in use: activate its successor first; or, where none is to follow, say that it is the last (--last)", c.ID)
	}
	return x.MoveCertificate(tx, c, registry.Retired)
}

// Compromised takes a partner's certificate out of use at once, and blocks its key.
func (x Exchange) Compromised(ctx context.Context, id, reason string) error {
	return x.end(ctx, "exchange.compromised", id, reason, func(tx registry.Tx, c *registry.Certificate) error {
		_, err := x.Block(tx, c.SPKISHA256, "certificate "+id+" of "+c.Partner+" was compromised: "+reason)
		if err == nil {
			*c, err = tx.Certificate(id)
		}
		return err
	})
}

// end is a change that ends a partner's certificate, and wants a reason.
func (x Exchange) end(ctx context.Context, action, id, reason string, how func(registry.Tx, *registry.Certificate) error) error {
	return x.Change(ctx, registry.Entry{Action: action, Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		err = how(tx, &c)
		e.After = c
		return err
	})
}
