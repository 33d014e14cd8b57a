package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/rsaengine"
)

// Registry is the way to the store. Its members must not be changed once it is used.
type Registry struct {
	Store Store
	Root  *rootkey.Ring     // opens and seals private keys, see UseRoot; nil: they stay closed
	RSA   *rsaengine.Engine // performs the operations of RSA keys; nil is crypto/rsa

	Now      func() time.Time                        // nil: time.Now
	Recorded func(ctx context.Context, h audit.Head) // nil, or told of each new head of the audit log
}

// ErrForbidden says that somebody may not do this. Its text says who may.
var ErrForbidden = errors.New("not allowed")

// ErrUnknownToken says that a credential is not known, or was revoked.
var ErrUnknownToken = errors.New("the token is not known or was revoked")

// Time is what the clock says.
func (r *Registry) Time() time.Time { return r.now() }

func (r *Registry) now() time.Time {
	if r.Now == nil {
		return time.Now().UTC()
	}
	return r.Now().UTC()
}

// Desk is where one authenticated person works. Everything that is done there is
// done, and recorded, in that person's name.
type Desk struct {
	*Registry
	person Person
}

// Login gives the desk of the person whose token it is.
func (r *Registry) Login(ctx context.Context, token string) (*Desk, error) {
	var p Person
	err := r.Store.View(ctx, func(tx Tx) (err error) {
		p, err = tx.PersonBySHA256(tokenSum(token))
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound), err == nil && !p.Revoked.IsZero():
		return nil, ErrUnknownToken
	case err != nil:
		return nil, err
	}
	return &Desk{r, p}, nil
}

// Person is who works here.
func (d *Desk) Person() Person { return d.person }

// Entry is what is recorded of a change. A change completes it.
type Entry struct {
	Action               string // see permissions
	Subject              string
	Partner, Environment string
	Reason               string
	Before, After        any
}

// permissions says who may do what. What is not here nobody may do.
var permissions = map[string][]Role{
	"partner.add": {Operator}, "partner.export": {Operator},
	"environment.add": {Operator}, "environment.change": {Operator}, "contact.set": {Operator}, "contact.remove": {Operator},
	"apikey.issue": {Operator}, "apikey.revoke": {Operator, Approver},
	"key.create": {Operator}, "key.import": {Operator}, "key.export": {Operator}, "key.activate": {Operator}, "key.retire": {Operator}, "key.destroy": {Operator},
	"key.compromised": {Operator, Approver}, "key.block": {Operator, Approver},
	"exchange.offer": {Operator}, "exchange.alias": {Operator}, "exchange.receive": {Operator}, "exchange.alarm": {Operator},
	"exchange.confirm": {Operator}, "exchange.challenge": {Operator}, "exchange.prove": {Operator},
	"exchange.approve": {Approver}, "exchange.reject": {Operator, Approver}, "exchange.compromised": {Operator, Approver}, "exchange.retire": {Operator},
	"exchange.mismatch": {Operator}, "exchange.answer": {Operator}, "exchange.stage": {Operator}, "exchange.activate": {Operator},
	"person.add": {Administrator}, "person.revoke": {Administrator}, "person.token": {Administrator}, "person.roles": {Administrator},
	"rootkey.set": {Administrator, Operator}, "rootkey.rotate": {Administrator}, "profile.add": {Administrator, Operator}, "profile.change": {Administrator},
	"backup": {Administrator},
}

// reasons are the actions that ask why: they end something, or loosen a rule.
var reasons = []string{"apikey.revoke", "key.export", "key.retire", "key.destroy", "key.compromised", "key.block", "exchange.reject", "exchange.retire",
	"exchange.compromised", "person.revoke", "rootkey.rotate", "profile.change"}

// May says what keeps the person from an action. Change asks it itself.
func (d *Desk) May(action string) error {
	allowed, known := permissions[action]
	if !known {
		return fmt.Errorf("%w: nobody may %s", ErrForbidden, action)
	}
	if !slices.ContainsFunc(d.person.Roles, func(r Role) bool { return slices.Contains(allowed, r) }) {
		return fmt.Errorf("%w: %s needs the role %s, and %s has %s", ErrForbidden, action, words(allowed), d.person.ID, words(d.person.Roles))
	}
	return nil
}

// Change runs a change in a transaction and records it there; one without the
// other there is not. f completes the entry and gives an error to undo all.
func (d *Desk) Change(ctx context.Context, e Entry, f func(Tx, *Entry) error) error {
	if err := d.May(e.Action); err != nil {
		return err
	}
	if strings.TrimSpace(e.Reason) == "" && slices.Contains(reasons, e.Action) {
		return fmt.Errorf("%s of %s: say why (--reason)", e.Action, e.Subject)
	}
	return d.change(ctx, d.person.ID, e, func(tx Tx, e *Entry) error {
		// The role may have been taken, or the token replaced or revoked, since the login.
		p, err := tx.Person(d.person.ID)
		if err != nil {
			return err
		}
		if !p.Revoked.IsZero() || !slices.Equal(p.Roles, d.person.Roles) || !bytes.Equal(p.SHA256, d.person.SHA256) {
			return ErrUnknownToken
		}
		return f(tx, e)
	})
}

// change is Change for any actor, without asking whether it may.
func (r *Registry) change(ctx context.Context, actor string, e Entry, f func(Tx, *Entry) error) error {
	var head audit.Head
	err := r.Store.Update(ctx, func(tx Tx) error {
		e := e
		if err := f(tx, &e); err != nil {
			return err
		}
		before, err := recorded(e.Before)
		if err != nil {
			return err
		}
		after, err := recorded(e.After)
		if err != nil {
			return err
		}
		if err := audit.Write(tx, audit.Record{
			Time: r.now(), Actor: actor, Action: e.Action, Subject: e.Subject,
			Partner: e.Partner, Environment: e.Environment, Reason: e.Reason, Before: before, After: after,
		}); err != nil {
			return err
		}
		head, err = tx.AuditHead()
		return err
	})
	if err == nil && r.Recorded != nil {
		r.Recorded(ctx, head)
	}
	return err
}

// recorded is what the audit log keeps of a row: no bytes that say nothing to
// people, and no secret.
func recorded(row any) (json.RawMessage, error) {
	switch v := row.(type) {
	case nil:
		return nil, nil
	case Certificate:
		v.DER, v.SPKI, v.Chain, v.Exchange.File, v.Exchange.Challenge = nil, nil, nil, nil, nil
		row = v
	case []Certificate:
		list := make([]json.RawMessage, len(v))
		for i, c := range v {
			var err error
			if list[i], err = recorded(c); err != nil {
				return nil, err
			}
		}
		row = list
	case KeyPair:
		v.SPKI = nil
		row = v
	}
	return json.Marshal(row)
}

func words[T ~string](list []T) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = string(r)
	}
	return strings.Join(texts, " or ")
}
