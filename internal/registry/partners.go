package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane"
)

// AddPartner adds a company with whom we speak one dialect.
func (d *Desk) AddPartner(ctx context.Context, p Partner, reason string) error {
	return d.Change(ctx, Entry{Action: "partner.add", Subject: "partner/" + p.ID, Partner: p.ID, Reason: reason}, func(tx Tx, e *Entry) error {
		return d.addPartner(tx, e, p)
	})
}

func (d *Desk) addPartner(tx Tx, e *Entry, p Partner) error {
	if err := checkName("partner", p.ID); err != nil {
		return err
	}
	if p.Name = strings.TrimSpace(p.Name); p.Name == "" {
		return fmt.Errorf("partner %s has no name", p.ID)
	}
	if _, err := LoadProfile(tx, p.Profile); err != nil {
		return err
	}
	if p.Side != sealane.ClientSide && p.Side != sealane.ServerSide {
		return fmt.Errorf("partner %s: say which side we are: client (we call) or server (we are called)", p.ID)
	}
	p.Created, p.Version = d.now(), 0
	e.After = p
	if err := tx.PutPartner(&p); errors.Is(err, ErrExists) {
		return fmt.Errorf("partner %s: %w", p.ID, ErrExists)
	} else if err != nil {
		return err
	}
	return nil
}

// AddEnvironment adds an environment to a partner. Sealing must be said.
func (d *Desk) AddEnvironment(ctx context.Context, env Environment, reason string) error {
	return d.Change(ctx, Entry{Action: "environment.add"}, func(tx Tx, e *Entry) error {
		return d.addEnvironment(tx, e, env, reason)
	})
}

func (d *Desk) addEnvironment(tx Tx, e *Entry, env Environment, reason string) error {
	e.Subject, e.Partner, e.Environment, e.Reason = "environment/"+env.Partner+"/"+env.Name, env.Partner, env.Name, reason
	if err := d.checkEnvironment(tx, env); err != nil {
		return err
	}
	env.Created, env.Version = d.now(), 0
	e.After = env
	if err := tx.PutEnvironment(&env); err != nil {
		return fmt.Errorf("environment %s of %s: %w", env.Name, env.Partner, err)
	}
	return nil
}

// ChangeEnvironment changes what was agreed for an environment. change must leave
// its names alone.
//
// seen is the row that the change was decided on: where somebody has changed it since,
// the error is ErrConflict. Without a Version it only names the environment.
func (d *Desk) ChangeEnvironment(ctx context.Context, seen Environment, reason string, change func(*Environment) error) error {
	return d.changeEnvironment(ctx, "environment.change", seen.Partner, seen.Name, reason, func(env *Environment) error {
		if seen.Version != 0 && seen.Version != env.Version {
			return fmt.Errorf("environment %s of %s: %w", seen.Name, seen.Partner, ErrConflict)
		}
		return change(env)
	})
}

func (d *Desk) changeEnvironment(ctx context.Context, action, partner, name, reason string, change func(*Environment) error) error {
	return d.Change(ctx, Entry{Action: action, Subject: "environment/" + partner + "/" + name, Partner: partner, Environment: name, Reason: reason}, func(tx Tx, e *Entry) error {
		env, err := FindEnvironment(tx, partner, name)
		if err != nil {
			return err
		}
		e.Before = env
		before := env.Sealing
		env.Contacts = slices.Clone(env.Contacts)
		if err := change(&env); err != nil {
			return err
		}
		if before == sealane.SealingRequired && env.Sealing == sealane.SealingOptional && strings.TrimSpace(reason) == "" {
			return fmt.Errorf("environment %s of %s required sealing so far: say why messages may come in clear (--reason)", name, partner)
		}
		env.Partner, env.Name = partner, name
		if err := d.checkEnvironment(tx, env); err != nil {
			return err
		}
		e.After = env
		return tx.PutEnvironment(&env)
	})
}

// FindEnvironment is Tx.Environment with an error that says what there is.
func FindEnvironment(tx Tx, partner, name string) (Environment, error) {
	env, err := tx.Environment(partner, name)
	if !errors.Is(err, ErrNotFound) {
		return env, err
	}
	if _, err := tx.Partner(partner); err != nil {
		return env, err
	}
	all, err := tx.Environments(partner)
	if err != nil {
		return env, err
	}
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = one.Name
	}
	return env, fmt.Errorf("partner %s has no environment %q: %w; there are %s", partner, name, ErrNotFound, words(names))
}

