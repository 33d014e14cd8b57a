package exchange

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/registry"
)

// Incoming is a partner's file.
type Incoming struct {
	Partner, Environment string
	Data                 []byte            // in any format, or a saved mail (.eml) with it attached
	KeyID                string            // theirs, where the partner names it; kept as it is
	Waive                map[string]string // rules that should not count, with the reason of each
	Reason               string
}

// Receive takes in a partner's certificate: what it is, and what speaks against
// it. What refuses it, and is not waived, is an error that lists all, and nothing
// is kept. A file with a private key is refused, its public key blocked, and the
// alarm recorded; the sender's file is left alone.
func (x Exchange) Receive(ctx context.Context, in Incoming) (registry.Certificate, []registry.Finding, error) {
	a, err := read(in.Data)
	var leak *cert.PrivateKeyError
	if errors.As(err, &leak) {
		return registry.Certificate{}, nil, x.leaked(ctx, in, leak)
	}
	if err != nil {
		return registry.Certificate{}, nil, err
	}
	if len(a.file.Certificates) == 0 {
		return registry.Certificate{}, nil, fmt.Errorf("this is a %s; ask for an X.509 certificate (.pem, .cer, .crt, .p7b)", a.file.Format)
	}
	var c registry.Certificate
	var found []registry.Finding
	err = x.Change(ctx, registry.Entry{Action: "exchange.receive", Partner: in.Partner, Environment: in.Environment, Reason: in.Reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, found, err = x.receive(tx, in, a)
		e.Subject, e.After = "certificate/"+c.ID, c
		return err
	})
	return c, found, err
}

func (x Exchange) receive(tx registry.Tx, in Incoming, a *arrival) (registry.Certificate, []registry.Finding, error) {
	none := registry.Certificate{}
	if _, err := registry.FindEnvironment(tx, in.Partner, in.Environment); err != nil {
		return none, nil, err
	}
	p, err := tx.Partner(in.Partner)
	if err != nil {
		return none, nil, err
	}
	dialect, err := x.LoadProfile(p.Profile)
	if err != nil {
		return none, nil, err
	}
	c := registry.NewCertificate(in.Partner, p.Profile, in.Environment, a.file.Certificates)
	c.State, c.Created, c.Changed = registry.Received, x.Time(), x.Time()
	c.Exchange = registry.Exchange{File: a.data, Format: a.file.Format, From: a.from, ReceivedBy: x.Person().ID}
	if t := a.told; t != nil {
		if t.Profile != p.Profile || t.Environment != in.Environment || t.Side == p.Side {
			return none, nil, fmt.Errorf("the partner file is for profile %s in %s, its sender being the %s; %s speaks %s here, in %s, and we are the %s", t.Profile, t.Environment, t.Side, p.ID, p.Profile, in.Environment, p.Side)
		}
		if in.KeyID == "" {
			in.KeyID = t.KeyID
		}
	}
	if a.file.PublicKey == nil {
		return none, nil, fmt.Errorf("the certificate's key is %s; ask for an RSA key", a.file.Certificates[0].PublicKeyAlgorithm)
	}
	found, err := x.CheckCertificate(tx, &c, a.file.Certificates[0], dialect)
	if err != nil {
		return none, nil, err
	}
	for _, f := range found {
		c.Exchange.Findings = append(c.Exchange.Findings, f.String())
		if reason, asked := in.Waive[f.Rule]; asked && f.Waivable {
			if strings.TrimSpace(reason) == "" {
				return none, nil, fmt.Errorf("rule %s: say why it should not count", f.Rule)
			}
			c.Exchange.Waivers = append(c.Exchange.Waivers, registry.Waiver{Rule: f.Rule, Reason: reason, Asked: x.Person().ID, At: x.Time()})
		}
	}
	if err := registry.Refusal(found, c.Exchange.Waivers); err != nil {
		return none, found, fmt.Errorf("the certificate is refused, and nothing was kept:\n%w", err)
	}
	if in.KeyID != "" {
		if err := x.CheckKeyID(tx, in.KeyID, &c, dialect, true); err != nil {
			return none, found, err
		}
		c.KeyID = in.KeyID
	}
	return c, found, tx.PutCertificate(&c)
}

func (x Exchange) leaked(ctx context.Context, in Incoming, leak *cert.PrivateKeyError) error {
	sum, err := hex.DecodeString(leak.PublicKeySHA256)
	if err != nil || len(sum) != sha256.Size {
		sum = nil
	}
	if err := x.Alarm(ctx, in.Partner, in.Environment, leak, sum); err != nil {
		return errors.Join(leak, fmt.Errorf("the alarm could not be recorded: %w", err))
	}
	if sum == nil {
		return fmt.Errorf("%w\nThe alarm is recorded. Which key it is can't be seen: ask the partner, and block it (sealane key block)", leak)
	}
	return fmt.Errorf("%w\nThe alarm is recorded, and this key can't come in any more", leak)
}

