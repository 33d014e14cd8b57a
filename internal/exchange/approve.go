package exchange

import (
	"context"
	"crypto/rsa"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// Approval is the evidence on which a second person approves a certificate.
type Approval struct {
	Change   string   // the reference of the change request
	CallBack string   // who was called back, at which known number, with which result
	Grant    []string // rules whose waivers are granted
}

// Approve lets a matched certificate in. In production it needs another person than those who
// received and matched it, a change reference, and a call-back or a proof of possession. A
// waiver needs another person everywhere.
func (e Exchange) Approve(ctx context.Context, id string, a Approval) error {
	for _, err := range e.ApproveAll(ctx, []string{id}, a) {
		if err != nil {
			return err
		}
	}
	return nil
}

// ApproveAll approves certificates one after the other while the sequence is ranged over. It
// yields each that is approved; an error ends it. All are checked before the first is
// approved. One call-back speaks for one partner, and what is granted for one certificate.
func (e Exchange) ApproveAll(ctx context.Context, ids []string, a Approval) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := e.mayApproveAll(ctx, ids, a); err != nil {
			yield("", err)
			return
		}
		for _, id := range ids {
			err := e.approve(ctx, id, a)
			if !yield(id, err) || err != nil {
				return
			}
		}
	}
}

func (e Exchange) mayApproveAll(ctx context.Context, ids []string, a Approval) error {
	if len(ids) > 1 && len(a.Grant) > 0 {
		return fmt.Errorf("a waiver is granted for one certificate: approve the %d apart", len(ids))
	}
	if err := e.session.May(registry.ActionExchangeApprove); err != nil {
		return err
	}
	var keys []*rsa.PublicKey
	var since int64
	err := e.session.View(ctx, func(tx registry.Tx) (err error) {
		keys, since, err = e.keysToApprove(tx, ids, a)
		return err
	})
	if err != nil {
		return err
	}
	// Again: they may have come in at the same time.
	comparison, err := e.session.Registry.ComparePrimes(ctx, keys, since)
	if err != nil {
		return err
	}
	for i, others := range comparison.Shared {
		if len(others) > 0 {
			return fmt.Errorf("certificate %s: %w", ids[i], registry.SharedPrime(others))
		}
	}
	return nil
}

// keysToApprove returns the keys of certificates that may be approved together, and since when
// others may have come in that one of them was not compared with, see registry.ComparePrimes.
func (e Exchange) keysToApprove(
	tx registry.Tx, ids []string, a Approval,
) (keys []*rsa.PublicKey, since int64, err error) {
	since = math.MaxInt64
	partner := ""
	for _, id := range ids {
		c, err := theirs(tx, id)
		if err != nil {
			return nil, 0, err
		}
		if c, err = e.granted(tx, c, a); err != nil {
			return nil, 0, err
		}
		if a.CallBack != "" && partner != "" && c.Partner != partner {
			return nil, 0, fmt.Errorf("certificate %s is of %s, and not of %s: one call-back is with one partner; "+
				"approve them apart",
				id, c.Partner, partner)
		}
		partner = c.Partner
		chain, err := c.Parse()
		if err != nil {
			return nil, 0, err
		}
		key, ok := chain[0].PublicKey.(*rsa.PublicKey)
		if !ok {
			return nil, 0, fmt.Errorf("certificate %s has no RSA key", id)
		}
		keys, since = append(keys, key), min(since, c.Provenance.Compared)
	}
	return keys, since, nil
}

func (e Exchange) approve(ctx context.Context, id string, a Approval) error {
	step := func(tx registry.Tx, c *registry.Certificate) error {
		approved, err := e.granted(tx, *c, a)
		if err != nil {
			return err
		}
		*c = approved
		p := &c.Provenance
		p.ApprovedBy, p.Change, p.CallBack = e.session.Person().ID, a.Change, a.CallBack
		return e.session.MoveCertificate(tx, c, registry.Approved)
	}
	return e.changeTheirs(ctx, registry.ActionExchangeApprove, id, step)
}

// granted returns a certificate that may be approved, with its waivers granted.
func (e Exchange) granted(tx registry.Tx, c registry.Certificate, a Approval) (registry.Certificate, error) {
	if c.State != registry.Matched {
		return c, fmt.Errorf("certificate %s is %s; %s", c.ID, c.State, Next(c))
	}
	if err := c.NotBlocked(tx); err != nil {
		return c, fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	if registry.Production(c.Environment) {
		if err := e.mayApproveProduction(c, a); err != nil {
			return c, err
		}
	}
	c.Provenance.Waivers = slices.Clone(c.Provenance.Waivers)
	for i := range c.Provenance.Waivers {
		if err := e.grant(&c.Provenance.Waivers[i], a); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (e Exchange) mayApproveProduction(c registry.Certificate, a Approval) error {
	me := e.session.Person().ID
	switch {
	case me == c.Provenance.ReceivedBy || me == c.Provenance.MatchedBy:
		return fmt.Errorf("certificate %s is for production, and %s has received or matched it: somebody else must "+
			"approve",
			c.ID, me)
	case strings.TrimSpace(a.Change) == "":
		return fmt.Errorf("certificate %s is for production: give the reference of the change (--change)", c.ID)
	case strings.TrimSpace(a.CallBack) == "" && c.Provenance.Possession == "":
		return fmt.Errorf("certificate %s is for production: two mails from one mailbox prove only that mailbox; "+
			"call back at a number known before (--call-back), or have the partner answer a challenge "+
			"(sealane exchange challenge %[1]s)", c.ID)
	}
	return nil
}

func (e Exchange) grant(w *registry.Waiver, a Approval) error {
	me := e.session.Person().ID
	switch {
	case !slices.Contains(a.Grant, w.Rule):
		return fmt.Errorf("a waiver of rule %s is asked for (%q): grant it (--grant %[1]s), or reject the certificate",
			w.Rule, w.Reason)
	case w.Asked == me:
		return fmt.Errorf("%s has asked for the waiver of rule %s: somebody else must grant it", me, w.Rule)
	}
	w.Granted = me
	return nil
}

// Reject ends the exchange of a certificate at any step before it is in use, for the
// session's reason. For a key pair of ours it takes the offer back.
func (e Exchange) Reject(ctx context.Context, id string) error {
	if isKeyPair(id) {
		return e.takeBack(ctx, id)
	}
	return e.changeTheirs(ctx, registry.ActionExchangeReject, id, func(tx registry.Tx, c *registry.Certificate) error {
		c.Provenance.Rejected = e.session.Reason()
		return e.session.MoveCertificate(tx, c, registry.Rejected)
	})
}

// takeBack takes back the offer of a key pair of ours.
func (e Exchange) takeBack(ctx context.Context, id string) error {
	record := registry.Entry{Action: registry.ActionExchangeReject, Subject: "key/" + id}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
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
