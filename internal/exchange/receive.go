package exchange

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// Incoming is a partner's file.
type Incoming struct {
	Partner, Environment string
	Data                 []byte            // in any format, or a saved mail (.eml) with it attached
	KeyID                string            // theirs, where the partner names it; kept as it is
	Waive                map[string]string // rules that should not count, with the reason of each
}

// Receive takes in a partner's certificate: what it is, and what speaks against
// it. What refuses it, and is not waived, is an error that lists all, and nothing
// is kept. A file with a private key is refused, its public key blocked, and the
// alarm recorded; where nobody can see which key it is, all that came with it are
// blocked. The sender's file is left alone.
func (e Exchange) Receive(ctx context.Context, in Incoming) (registry.Certificate, []registry.Finding, error) {
	f, err := read(in.Data)
	var found *leaks
	if errors.As(err, &found) {
		for _, leak := range found.keys {
			err = errors.Join(err, e.leaked(ctx, in, leak, found.siblings))
		}
		return registry.Certificate{}, nil, err
	}
	if err != nil {
		return registry.Certificate{}, nil, err
	}
	if len(f.file.Certificates) == 0 {
		return registry.Certificate{}, nil, fmt.Errorf("this is a %s; ask for an X.509 certificate (.pem, .cer, .crt, .p7b)", f.file.Format)
	}
	if f.file.PublicKey == nil {
		return registry.Certificate{}, nil, fmt.Errorf("the certificate's key is %s; ask for an RSA key", f.file.Certificates[0].PublicKeyAlgorithm)
	}
	if err := e.checkFactors(ctx, in, f.file.PublicKey); err != nil {
		return registry.Certificate{}, nil, err
	}
	var c registry.Certificate
	var findings []registry.Finding
	err = e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeReceive, Partner: in.Partner, Environment: in.Environment}, func(tx registry.Tx, entry *registry.Entry) error {
		var err error
		c, findings, err = e.receive(tx, in, f)
		entry.Subject, entry.After = "certificate/"+c.ID, c
		return err
	})
	return c, findings, err
}

// checkFactors asks only for what was not found out beforehand. A key that shares a
// prime is blocked, so that it is no better when the other is gone; the other is not:
// whoever wants it blocked could make such a modulus of it.
func (e Exchange) checkFactors(ctx context.Context, in Incoming, key *rsa.PublicKey) error {
	sum, err := registry.SPKISum(key)
	if err != nil {
		return err
	}
	others, screened := e.screened[[sha256.Size]byte(sum)]
	if !screened {
		found, err := e.session.Registry.SharedPrimes(ctx, []*rsa.PublicKey{key})
		if err != nil {
			return err
		}
		others = found[0]
	}
	if len(others) == 0 {
		return nil
	}
	found := registry.SharedPrime(others)
	return errors.Join(found, e.session.RecordWeakKey(ctx, in.Partner, in.Environment, sum, found))
}

func (e Exchange) receive(tx registry.Tx, in Incoming, f *incomingFile) (registry.Certificate, []registry.Finding, error) {
	none := registry.Certificate{}
	if _, err := registry.FindEnvironment(tx, in.Partner, in.Environment); err != nil {
		return none, nil, err
	}
	p, err := tx.Partner(in.Partner)
	if err != nil {
		return none, nil, err
	}
	dialect, err := registry.LoadProfile(tx, p.Profile)
	if err != nil {
		return none, nil, err
	}
	c := registry.NewCertificate(in.Partner, p.Profile, in.Environment, f.file.Certificates)
	c.State, c.Created, c.Changed = registry.Received, e.session.Registry.Time(), e.session.Registry.Time()
	c.Provenance = registry.Provenance{File: f.data, Format: string(f.file.Format), From: f.from, ReceivedBy: e.session.Person().ID}
	if in.KeyID, err = namedKeyID(f.partnerFile, in, p); err != nil {
		return none, nil, err
	}
	found, err := e.session.Registry.CheckCertificate(tx, &c, f.file.Certificates[0], dialect)
	if err != nil {
		return none, nil, err
	}
	found = append(found, remarks(f)...)
	if err := e.weigh(&c, found, in.Waive); err != nil {
		return none, found, err
	}
	if in.KeyID != "" {
		if err := e.session.Registry.CheckKeyID(tx, in.KeyID, &c, dialect, true); err != nil {
			return none, found, err
		}
		c.KeyID = in.KeyID
	}
	return c, found, tx.PutCertificate(&c)
}

// toldBy gives the key ID, which a partner file may name. It must be meant for us.
func namedKeyID(t *PartnerFile, in Incoming, p registry.Partner) (keyID string, err error) {
	if t == nil {
		return in.KeyID, nil
	}
	if t.Profile != p.Profile || t.Environment != in.Environment || t.Side == p.Side {
		return "", fmt.Errorf("the partner file is for profile %s in %s, its sender being the %s; %s speaks %s here, in %s, and we are the %s", t.Profile, t.Environment, t.Side, p.ID, p.Profile, in.Environment, p.Side)
	}
	return cmp.Or(in.KeyID, t.KeyID), nil
}

// remarks are what is worth knowing of how a certificate came.
func remarks(f *incomingFile) (found []registry.Finding) {
	for _, text := range f.skipped {
		found = append(found, registry.Finding{Rule: "attachment", Level: string(cert.Warning), Found: "nothing was made of " + cut(text, 300),
			Do: "look what it is; a private key in it is compromised"})
	}
	if t := f.partnerFile; t != nil {
		text := fmt.Sprintf("the file says that it is from %q, of %s", cut(t.Name, 100), t.Created.Format(time.DateOnly))
		for _, c := range t.Contacts {
			text += fmt.Sprintf("; its %s contact is %q", c.Role, cut(c.Email, 100))
		}
		found = append(found, registry.Finding{Rule: "partner-file", Level: string(cert.Warning), Found: text, Do: "compare it with what you know of the partner"})
	}
	return found
}

// weigh keeps the findings with the certificate, and the waivers that are asked for.
// What refuses and is not waived is the error.
func (e Exchange) weigh(c *registry.Certificate, found []registry.Finding, waive map[string]string) error {
	for _, f := range found {
		c.Provenance.Findings = append(c.Provenance.Findings, f.String())
		if reason, asked := waive[f.Rule]; asked && f.Waivable {
			if strings.TrimSpace(reason) == "" {
				return fmt.Errorf("rule %s: say why it should not count", f.Rule)
			}
			c.Provenance.Waivers = append(c.Provenance.Waivers, registry.Waiver{Rule: f.Rule, Reason: reason, Asked: e.session.Person().ID, At: e.session.Registry.Time()})
		}
	}
	for rule := range waive {
		if !slices.ContainsFunc(found, func(f registry.Finding) bool { return f.Rule == rule && f.Waivable }) {
			return fmt.Errorf("rule %q refuses nothing here that could be waived; it says: %s", rule, listed(found))
		}
	}
	if err := registry.Refusal(found, c.Provenance.Waivers); err != nil {
		return fmt.Errorf("the certificate is refused, and nothing was kept:\n%w", err)
	}
	for i := range found {
		if _, asked := waive[found[i].Rule]; asked {
			found[i].Level = "waived" // if somebody else grants it
		}
	}
	return nil
}

func listed(found []registry.Finding) string {
	if len(found) == 0 {
		return "nothing"
	}
	texts := make([]string, len(found))
	for i, f := range found {
		texts[i] = f.String()
	}
	return strings.Join(texts, "; ")
}
