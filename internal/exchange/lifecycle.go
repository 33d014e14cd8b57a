package exchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

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
	return e.changeTheirs(ctx, action, id, func(tx registry.Tx, c *registry.Certificate) error {
		return e.UseTheirs(tx, c, to)
	})
}

// UseTheirs makes a partner's certificate staged or active, as part of a change.
func (e Exchange) UseTheirs(tx registry.Tx, c *registry.Certificate, to registry.State) error {
	if err := e.mayBeUsed(tx, *c); err != nil {
		return err
	}
	leg := registry.Leg{
		Owner: registry.Theirs, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment,
	}
	may := e.session.MayActivate // before the one in use retires
	if to == registry.Staged {
		may = e.session.MayStage
	}
	if err := may(tx, leg, c.ID); err != nil {
		return err
	}
	if err := e.makeRoom(tx, *c, to); err != nil {
		return err
	}
	return e.session.MoveCertificate(tx, c, to)
}

// mayBeUsed returns an error where a certificate can't be put to use.
func (e Exchange) mayBeUsed(tx registry.Reader, c registry.Certificate) error {
	prof, err := registry.LoadProfile(tx, c.Profile)
	if err != nil {
		return err
	}
	now := e.session.Time()
	switch {
	case c.State == registry.Received || c.State == registry.Matched:
		return notYet(tx, c)
	case keyIDNeeded(prof) && c.KeyID == "":
		return registry.Refuse("certificate %s has no key ID, and messages of %s carry one: assign it", c.ID,
			c.Profile).
			Then(registry.Advice{Action: registry.ActionExchangeAlias, ID: c.ID})
	case now.After(c.NotAfter):
		return registry.Refuse("certificate %s has expired on %s: ask for a new one",
			c.ID, c.NotAfter.Format(time.DateOnly))
	case now.Before(c.NotBefore):
		return registry.Refuse("certificate %s is valid from %s only: wait until then",
			c.ID, c.NotBefore.Format(time.RFC3339))
	}
	if err := c.NotBlocked(tx); err != nil {
		return fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	return nil
}

// makeRoom makes the active certificate retiring before another becomes active, and refuses
// more certificates than a lane may have.
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
		return registry.Refuse("%s has %d certificates in use in %s already: retire the oldest",
			next.Partner, len(used), next.Environment).
			Then(registry.Advice{
				Action: registry.ActionExchangeRetire, ID: oldest(used).ID, Needs: []registry.Need{registry.Reason},
			})
	}
	return nil
}

// oldest returns the certificate in use that is needed least: one that is retiring before others,
// and of these the one that ends first.
func oldest(used []registry.Certificate) registry.Certificate {
	needed := func(c registry.Certificate) int {
		if c.State == registry.Retiring {
			return 0
		}
		return 1
	}
	return slices.MinFunc(used, func(a, b registry.Certificate) int {
		return cmp.Or(cmp.Compare(needed(a), needed(b)), a.NotAfter.Compare(b.NotAfter))
	})
}

// inUse returns the other certificates that the partner's lane has.
func inUse(tx registry.Reader, but registry.Certificate) ([]registry.Certificate, error) {
	used, err := tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: but.Partner, Environment: but.Environment, States: registry.StatesInUse,
	})
	var others []registry.Certificate
	for _, c := range used {
		if c.ID != but.ID {
			others = append(others, c)
		}
	}
	return others, err
}

// Retire ends the use of a key pair of ours, or of a partner's certificate, that another has
// followed, or that has expired. With last it ends the lane: of the partner's certificates all
// are retired.
func (e Exchange) Retire(ctx context.Context, id string, last bool) error {
	return e.End(ctx, Ending{ID: id, Last: last})
}

// Ending is the end of the use of a key.
type Ending struct {
	ID   string `json:"id"`
	Last bool   `json:"last,omitempty"` // no other follows: the lane ends
	// Said is the partner's word that it does not use its certificate any more: who, how. It is needed before the
	// mail about the next one was sent.
	Said string `json:"said,omitempty"`
}

// End is Retire with the partner's word.
func (e Exchange) End(ctx context.Context, in Ending) error {
	id, last := in.ID, in.Last
	if IsKeyPair(id) {
		return e.session.MovePair(ctx, id, registry.Retired, last)
	}
	record := registry.Entry{Action: registry.ActionExchangeRetire, Subject: "certificate/" + id}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
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
		if !last {
			if err := e.session.MayEndTheirs(tx, c, in.Said); err != nil {
				return err
			}
		}
		if entry.After = ended; in.Said != "" {
			entry.After = map[string]any{"ended": ended, "said": in.Said}
		}
		return nil
	})
}