func (d *Desk) checkEnvironment(tx Tx, env Environment) error {
	p, err := tx.Partner(env.Partner)
	if err != nil {
		return fmt.Errorf("partner %q: %w", env.Partner, err)
	}
	dialect, err := LoadProfile(tx, p.Profile)
	if err != nil {
		return err
	}
	if len(dialect.Environments) > 0 && !slices.Contains(dialect.Environments, env.Name) {
		return fmt.Errorf("environment %q is none of profile %s: use %s", env.Name, dialect.Name, words(dialect.Environments))
	}
	if env.Sealing != sealane.SealingRequired && env.Sealing != sealane.SealingOptional {
		return fmt.Errorf("environment %s of %s: say whether sealing is %s or %s", env.Name, env.Partner, sealane.SealingRequired, sealane.SealingOptional)
	}
	if env.MaxPayload < 0 || env.MaxPayload > 1<<30 {
		return fmt.Errorf("largest payload %d bytes: use 0 (default) to 1 GiB", env.MaxPayload)
	}
	if len(env.Contacts) > 50 {
		return fmt.Errorf("%d contacts are too many; use a mailbox that several people read", len(env.Contacts))
	}
	for _, c := range env.Contacts {
		if err := checkContact(c); err != nil {
			return err
		}
	}
	if env.MailFrom != "" {
		if err := checkEmail(env.MailFrom); err != nil {
			return err
		}
	}
	if env.Account != "" {
		other, err := tx.EnvironmentOfAccount(env.Account)
		if err == nil && (other.Partner != env.Partner || other.Name != env.Name) {
			return fmt.Errorf("account %q is that of partner %s in %s already", env.Account, other.Partner, other.Name)
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	_, err = sealane.New(laneConfig(p, env, env.Sealing, dialect)) // its other rules
	return err
}

// Production reports whether an environment is one: any that is not known to be
// for trying out.
func Production(environment string) bool {
	return !slices.Contains([]string{"DEV", "TEST", "STAG", "STAGING", "UAT", "SANDBOX"}, strings.ToUpper(environment))
}

// SetContact adds a contact, or puts it in the place of the one with that role
// and address.
func (d *Desk) SetContact(ctx context.Context, partner, environment string, c Contact, reason string) error {
	return d.changeEnvironment(ctx, "contact.set", partner, environment, reason, func(env *Environment) error {
		if err := checkContact(c); err != nil {
			return err
		}
		env.Contacts = slices.DeleteFunc(env.Contacts, func(o Contact) bool { return o.Role == c.Role && o.Email == c.Email })
		env.Contacts = append(env.Contacts, c)
		return nil
	})
}

// RemoveContact removes whoever has that address.
func (d *Desk) RemoveContact(ctx context.Context, partner, environment, email, reason string) error {
	return d.changeEnvironment(ctx, "contact.remove", partner, environment, reason, func(env *Environment) error {
		before := len(env.Contacts)
		env.Contacts = slices.DeleteFunc(env.Contacts, func(o Contact) bool { return o.Email == email })
		if len(env.Contacts) == before {
			return fmt.Errorf("contact %q of %s in %s: %w", email, partner, environment, ErrNotFound)
		}
		return nil
	})
}

func checkContact(c Contact) error {
	if !slices.Contains([]ContactRole{Primary, Alternate, Support}, c.Role) {
		return fmt.Errorf("contact role %q is not known; use %s, %s or %s", c.Role, Primary, Alternate, Support)
	}
	return checkEmail(c.Email)
}

// IssueAPIKey makes a key by which a partner's calls are known. The key is given
// once. Sealing must be said.
func (d *Desk) IssueAPIKey(ctx context.Context, partner, environment, label string, sealing sealane.Sealing, reason string) (APIKey, string, error) {
	k := APIKey{ID: newID("a"), Partner: partner, Environment: environment, Label: label, Sealing: sealing}
	var token string
	err := d.Change(ctx, Entry{Action: "apikey.issue", Subject: "apikey/" + k.ID, Partner: partner, Environment: environment, Reason: reason}, func(tx Tx, e *Entry) error {
		env, err := FindEnvironment(tx, partner, environment)
		if err != nil {
			return err
		}
		p, err := tx.Partner(partner)
		if err != nil {
			return err
		}
		if p.Side != sealane.ServerSide {
			return fmt.Errorf("partner %s is called by us: its API key is theirs to issue", partner)
		}
		dialect, err := LoadProfile(tx, p.Profile)
		if err != nil {
			return err
		}
		if sealing != sealane.SealingRequired && sealing != sealane.SealingOptional {
			return fmt.Errorf("API key for %s: say whether sealing is %s or %s", partner, sealane.SealingRequired, sealane.SealingOptional)
		}
		if _, err := sealane.New(laneConfig(p, env, sealing, dialect)); err != nil {
			return err
		}
		k.Created = d.now()
		token, k.Prefix, k.SHA256 = newToken("api")
		e.After = k
		return tx.PutAPIKey(&k)
	})
	return k, token, err
}

// RevokeAPIKey ends a key.
func (d *Desk) RevokeAPIKey(ctx context.Context, id, reason string) error {
	return d.Change(ctx, Entry{Action: "apikey.revoke", Subject: "apikey/" + id, Reason: reason}, func(tx Tx, e *Entry) error {
		k, err := tx.APIKey(id)
		if err != nil {
			return fmt.Errorf("API key %s: %w", id, err)
		}
		if !k.Revoked.IsZero() {
			return fmt.Errorf("API key %s was revoked on %s", id, k.Revoked.Format(time.DateOnly))
		}
		e.Before, e.Partner, e.Environment = k, k.Partner, k.Environment
		k.Revoked = d.now()
		e.After = k
		return tx.PutAPIKey(&k)
	})
}
