package exchange

import (
	"context"
	"crypto/rsa"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// Approval is the evidence on which a second person approves a certificate.
type Approval struct {
	Change   string   `json:"change,omitempty"`    // the reference of the change request
	CallBack string   `json:"call_back,omitempty"` // who was called back, at which known number, and the result
	Grant    []string `json:"grant,omitempty"`     // rules whose waivers are granted
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
		return registry.Refuse("a waiver is granted for one certificate: approve the %d one by one", len(ids))
	}
	if err := e.session.May(registry.ActionExchangeApprove); err != nil {
		return err
	}
	var keys []*rsa.PublicKey
	var since int64
	err := e.session.View(ctx, func(tx registry.Reader) (err error) {
		keys, since, err = e.keysToApprove(tx, ids, a)
		return err
	})
	if err != nil {
		return err
	}
	// Again: they may have come in at the same time.
	comparison, err := e.session.ComparePrimes(ctx, keys, since)
	if err != nil {
		return err
	}
	for i, others := range comparison.Shared {
		if others.Any() {
			refusal := registry.Refusal([]cert.Finding{registry.SharedPrime(others)}, nil)
			return fmt.Errorf("certificate %s: %w", ids[i], refusal)
		}
	}
	return nil
}

// keysToApprove returns the keys of certificates that may be approved together, and since when
// others may have come in that one of them was not compared with, see registry.ComparePrimes.
func (e Exchange) keysToApprove(
	tx registry.Reader, ids []string, a Approval,
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
			return nil, 0, registry.Refuse("certificate %s is of %s, and not of %s: one call-back is with one partner; "+
				"approve them separately",
				id, c.Partner, partner)
		}
		partner = c.Partner
		chain, err := c.Parse()
		if err != nil {
			return nil, 0, err
		}
		key, ok := chain[0].PublicKey.(*rsa.PublicKey)
		if !ok {
			return nil, 0, registry.Refuse("certificate %s has no RSA key", id)
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
func (e Exchange) granted(tx registry.Reader, c registry.Certificate, a Approval) (registry.Certificate, error) {
	if c.State != registry.Matched {
		return c, notYet(tx, c)
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
		return registry.Refuse("certificate %s is for production, and %s has received or matched it: somebody else must "+
			"approve",
			c.ID, me)
	case strings.TrimSpace(a.Change) == "":
		return registry.Refuse("certificate %s is for production: its approval needs the reference of the change", c.ID).
			Needing(registry.Change)
	case strings.TrimSpace(a.CallBack) == "" && c.Provenance.Possession == "":
		return registry.Refuse("certificate %s is for production: two mails from one mailbox prove only that mailbox; "+
			"call back at a number that you knew before, or have the partner answer a challenge", c.ID).
			Needing(registry.CallBack)
	}
	return nil
}

func (e Exchange) grant(w *registry.Waiver, a Approval) error {
	me := e.session.Person().ID
	switch {
	case !slices.Contains(a.Grant, w.Rule):
		return registry.Refuse("a waiver of rule %s is asked for (%q): grant it, or reject the certificate", w.Rule, w.Reason).
			Needing(registry.Need{Kind: registry.NeedGrant, Value: w.Rule})
	case w.Asked == me:
		return registry.Refuse("%s has asked for the waiver of rule %s: somebody else must grant it", me, w.Rule)
	}
	w.Granted = me
	return nil
}

// Reject ends the exchange of a certificate at any step before it is in use, for the
// session's reason. For a key pair of ours it withdraws the offer.
func (e Exchange) Reject(ctx context.Context, id string) error {
	if IsKeyPair(id) {
		return e.withdraw(ctx, id)
	}
	return e.changeTheirs(ctx, registry.ActionExchangeReject, id, func(tx registry.Tx, c *registry.Certificate) error {
		c.Provenance.Rejected = e.session.Reason()
		return e.session.MoveCertificate(tx, c, registry.Rejected)
	})
}

// withdraw withdraws the offer of a key pair of ours.
func (e Exchange) withdraw(ctx context.Context, id string) error {
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
