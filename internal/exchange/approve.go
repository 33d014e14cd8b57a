package exchange

import (
	"context"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// Approval is the evidence on which a second person approves a certificate.
type Approval struct {
	Change   string   `json:"change,omitempty"` // the reference of the change request
	CallBack CallBack `json:"call_back,omitzero"`
	Grant    []string `json:"grant,omitempty"` // rules whose waivers are granted
	// Seen are the versions of the certificates, by their identities, as they were shown to the
	// approver. One that was changed since is not approved.
	Seen map[string]int64 `json:"seen,omitempty"`
}

// CallBack is a call to the partner, at a number that was known before.
type CallBack struct {
	Person string `json:"person"` // who was called
	Number string `json:"number"` // the telephone number
	// Digits are the first hexadecimal digits of the checksum that were read to us, eight or more
	// for each certificate.
	Digits []string `json:"digits"`
}

// IsZero reports whether nobody was called.
func (c CallBack) IsZero() bool { return c.Person == "" && c.Number == "" && len(c.Digits) == 0 }

// minReadBack is how many digits of a checksum are compared at least.
const minReadBack = 8

// covers returns an error where a call-back does not confirm a certificate, and the digits that do.
func (c CallBack) covers(of registry.Certificate) (digits string, err error) {
	letters := strings.IndexFunc(c.Person, unicode.IsLetter) >= 0 && len(strings.TrimSpace(c.Person)) >= 3
	numbers := 0
	for _, r := range c.Number {
		if unicode.IsDigit(r) {
			numbers++
		}
	}
	switch {
	case !letters:
		return "", registry.Refuse("certificate %s: say who was called", of.ID).Needing(registry.CallBack)
	case numbers < 5:
		return "", registry.Refuse("certificate %s: say which number was called", of.ID).Needing(registry.CallBack)
	case len(c.Digits) == 0:
		return "", registry.Refuse("certificate %s: say which digits of the checksum %s read to you", of.ID, c.Person).
			Needing(registry.CallBack)
	}
	sums := []string{hex.EncodeToString(of.SHA256), hex.EncodeToString(of.Provenance.FileSHA256)}
	for _, said := range c.Digits {
		digits = strings.Map(hexDigit, said)
		if len(digits) < minReadBack {
			return "", registry.Refuse("certificate %s: %q has %d hexadecimal digits; let them read %d or more",
				of.ID, cut(said, 40), len(digits), minReadBack)
		}
		for _, sum := range sums {
			if strings.HasPrefix(sum, digits) {
				return digits, nil
			}
		}
	}
	return "", registry.Refuse(
		"certificate %s: %w: its SHA-256 begins with %.8s; stop, and find out which certificate "+
			"they have", of.ID, errReadBack, sums[0])
}

// errReadBack means that the digits of a call-back are those of something else.
var errReadBack = errors.New("the digits that were read back are not those of this certificate")

// hexDigit returns the digit in small letters, or -1 for what stands between digits.
func hexDigit(r rune) rune {
	switch {
	case r >= '0' && r <= '9', r >= 'a' && r <= 'f':
		return r
	case r >= 'A' && r <= 'F':
		return r - 'A' + 'a'
	}
	return -1
}

// text returns the call-back as the certificate keeps it.
func (c CallBack) text(digits string) string {
	return fmt.Sprintf("%s, %s, read %s", cut(c.Person, 100), cut(c.Number, 40), digits)
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
		if !a.CallBack.IsZero() && partner != "" && c.Partner != partner {
			return nil, 0, registry.Refuse(
				"certificate %s is of %s, and not of %s: one call-back is with one partner; "+
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
		p.ApprovedBy, p.Change = e.session.Person().ID, a.Change
		return e.session.MoveCertificate(tx, c, registry.Approved)
	}
	return e.changeTheirs(ctx, registry.ActionExchangeApprove, id, step)
}

// granted returns a certificate that may be approved, with its waivers granted.
func (e Exchange) granted(tx registry.Reader, c registry.Certificate, a Approval) (registry.Certificate, error) {
	if seen, shown := a.Seen[c.ID]; shown && seen != c.Version {
		return c, fmt.Errorf("certificate %s: %w", c.ID, registry.ErrConflict)
	}
	if c.State != registry.Matched {
		return c, notYet(tx, c)
	}
	if err := c.NotBlocked(tx); err != nil {
		return c, fmt.Errorf("certificate %s: %w", c.ID, err)
	}
	env, err := tx.Environment(c.Partner, c.Environment)
	if err != nil {
		return c, err
	}
	if !a.CallBack.IsZero() {
		digits, err := a.CallBack.covers(c)
		if err != nil {
			return c, err
		}
		c.Provenance.CallBack = a.CallBack.text(digits)
	}
	me := e.session.Person().ID
	if env.ApprovalsNeeded() > 1 && (me == c.Provenance.ReceivedBy || me == c.Provenance.MatchedBy) {
		return c, registry.Refuse("%s has received or matched certificate %s: somebody else must approve it", me, c.ID)
	}
	if registry.Production(c.Environment) {
		if err := mayApproveProduction(c, a); err != nil {
			return c, err
		}
	}
	c.Provenance.Waivers = slices.Clone(c.Provenance.Waivers)
	for i := range c.Provenance.Waivers {
		if err := e.grant(&c.Provenance.Waivers[i], env, a); err != nil {
			return c, err
		}
	}
	return c, nil
}

// mayApproveProduction returns an error where the evidence is not enough for production.
func mayApproveProduction(c registry.Certificate, a Approval) error {
	switch {
	case strings.TrimSpace(a.Change) == "":
		return registry.Refuse("certificate %s is for production: its approval needs the reference of the change",
			c.ID).
			Needing(registry.Change)
	case a.CallBack.IsZero() && c.Provenance.Possession == "":
		return registry.Refuse(
			"certificate %s is for production: two mails from one mailbox prove only that mailbox; "+
				"call back at a number that you knew before, or have the partner answer a challenge", c.ID).
			Needing(registry.CallBack)
	}
	return nil
}

// grant grants a waiver. That needs another person than the one who asked, unless the environment
// says that one is enough.
func (e Exchange) grant(w *registry.Waiver, env registry.Environment, a Approval) error {
	me := e.session.Person().ID
	switch {
	case !slices.Contains(a.Grant, w.Rule):
		return registry.Refuse("a waiver of rule %s is asked for (%q): grant it, or reject the certificate", w.Rule,
			w.Reason).
			Needing(registry.Need{Kind: registry.NeedGrant, Value: w.Rule})
	case w.Asked == me && env.Approvals != 1:
		return registry.Refuse("%s has asked for the waiver of rule %s: somebody else must grant it", me, w.Rule)
	}
	w.Granted = me
	return nil
}

// Reject ends the exchange of a certificate at any step before it is in use, for the
// session's reason. For a key pair of ours it withdraws the offer.
func (e Exchange) Reject(ctx context.Context, id string) error {
	if IsKeyPair(id) {
		return e.Withdraw(ctx, Target{KeyPair: id})
	}
	return e.changeTheirs(ctx, registry.ActionExchangeReject, id, func(tx registry.Tx, c *registry.Certificate) error {
		c.Provenance.Rejected = e.session.Reason()
		return e.session.MoveCertificate(tx, c, registry.Rejected)
	})
}
