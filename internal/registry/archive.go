package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/lanes"
)

// RenamePartner changes a partner's full name. Its identity, profile and side stay: a partner for
// whom they are wrong is removed while it is unused, or archived.
func (s *Session) RenamePartner(ctx context.Context, id, name string) error {
	return s.changePartner(ctx, ActionPartnerChange, id, func(_ Tx, p *Partner) error {
		if p.Name = strings.TrimSpace(name); p.Name == "" {
			return Refuse("partner %s has no name", id)
		}
		return nil
	})
}

// ArchivePartner hides a partner from lists, ends its lanes, and refuses new work for it. Nothing
// of it may be in use or on its way: no certificate, key pair or API key.
func (s *Session) ArchivePartner(ctx context.Context, id string) error {
	return s.changePartner(ctx, ActionPartnerArchive, id, func(tx Tx, p *Partner) error {
		if !p.Archived.IsZero() {
			return Refuse("partner %s was archived on %s", id, p.Archived.Format(time.DateOnly))
		}
		p.Archived = s.registry.now()
		return nothingInUse(tx, id)
	})
}

// nothingInUse refuses to archive a partner of whom something is in use or on its way.
func nothingInUse(tx Tx, id string) error {
	certificates, err := tx.Certificates(CertificateQuery{Owner: Theirs, Partner: id, States: StatesAlive})
	if err != nil {
		return err
	}
	if len(certificates) > 0 {
		c := certificates[0]
		if c.State.Open() {
			return Refuse("certificate %s of %s is %s: reject it first", c.ID, id, c.State).
				Then(Advice{Action: ActionExchangeReject, ID: c.ID, Needs: []Need{Reason}})
		}
		return Refuse("certificate %s of %s is %s: retire it first", c.ID, id, c.State).
			Then(Advice{Action: ActionExchangeRetire, ID: c.ID, Needs: []Need{Last, Reason}})
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{Partner: id, States: StatesInUse})
	if err != nil {
		return err
	}
	if len(pairs) > 0 {
		k := pairs[0]
		return Refuse("key pair %s for %s is %s: retire it first", k.ID, id, k.State).
			Then(Advice{Action: ActionKeyRetire, ID: k.ID, Needs: []Need{Last, Reason}})
	}
	environments, err := tx.Environments(id)
	if err != nil {
		return err
	}
	for _, env := range environments {
		keys, err := tx.APIKeys(id, env.Name)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.Revoked.IsZero() {
				return Refuse("API key %s of %s in %s is valid: revoke it first", k.ID, id, env.Name).
					Then(Advice{Action: ActionAPIKeyRevoke, ID: k.ID, Needs: []Need{Reason}})
			}
		}
	}
	return nil
}

// RestorePartner brings an archived partner back.
func (s *Session) RestorePartner(ctx context.Context, id string) error {
	return s.changePartner(ctx, ActionPartnerRestore, id, func(tx Tx, p *Partner) error {
		if p.Archived.IsZero() {
			return Refuse("partner %s is not archived", id)
		}
		p.Archived = time.Time{}
		environments, err := tx.Environments(id)
		if err != nil {
			return err
		}
		for _, env := range environments { // its profile may have changed meanwhile
			if err := s.checkEnvironment(tx, env); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Session) changePartner(ctx context.Context, action Action, id string, change func(Tx, *Partner) error) error {
	entry := Entry{Action: action, Subject: "partner/" + id, Partner: id}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		p, err := tx.Partner(id)
		if err != nil {
			return err
		}
		entry.Before = p
		if err := change(tx, &p); err != nil {
			return err
		}
		entry.After = p
		return tx.PutPartner(&p)
	})
}

// notArchived refuses a change for an archived partner, if the action is new work.
func notArchived(tx Reader, entry Entry) error {
	if entry.Partner == "" || permissions[entry.Action].archived {
		return nil
	}
	p, err := tx.Partner(entry.Partner)
	if errors.Is(err, ErrNotFound) {
		return nil // the change says so, or was about its removal
	}
	if err == nil && !p.Archived.IsZero() {
		err = Refuse("partner %s was archived on %s: bring it back first", p.ID, p.Archived.Format(time.DateOnly)).
			Then(Advice{Action: ActionPartnerRestore, Partner: p.ID})
	}
	return err
}

// RemovePartner removes a partner with its environments. None of them may ever have been used: no
// certificate, key pair, offer or API key was stored for it. The audit log keeps that it was there.
func (s *Session) RemovePartner(ctx context.Context, id string) error {
	entry := Entry{Action: ActionPartnerRemove, Subject: "partner/" + id, Partner: id}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		p, err := tx.Partner(id)
		if err != nil {
			return err
		}
		environments, err := tx.Environments(id)
		if err != nil {
			return err
		}
		for _, env := range environments {
			if err := s.removeEnvironment(tx, entry, env); err != nil {
				return err
			}
		}
		offers, err := tx.Offers(id)
		if err != nil {
			return err
		}
		if len(offers) > 0 {
			return used("partner "+id, "key pair "+offers[0].KeyPair+" was offered to it", id)
		}
		entry.Before = p
		return tx.DeletePartner(p)
	})
}

// RemoveEnvironment removes an environment that was never used.
func (s *Session) RemoveEnvironment(ctx context.Context, lane lanes.Name) error {
	return s.onEnvironment(ctx, ActionEnvironmentRemove, lane, func(tx Tx, entry *Entry, env Environment) error {
		return s.removeEnvironment(tx, entry, env)
	})
}

// removeEnvironment asks for a second person where somebody has raised the approvals: added again, the
// environment would need one.
func (s *Session) removeEnvironment(tx Tx, entry *Entry, env Environment) error {
	if anew := (Environment{Name: env.Name}); env.ApprovalsNeeded() > anew.ApprovalsNeeded() {
		why := "two people decide in " + env.Name + ", and added again it would need one"
		if entry.asks != nil { // for another environment of the partner
			why = entry.asks.why + "; " + why
		}
		entry.asks = &second{why: why, what: entry.Subject}
	}
	what := fmt.Sprintf("environment %s of %s", env.Name, env.Partner)
	one := Page{Limit: 1}
	certificates, err := tx.Certificates(CertificateQuery{Page: one, Partner: env.Partner, Environment: env.Name})
	if err != nil {
		return err
	}
	if len(certificates) > 0 {
		return used(what, "certificate "+certificates[0].ID+" is of it", env.Partner)
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{Page: one, Partner: env.Partner, Environment: env.Name})
	if err != nil {
		return err
	}
	if len(pairs) > 0 {
		return used(what, "key pair "+pairs[0].ID+" is for it", env.Partner)
	}
	keys, err := tx.APIKeys(env.Partner, env.Name)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return used(what, "API key "+keys[0].ID+" is of it", env.Partner)
	}
	offers, err := tx.Offers(env.Partner)
	if err != nil {
		return err
	}
	for _, o := range offers {
		k, err := tx.KeyPair(o.KeyPair)
		if err != nil {
			return err
		}
		if k.Environment == env.Name {
			return used(what, "key pair "+k.ID+" was offered for it", env.Partner)
		}
	}
	return tx.DeleteEnvironment(env)
}

// used refuses the removal of what was used.
func used(what, why, partner string) error {
	return Refuse("%s was used, so that the records need it: %s; a partner whose lanes have ended can be archived",
		what, why).Then(Advice{Action: ActionPartnerArchive, Partner: partner, Needs: []Need{Reason}})
}
