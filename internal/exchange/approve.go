package exchange

import (
	"context"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// Approval is what a second person says.
type Approval struct {
	Change   string   // the reference of the change request
	CallBack string   // who was called back at which known number, and what they said
	Grant    []string // rules whose waivers are granted
}

// Approve lets a matched certificate in. In production it needs another person
// than those who received and matched it, a change reference, and a call-back or a
// proof of possession. A waiver needs another person everywhere.
func (e Exchange) Approve(ctx context.Context, id string, a Approval) error {
	return e.ApproveAll(ctx, []string{id}, a, func(string) error { return nil })
}

// ApproveAll approves certificates one after the other, and tells each which is. What
// speaks against one of them is found before any is approved. One call-back speaks for
// one partner, and what is granted for one certificate.
func (e Exchange) ApproveAll(ctx context.Context, ids []string, a Approval, each func(id string) error) error {
	if len(ids) > 1 && len(a.Grant) > 0 {
		return fmt.Errorf("a waiver is granted for one certificate: approve the %d apart", len(ids))
	}
	if err := e.session.May(registry.ActionExchangeApprove); err != nil {
		return err
	}
	var keys []*rsa.PublicKey
	err := e.session.View(ctx, func(tx registry.Tx) (err error) {
		keys, err = e.approvable(tx, ids, a)
		return err
	})
	if err != nil {
		return err
	}
	shared, err := e.session.Registry.SharedPrimes(ctx, keys) // again: they may have come in side by side
	if err != nil {
		return err
	}
	for i, others := range shared {
		if len(others) > 0 {
			return fmt.Errorf("certificate %s: %w", ids[i], registry.SharedPrime(others))
		}
	}
	for _, id := range ids {
		if err := e.approve(ctx, id, a); err != nil {
			return err
		}
		if err := each(id); err != nil {
			return err
		}
	}
	return nil
}

// approvable looks whether all may be approved, and gives their keys.
func (e Exchange) approvable(tx registry.Tx, ids []string, a Approval) ([]*rsa.PublicKey, error) {
	var keys []*rsa.PublicKey
	partner := ""
	for _, id := range ids {
		c, err := e.mayBeApproved(tx, id, a)
		if err != nil {
			return nil, err
		}
		if a.CallBack != "" && partner != "" && c.Partner != partner {
			return nil, fmt.Errorf("certificate %s is of %s, and not of %s: one call-back is with one partner; approve them apart", id, c.Partner, partner)
		}
		partner = c.Partner
		chain, err := c.Parse()
		if err != nil {
			return nil, err
		}
		key, ok := chain[0].PublicKey.(*rsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("certificate %s has no RSA key", id)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (e Exchange) approve(ctx context.Context, id string, a Approval) error {
	return e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeApprove, Subject: "certificate/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
		before, err := theirs(tx, id)
		if err != nil {
			return err
		}
		c, err := e.mayBeApproved(tx, id, a)
		if err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, before
		c.Provenance.ApprovedBy, c.Provenance.Change, c.Provenance.CallBack = e.session.Person().ID, a.Change, a.CallBack
		if err := e.session.MoveCertificate(tx, &c, registry.Approved); err != nil {
			return err
		}
		entry.After = c
		return nil
	})
}

// mayBeApproved gives a certificate with its waivers granted.
func (e Exchange) mayBeApproved(tx registry.Tx, id string, a Approval) (registry.Certificate, error) {
	c, err := theirs(tx, id)
	if err != nil {
		return c, err
	}
	if c.State != registry.Matched {
		return c, fmt.Errorf("certificate %s is %s; %s", id, c.State, Next(c))
	}
	if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
		return c, fmt.Errorf("certificate %s: %w", id, err)
	}
	c.Provenance.Waivers = slices.Clone(c.Provenance.Waivers)
	return c, e.mayApprove(&c, a)
}

func (e Exchange) mayApprove(c *registry.Certificate, a Approval) error {
	me := e.session.Person().ID
	if registry.Production(c.Environment) {
		switch {
		case me == c.Provenance.ReceivedBy || me == c.Provenance.MatchedBy:
			return fmt.Errorf("certificate %s is for production, and %s has received or matched it: somebody else must approve", c.ID, me)
		case strings.TrimSpace(a.Change) == "":
			return fmt.Errorf("certificate %s is for production: give the reference of the change (--change)", c.ID)
		case strings.TrimSpace(a.CallBack) == "" && c.Provenance.Possession == "":
			return fmt.Errorf("certificate %s is for production: two mails from one mailbox prove only that mailbox; call back at a number known before (--call-back), or have the partner answer a challenge (sealane exchange challenge %s)", c.ID, c.ID)
		}
	}
	for i := range c.Provenance.Waivers {
		w := &c.Provenance.Waivers[i]
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

// Reject ends the exchange of a certificate, for a reason, at any step before it is
// in use. For a key pair of ours it takes the offer back.
func (e Exchange) Reject(ctx context.Context, id string) error {
	if strings.HasPrefix(id, "k-") {
		return e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeReject, Subject: "key/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
			k, _, err := ourPair(tx, id)
			if err != nil {
				return err
			}
			entry.Partner, entry.Environment, entry.Before = k.Partner, k.Environment, k
			err = e.session.RetireOffer(tx, &k)
			entry.After = k
			return err
		})
	}
	return e.end(ctx, registry.ActionExchangeReject, id, func(tx registry.Tx, c *registry.Certificate) error {
		c.Provenance.Rejected = e.session.Reason()
		return e.session.MoveCertificate(tx, c, registry.Rejected)
	})
}