// EndKey retires the key that another has followed, as part of a change.
func (e Exchange) EndKey(tx registry.Tx, id string) error {
	if IsKeyPair(id) {
		k, err := tx.KeyPair(id)
		if err != nil {
			return err
		}
		return e.session.EndPair(tx, &k)
	}
	c, err := tx.Certificate(id)
	if err != nil {
		return err
	}
	return e.retire(tx, &c, false)
}

func (e Exchange) retire(tx registry.Tx, c *registry.Certificate, last bool) error {
	switch {
	case e.session.Time().After(c.NotAfter):
		return e.session.MoveCertificate(tx, c, registry.Expired)
	case c.State == registry.Active && !last:
		return registry.Refuse("certificate %s is in use: activate its successor first, or end the lane with it",
			c.ID).
			Needing(registry.Last)
	case c.State == registry.Retiring && !last:
		if err := e.notTheLast(tx, *c); err != nil {
			return err
		}
	}
	return e.session.MoveCertificate(tx, c, registry.Retired)
}

// notTheLast refuses a retiring certificate if no other is active or retiring.
func (e Exchange) notTheLast(tx registry.Reader, c registry.Certificate) error {
	others, err := inUse(tx, c)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.State != registry.Staged && !e.session.Time().After(o.NotAfter) {
			return nil
		}
	}
	return registry.Refuse(
		"certificate %s is the last that %s can use in %s, because none is active: activate it again, "+
			"or exchange a new one, or end the lane with it", c.ID, c.Partner, c.Environment).Needing(registry.Last)
}

// Revoke ends the use of a key pair of ours, or of a partner's certificate, at once and without
// an overlap, and blocks its key. If its renewal has a successor that the partner surely accepts, that
// one is active from then on.
func (e Exchange) Revoke(ctx context.Context, id string) error {
	if IsKeyPair(id) {
		return e.revokePair(ctx, id)
	}
	step := func(tx registry.Tx, c *registry.Certificate) error {
		active := c.State == registry.Active
		why := fmt.Sprintf("certificate %s of %s was compromised: %s", c.ID, c.Partner, e.session.Reason())
		_, err := e.session.Block(tx, c.SPKISHA256, why)
		if err == nil {
			*c, err = tx.Certificate(c.ID)
		}
		if err != nil || !active {
			return err
		}
		return e.followRevoked(tx, registry.Leg{
			Owner: registry.Theirs, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment,
		}, c.ID)
	}
	return e.changeTheirs(ctx, registry.ActionExchangeRevoke, id, step)
}

func (e Exchange) revokePair(ctx context.Context, id string) error {
	entry := registry.Entry{Action: registry.ActionKeyRevoke, Subject: "key/" + id}
	return e.session.Change(ctx, entry, func(tx registry.Tx, entry *registry.Entry) error {
		k, err := tx.KeyPair(id)
		if err != nil {
			return err
		}
		entry.Before, entry.Partner, entry.Environment = k, k.Partner, k.Environment
		active := k.State == registry.Active
		why := "key pair " + k.ID + " of ours was compromised: " + e.session.Reason()
		if _, err := e.session.Block(tx, k.SPKISHA256, why); err != nil {
			return err
		}
		if k, err = tx.KeyPair(id); err != nil {
			return err
		}
		entry.After = k
		if !active || k.Partner == "" { // parts of a campaign follow by the schedule
			return nil
		}
		return e.followRevoked(tx, registry.Leg{
			Owner: registry.Ours, Partner: k.Partner, Profile: k.Profile, Environment: k.Environment,
		}, k.ID)
	})
}

// followRevoked activates the successor of a key that was revoked, if its renewal allows it. A guard that
// refuses it does not stop the revocation.
func (e Exchange) followRevoked(tx registry.Tx, leg registry.Leg, revoked string) error {
	n, err := tx.OpenRenewal(leg)
	if errors.Is(err, registry.ErrNotFound) || err == nil && (n.Replaces != revoked || n.Successor == "") {
		return nil
	}
	if unreadable(err) {
		return nil // a revocation waits for no other row
	}
	if err != nil {
		return err
	}
	may := e.session.MayActivate(tx, leg, n.Successor)
	if _, refused := errors.AsType[*registry.RefusedError](may); refused || unreadable(may) {
		return nil
	}
	if may != nil {
		return may
	}
	if leg.Owner == registry.Ours {
		k, err := tx.KeyPair(n.Successor)
		if err != nil || k.State != registry.Staged {
			return err
		}
		return e.UsePair(tx, k, leg.Partner)
	}
	c, err := tx.Certificate(n.Successor)
	if err != nil || c.State != registry.Approved && c.State != registry.Staged || e.mayBeUsed(tx, c) != nil {
		return err
	}
	return e.UseTheirs(tx, &c, registry.Active)
}

// unreadable reports whether a row is damaged, or is not there.
func unreadable(err error) bool {
	_, damaged := errors.AsType[*registry.DamagedRow](err)
	return damaged || errors.Is(err, registry.ErrNotFound)
}