// Confirm compares a received certificate with the checksum of the partner's
// second message, and says what matched.
func (x Exchange) Confirm(ctx context.Context, id, checksum, reason string) (matched string, err error) {
	err = x.Change(ctx, registry.Entry{Action: "exchange.confirm", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		which, ok := cert.Match(checksum, c.Exchange.File, chain[0])
		if !ok {
			return fmt.Errorf("the checksum does not match certificate %s, neither its file, DER nor PEM: do not go on; call the partner at a number that you knew before", id)
		}
		if !strings.Contains(which, "SHA-256") {
			return fmt.Errorf("the checksum matches by %s; ask for SHA-256", which)
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		c.Exchange.MatchedBy, c.Exchange.Checksum, c.Exchange.MatchedAs = x.Person().ID, cut(checksum, 200), which
		matched = which
		if err := x.MoveCertificate(tx, &c, registry.Matched); err != nil {
			return err
		}
		e.After = c
		return nil
	})
	return matched, err
}

// Challenge makes a message that only the owner of the certificate's private key
// can open. What it holds is the answer that Prove takes.
func (x Exchange) Challenge(ctx context.Context, id, reason string) (token []byte, err error) {
	nonce := "sealane-proof-" + rand.Text()
	err = x.Change(ctx, registry.Entry{Action: "exchange.challenge", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if !c.State.Open() {
			return fmt.Errorf("certificate %s is %s; a proof is asked for before it is approved", id, c.State)
		}
		e.Partner, e.Environment = c.Partner, c.Environment
		if token, err = seal(&c, []byte(nonce)); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(nonce))
		c.Exchange.Challenge, c.Exchange.Possession = sum[:], ""
		e.After = c
		return tx.PutCertificate(&c)
	})
	return token, err
}

func seal(c *registry.Certificate, plaintext []byte) ([]byte, error) {
	chain, err := c.Parse()
	if err != nil {
		return nil, err
	}
	head := jose.Header{Alg: jose.RSAOAEP256, Enc: jose.A256GCM}
	if c.KeyID != "" {
		head.Kid = &c.KeyID
	}
	protected, err := jose.ProtectEncrypted(head)
	if err != nil {
		return nil, err
	}
	pub, ok := chain[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("certificate %s has no RSA key", c.ID)
	}
	return jose.Encrypt(nil, plaintext, protected, jose.PublicKey{PublicKey: pub})
}

// Prove takes the partner's answer to the challenge.
func (x Exchange) Prove(ctx context.Context, id, answer, reason string) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.prove", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(strings.TrimSpace(answer)))
		switch {
		case len(c.Exchange.Challenge) == 0:
			return fmt.Errorf("certificate %s: no challenge is out", id)
		case !slices.Equal(sum[:], c.Exchange.Challenge):
			return fmt.Errorf("certificate %s: this is not what the challenge holds; whoever answered did not open it", id)
		}
		e.Partner, e.Environment = c.Partner, c.Environment
		c.Exchange.Challenge = nil
		c.Exchange.Possession = fmt.Sprintf("answered a challenge on %s", x.Time().Format(time.RFC3339))
		e.After = c
		return tx.PutCertificate(&c)
	})
}

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

// Reject ends the exchange of a certificate, for a reason, at any step.
func (x Exchange) Reject(ctx context.Context, id, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return errors.New("say why the certificate is rejected (--reason)")
	}
	return x.Change(ctx, registry.Entry{Action: "exchange.reject", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		c.Exchange.Rejected = reason
		if err := x.MoveCertificate(tx, &c, registry.Rejected); err != nil {
			return err
		}
		e.After = c
		return nil
	})
}

// Activate puts an approved certificate to use. The one before it still verifies.
func (x Exchange) Activate(ctx context.Context, id, reason string) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.activate", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		dialect, err := x.LoadProfile(c.Profile)
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
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		active, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: c.Partner, Environment: c.Environment, States: []registry.State{registry.Active}})
		if err != nil {
			return err
		}
		for _, before := range active {
			if err := x.MoveCertificate(tx, &before, registry.Retiring); err != nil {
				return err
			}
		}
		if err := x.MoveCertificate(tx, &c, registry.Active); err != nil {
			return err
		}
		e.After = c
		return nil
	})
}

// theirs gives a certificate of a partner's.
func theirs(tx registry.Tx, id string) (registry.Certificate, error) {
	c, err := tx.Certificate(id)
	if err != nil {
		return c, fmt.Errorf("certificate %s: %w", id, err)
	}
	if c.Owner != registry.Theirs {
		return c, fmt.Errorf("certificate %s is ours: its exchange is the partner's; say when they have installed it (sealane exchange activate %s)", id, c.KeyPair)
	}
	return c, nil
}

func cut(text string, n int) string {
	if text = strings.TrimSpace(text); len(text) > n {
		return text[:n] + "…"
	}
	return text
}

// Compromised takes a partner's certificate out of use at once, and blocks its key.
func (x Exchange) Compromised(ctx context.Context, id, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return errors.New("say how it became known (--reason)")
	}
	return x.Change(ctx, registry.Entry{Action: "exchange.compromised", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		if err := x.MoveCertificate(tx, &c, registry.Compromised); err != nil {
			return err
		}
		e.After = c
		return tx.PutBlocked(registry.Blocked{SPKISHA256: c.SPKISHA256, Reason: "certificate " + id + " of " + c.Partner + " was compromised: " + reason, By: x.Person().ID, At: x.Time()})
	})
}
