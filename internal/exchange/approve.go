package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Approval is what a second person says.
type Approval struct {
	Change   string   // the reference of the change request
	CallBack string   // who was called back at which known number, and what they said
	Grant    []string // rules whose waivers are granted
	Reason   string
}

// Approve lets a matched certificate in. In production it needs another person
// than those who received and matched it, a change reference, and a call-back or a
// proof of possession. A waiver needs another person everywhere.
func (x Exchange) Approve(ctx context.Context, id string, a Approval) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.approve", Subject: "certificate/" + id, Reason: a.Reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if c.State != registry.Matched {
			return fmt.Errorf("certificate %s is %s; %s", id, c.State, Next(c))
		}
		if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		c.Exchange.Waivers = slices.Clone(c.Exchange.Waivers)
		if err := x.mayApprove(&c, a); err != nil {
			return err
		}
		c.Exchange.ApprovedBy, c.Exchange.Change, c.Exchange.CallBack = x.Person().ID, a.Change, a.CallBack
		if err := x.MoveCertificate(tx, &c, registry.Approved); err != nil {
			return err
		}
		e.After = c
		return nil
	})
}

// ApproveAll approves certificates one after the other, and tells each which is. One
// call-back speaks for one partner.
func (x Exchange) ApproveAll(ctx context.Context, ids []string, a Approval, each func(id string) error) error {
	if a.CallBack != "" {
		if err := x.Store.View(ctx, func(tx registry.Tx) error { return ofOnePartner(tx, ids) }); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := x.Approve(ctx, id, a); err != nil {
			return err
		}
		if err := each(id); err != nil {
			return err
		}
	}
	return nil
}

func ofOnePartner(tx registry.Tx, ids []string) error {
	var before registry.Certificate
	for i, id := range ids {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if i > 0 && c.Partner != before.Partner {
			return fmt.Errorf("certificate %s is of %s, and %s of %s: one call-back is with one partner; approve them apart", before.ID, before.Partner, c.ID, c.Partner)
		}
		before = c
	}
	return nil
}

func (x Exchange) mayApprove(c *registry.Certificate, a Approval) error {
	me := x.Person().ID
	if registry.Production(c.Environment) {
		switch {
		case me == c.Exchange.ReceivedBy || me == c.Exchange.MatchedBy:
			return fmt.Errorf("certificate %s is for production, and %s has received or matched it: somebody else must approve", c.ID, me)
		case strings.TrimSpace(a.Change) == "":
			return fmt.Errorf("certificate %s is for production: give the reference of the change (--change)", c.ID)
		case strings.TrimSpace(a.CallBack) == "" && c.Exchange.Possession == "":
			return fmt.Errorf("certificate %s is for production: two mails from one mailbox prove only that mailbox; call back at a number known before (--call-back), or have the partner answer a challenge (sealane exchange challenge %s)", c.ID, c.ID)
		}
	}
	for i := range c.Exchange.Waivers {
		w := &c.Exchange.Waivers[i]
		switch {
		case !slices.Contains(a.Grant, w.Rule):
			return fmt.Errorf("a waiver of rule %s is asked for (%q): grant it (--grant %s), or reject the certificate", w.Rule, w.Reason, w.Rule)
		case w.Asked == me:
			return fmt.Errorf("%s has asked for the waiver of rule %s: somebody else must grant it", me, w.Rule)
		}
		w.Granted = me
	}
	return nil
}

// Reject ends the exchange of a certificate, for a reason, at any step. An offer
// of ours is taken back by retiring its key pair.
func (x Exchange) Reject(ctx context.Context, id, reason string) error {
	return x.end(ctx, "exchange.reject", id, reason, func(tx registry.Tx, c *registry.Certificate) error {
		c.Exchange.Rejected = reason
		return x.MoveCertificate(tx, c, registry.Rejected)
	})
}

// Retire ends the use of a partner's certificate: one that another has followed, one
// that has expired, or the last, after which nothing can be sealed to the partner, or
// verified, any more.
func (x Exchange) Retire(ctx context.Context, id, reason string, last bool) error {
	return x.end(ctx, "exchange.retire", id, reason, func(tx registry.Tx, c *registry.Certificate) error {
		switch {
		case x.Time().After(c.NotAfter):
			return x.MoveCertificate(tx, c, registry.Expired)
		case c.State == registry.Active && !last:
			return fmt.Errorf("certificate %s is in use: activate its successor first; or, where none is to follow, say that it is the last (--last)", id)
		}
		return x.MoveCertificate(tx, c, registry.Retired)
	})
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
	if strings.TrimSpace(reason) == "" {
		return errors.New("say why (--reason)")
	}
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

// Activate puts an approved certificate to use. The one before it still verifies.
func (x Exchange) Activate(ctx context.Context, id, reason string) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.activate", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		dialect, err := registry.LoadProfile(tx, c.Profile)
		if err != nil {
			return err
		}
		if c.State == registry.Received || c.State == registry.Matched {
			return fmt.Errorf("certificate %s is %s; %s", id, c.State, Next(c))
		}
		if keyIDNeeded(dialect) && c.KeyID == "" {
			return fmt.Errorf("certificate %s has no key ID, and messages of %s carry one: assign it (sealane exchange alias %s KEYID)", id, c.Profile, id)
		}
		if x.Time().After(c.NotAfter) {
			return fmt.Errorf("certificate %s has expired on %s: ask for a new one", id, c.NotAfter.Format(time.DateOnly))
		}
		if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		if err := x.retireBefore(tx, c); err != nil {
			return err
		}
		if err := x.MoveCertificate(tx, &c, registry.Active); err != nil {
			return err
		}
		e.After = c
		return nil
	})
}

// maxOverlap is how many certificates of a partner's may be in use at a time. A
// message is tried with each.
const maxOverlap = 4

// retireBefore makes the certificate retiring that was active before this one.
func (x Exchange) retireBefore(tx registry.Tx, next registry.Certificate) error {
	used, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: next.Partner, Environment: next.Environment,
		States: registry.StatesInUse})
	if err != nil {
		return err
	}
	others := 0
	for _, c := range used {
		if c.ID == next.ID {
			continue
		}
		others++
		if c.State != registry.Active {
			continue
		}
		if err := x.MoveCertificate(tx, &c, registry.Retiring); err != nil {
			return err
		}
	}
	if others >= maxOverlap {
		return fmt.Errorf("%s has %d certificates in use in %s already: retire the oldest (sealane exchange retire CERTIFICATE)", next.Partner, others, next.Environment)
	}
	return nil
}
