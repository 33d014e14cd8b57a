package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
)

// Environment is what was agreed with a partner for one environment. It makes a lane.
type Environment struct {
	Partner string          `json:"partner"`
	Name    string          `json:"name"`    // DEV, STAG, PROD, or as the profile says
	Sealing sealane.Sealing `json:"sealing"` // never empty; of callers who are known by Account, and of what we send
	// Account is how a trusted upstream names the caller, where callers are not
	// known by API keys. It is unique in the registry.
	Account       string             `json:"account,omitempty"`
	SenderAuth    sealane.SenderAuth `json:"caller,omitempty"`          // how the sender of unsigned messages is known
	AcceptRSAOAEP string             `json:"accept_rsa_oaep,omitempty"` // the reason why RSA-OAEP (SHA-1) opens, too
	Expired       sealane.Expired    `json:"expired,omitempty"`         // of messages after a certificate has ended
	NoResend      string             `json:"no_resend,omitempty"`       // why refused messages are not sent again
	MaxPayload    int                `json:"max_payload,omitempty"`     // bytes; 0: the lane's default
	Limits        lanes.Limits       `json:"limits,omitzero"`           // of what the partner asks of a gateway
	// URL is where the partner takes requests, if we call it; empty: a program that calls it says where.
	URL string `json:"url,omitempty"`
	// Approvals is how many people decide in this environment: 1 or 2. With 0 it is two in
	// production, and one elsewhere.
	Approvals int       `json:"approvals,omitempty"`
	Rotation  Rotation  `json:"rotation,omitzero"`   // how keys and certificates change
	MailFrom  string    `json:"mail_from,omitempty"` // the address from which our mails will come
	Contacts  []Contact `json:"contacts,omitempty"`
	// ContactRound counts how often a contact has come: notices begin anew then, see [Notice]. Contacted
	// is when that was last.
	ContactRound int       `json:"contact_round,omitempty"`
	Contacted    time.Time `json:"contacted,omitzero"`
	Created      time.Time `json:"created"`
	Version      int64     `json:"-"`
}

// AddEnvironment adds an environment to a partner. Its Sealing must be given.
func (s *Session) AddEnvironment(ctx context.Context, env Environment) error {
	return s.Change(ctx, Entry{Action: ActionEnvironmentAdd}, func(tx Tx, entry *Entry) error {
		return s.addEnvironment(tx, entry, env)
	})
}

func (s *Session) addEnvironment(tx Tx, entry *Entry, env Environment) error {
	entry.Subject, entry.Partner, entry.Environment = "environment/"+env.Partner+"/"+env.Name, env.Partner, env.Name
	if err := keepsURL(entry.Action, Environment{}, env); err != nil {
		return err
	}
	if err := s.checkEnvironment(tx, env); err != nil {
		return err
	}
	env.Created, env.Version = s.registry.now(), 0
	entry.After = env
	if err := tx.PutEnvironment(&env); err != nil {
		return fmt.Errorf("environment %s of %s: %w", env.Name, env.Partner, err)
	}
	return nil
}

// ChangeEnvironment changes an environment by change, which must not change its names.
//
// seen is the row that the change was decided on: the error is ErrConflict if the row was
// changed since. Without a Version, seen only names the environment.
func (s *Session) ChangeEnvironment(ctx context.Context, seen Environment, change func(*Environment) error) error {
	return s.changeEnvironment(ctx, ActionEnvironmentChange, seen.lane(), func(env *Environment) error {
		if seen.Version != 0 && seen.Version != env.Version {
			return fmt.Errorf("environment %s of %s: %w", seen.Name, seen.Partner, ErrConflict)
		}
		return change(env)
	})
}

// onEnvironment makes a change of an environment, which act gets as it is stored.
func (s *Session) onEnvironment(
	ctx context.Context, action Action, lane lanes.Name, act func(Tx, *Entry, Environment) error,
) error {
	entry := Entry{Action: action, Partner: lane.Partner, Environment: lane.Environment}
	entry.Subject = "environment/" + lane.Partner + "/" + lane.Environment
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		env, err := FindEnvironment(tx, lane)
		if err != nil {
			return err
		}
		entry.Before = env
		return act(tx, entry, env)
	})
}

func (s *Session) changeEnvironment(
	ctx context.Context, action Action, lane lanes.Name, change func(*Environment) error,
) error {
	return s.onEnvironment(ctx, action, lane, func(tx Tx, entry *Entry, env Environment) error {
		before, stored := env.Sealing, env
		env.Contacts, env.Rotation = slices.Clone(env.Contacts), env.Rotation.clone()
		if err := change(&env); err != nil {
			return err
		}
		loosened := before == sealane.SealingRequired && env.Sealing == sealane.SealingOptional
		if loosened {
			if err := CheckReason(s.reason); err != nil {
				return Refuse(
					"environment %s of %s has required sealing, and messages may be unencrypted from now on: %w",
					lane.Environment, lane.Partner, err)
			}
		}
		env.Partner, env.Name = lane.Partner, lane.Environment
		if env.hasNewContact(stored) {
			env.ContactRound, env.Contacted = stored.ContactRound+1, s.registry.now()
		}
		if err := keepsURL(action, stored, env); err != nil {
			return err
		}
		if err := s.checkEnvironment(tx, env); err != nil {
			return err
		}
		entry.After = env
		return tx.PutEnvironment(&env)
	})
}

// lane returns the name of the environment's lane.
func (e Environment) lane() lanes.Name { return lanes.Name{Partner: e.Partner, Environment: e.Name} }

// RaiseApprovals makes two people decide in an environment.
func (s *Session) RaiseApprovals(ctx context.Context, lane lanes.Name) error {
	return s.changeEnvironment(ctx, ActionApprovalsRaise, lane, func(env *Environment) error {
		env.Approvals = 2
		return nil
	})
}

// FindEnvironment is Tx.Environment with an error that says which environments there are.
func FindEnvironment(tx Reader, lane lanes.Name) (Environment, error) {
	env, err := tx.Environment(lane.Partner, lane.Environment)
	if !errors.Is(err, ErrNotFound) {
		return env, err
	}
	if _, err := tx.Partner(lane.Partner); err != nil {
		return env, err
	}
	all, err := tx.Environments(lane.Partner)
	if err != nil {
		return env, err
	}
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = one.Name
	}
	return env, fmt.Errorf("partner %s has no environment %q: %w; there are %s",
		lane.Partner, lane.Environment, ErrNotFound, alternatives(names))
}

func (s *Session) checkEnvironment(tx Tx, env Environment) error {
	p, err := tx.Partner(env.Partner)
	if err != nil {
		return err
	}
	prof, err := LoadProfile(tx, p.Profile)
	if err != nil {
		return err
	}
	if len(prof.Environments) > 0 && !slices.Contains(prof.Environments, env.Name) {
		return Refuse("environment %q is none of profile %s: use %s",
			env.Name, prof.Name, alternatives(prof.Environments))
	}
	if env.Sealing != sealane.SealingRequired && env.Sealing != sealane.SealingOptional {
		return Refuse("environment %s of %s: say whether sealing is %s or %s",
			env.Name, env.Partner, sealane.SealingRequired, sealane.SealingOptional)
	}
	if env.Approvals < 0 || env.Approvals > 2 {
		return Refuse("environment %s of %s: %d approvals are not possible; say 1 or 2",
			env.Name, env.Partner, env.Approvals)
	}
	if env.AcceptRSAOAEP != "" {
		if err := CheckReason(env.AcceptRSAOAEP); err != nil {
			return Refuse("OAEP with SHA-1 in environment %s of %s: %w", env.Name, env.Partner, err)
		}
	}
	if env.NoResend != "" {
		if err := CheckReason(env.NoResend); err != nil {
			return Refuse("environment %s of %s sends no message again: %w", env.Name, env.Partner, err)
		}
	}
	if err := env.Rotation.check(); err != nil {
		return Refuse("environment %s of %s: %w", env.Name, env.Partner, err)
	}
	if err := checkSideForURL(p, env); err != nil {
		return err
	}
	l := env.Limits
	if l.Rate < 0 || l.Burst < 0 || l.InFlight < 0 || l.Failures < 0 || l.Burst > 0 && l.Rate == 0 {
		return Refuse("environment %s of %s: limits can't be negative, and a burst needs a rate",
			env.Name, env.Partner)
	}
	if len(env.Contacts) > 50 {
		return Refuse("%d contacts are too many; use a mailbox that several people read", len(env.Contacts))
	}
	for _, c := range env.Contacts {
		if err := checkContact(c); err != nil {
			return err
		}
	}
	if env.MailFrom != "" {
		if err := cert.CheckEmail(env.MailFrom); err != nil {
			return Judged(err)
		}
	}
	if env.Account != "" {
		other, err := tx.EnvironmentOfAccount(env.Account)
		if err == nil && (other.Partner != env.Partner || other.Name != env.Name) {
			return Refuse("account %q is that of partner %s in %s already", env.Account, other.Partner, other.Name)
		} else if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	_, err = sealane.New(lanes.Config(p.laneRow(), env.laneRow(), prof)) // its other rules
	return Judged(err)
}

// Production reports whether an environment is for production. It is, unless its name is known
// as that of a test environment.
func Production(environment string) bool {
	return !slices.Contains([]string{"DEV", "TEST", "STAG", "STAGING", "UAT", "SANDBOX"}, strings.ToUpper(environment))
}
