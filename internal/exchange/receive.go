package exchange

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Incoming is a partner's file.
type Incoming struct {
	Partner     string            `json:"partner"`
	Environment string            `json:"environment"`
	Data        []byte            `json:"data"`             // in any format, or a saved mail (.eml) with it attached
	Name        string            `json:"name,omitempty"`   // of the file
	KeyID       string            `json:"key_id,omitempty"` // the partner's name for the key; kept as it is
	Waive       map[string]string `json:"waive,omitempty"`  // rules that should not count, with the reason of each

	imported bool // from a table
}

// Receive takes in a partner's certificate, and returns the findings about it. Findings that
// refuse it and are not waived are the error, and nothing is stored.
//
// A file with a private key is refused, its public key is blocked for what comes in, and the alarm
// recorded. If the private key does not show whose it is, all public keys that came with it are
// blocked, except those that are in use. Nothing in use ends: see [Exchange.Dismiss].
func (e Exchange) Receive(ctx context.Context, in Incoming) (registry.Certificate, []cert.Finding, error) {
	f, err := e.readIncoming(ctx, in)
	if err != nil {
		return registry.Certificate{}, nil, err
	}
	if in.KeyID, err = pasted.Word(in.KeyID); err != nil {
		return registry.Certificate{}, nil, registry.Refuse("key ID: %w", err)
	}
	var c registry.Certificate
	var findings []cert.Finding
	record := registry.Entry{Action: registry.ActionExchangeReceive, Partner: in.Partner, Environment: in.Environment}
	err = e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) (err error) {
		c, findings, err = e.receive(tx, in, f)
		entry.Subject, entry.After = "certificate/"+c.ID, c
		return err
	})
	return c, findings, err
}

// readIncoming parses the file, and refuses keys that can't be secret.
func (e Exchange) readIncoming(ctx context.Context, in Incoming) (*incomingFile, error) {
	f, err := read(in.Data)
	var found *leaks
	if errors.As(err, &found) {
		for _, leak := range found.keys {
			if alarm := e.recordLeak(ctx, in, leak, found.siblings); errors.Is(alarm, registry.ErrStore) {
				return nil, errors.Join(err, alarm) // the alarm is not recorded
			} else {
				err = errors.Join(err, alarm)
			}
		}
	}
	if err != nil {
		return nil, registry.Judged(err)
	}
	if len(f.file.Certificates) == 0 {
		return nil, registry.Refuse("this is a %s; ask for an X.509 certificate (.pem, .cer, .crt, .p7b)",
			f.file.Format)
	}
	if f.file.PublicKey == nil {
		return nil, registry.Refuse("the certificate's key is %s; ask for an RSA key",
			f.file.Certificates[0].PublicKeyAlgorithm)
	}
	f.compared, err = e.checkSharedPrime(ctx, in, f.file.PublicKey)
	return f, err
}

// checkSharedPrime refuses a key that shares a prime with others, and blocks it, so that it
// stays out when the other is gone. The other is not blocked: anyone could have a key blocked
// by sending a multiple of its modulus. It returns how many records the audit log had then.
func (e Exchange) checkSharedPrime(ctx context.Context, in Incoming, key *rsa.PublicKey) (int64, error) {
	sum, err := registry.SPKISum(key)
	if err != nil {
		return 0, err
	}
	compared := e.compared
	others, screened := e.screened[[sha256.Size]byte(sum)]
	if !screened {
		found, err := e.session.ComparePrimes(ctx, []*rsa.PublicKey{key}, 0)
		if err != nil {
			return 0, err
		}
		others, compared = found.Shared[0], found.Compared
	}
	if !others.Any() {
		return compared, nil
	}
	found := registry.SharedPrime(others)
	weak := registry.WeakKey{Partner: in.Partner, Environment: in.Environment, SPKISHA256: sum, Found: found}
	refusal := registry.Refusal([]cert.Finding{found}, nil)
	kept, err := e.session.RecordWeakKey(ctx, weak)
	if err == nil && len(kept.InUse) > 0 {
		err = inUseStill(kept, true)
	}
	return 0, errors.Join(refusal, err)
}

func (e Exchange) receive(
	tx registry.Tx, in Incoming, f *incomingFile,
) (c registry.Certificate, found []cert.Finding, err error) {
	none := registry.Certificate{}
	lane := lanes.Name{Partner: in.Partner, Environment: in.Environment}
	env, err := registry.FindEnvironment(tx, lane)
	if err != nil {
		return none, nil, err
	}
	p, err := tx.Partner(in.Partner)
	if err != nil {
		return none, nil, err
	}
	prof, err := registry.LoadProfile(tx, p.Profile)
	if err != nil {
		return none, nil, err
	}
	now := e.session.Time()
	c = registry.NewCertificate(registry.Certificate{
		Owner: registry.Theirs, Partner: in.Partner, Profile: p.Profile, Environment: in.Environment,
		State: registry.Received, Created: now, Changed: now,
		Provenance: registry.Provenance{
			Compared: f.compared,
			File:     f.data, Name: cut(cmp.Or(f.name, path.Base(in.Name)), 100), Format: string(f.file.Format),
			From: f.from, With: f.with, Said: f.said, Imported: in.imported, ReceivedBy: e.session.Person().ID,
		},
	}, f.file.Certificates)
	if c.KeyID, err = namedKeyID(f.partnerFile, in, p, prof); err != nil {
		return none, nil, err
	}
	if found, err = e.session.CheckCertificate(tx, &c, f.file.Certificates[0], prof); err != nil {
		return none, nil, err
	}
	found = append(found, remarks(f, prof)...)
	found = append(found, sender(f.from, env)...)
	if err := e.weigh(&c, found, in.Waive); err != nil {
		return none, found, err
	}
	if c.KeyID != "" {
		if err := e.session.CheckKeyID(tx, c.KeyID, &c, prof, true); err != nil {
			return none, found, err
		}
	}
	return c, found, tx.PutCertificate(&c)
}

// namedKeyID returns the key ID that the partner has named: to us, or in a partner file, which
// must be for us. Where key IDs are assigned by us, the file's does not count: it might be that of
// another.
func namedKeyID(f *PartnerFile, in Incoming, p registry.Partner, prof *profile.Profile) (string, error) {
	if f == nil {
		return in.KeyID, nil
	}
	if f.Profile != p.Profile || f.Environment != in.Environment || f.Side == p.Side {
		return "", registry.Refuse("the partner file is for profile %s in %s, its sender being the %s; "+
			"%s speaks %s here, in %s, and we are the %s",
			f.Profile, f.Environment, f.Side, p.ID, p.Profile, in.Environment, p.Side)
	}
	if weAssign(prof) {
		return in.KeyID, nil
	}
	return cmp.Or(in.KeyID, f.KeyID), nil
}

// sender returns a finding where a mail is from none of the partner's contacts.
func sender(from string, env registry.Environment) []cert.Finding {
	known := func(c registry.Contact) bool { return strings.EqualFold(c.Email, from) }
	if from == "" || len(env.Contacts) == 0 || slices.ContainsFunc(env.Contacts, known) {
		return nil
	}
	return []cert.Finding{{
		Code: "sender", Name: "sender", Level: cert.Warning,
		Found:  fmt.Sprintf("the mail is from %q, and none of the contacts has that address", cut(from, 100)),
		Remedy: "ask a contact whether they know of it",
	}}
}

// weAssign reports whether a profile has the one who receives a certificate assign its key ID.
func weAssign(prof *profile.Profile) bool { return prof.Certificate.KeyIDFormat == cert.KeyIDSixPart }

// remarks returns findings about how a certificate came. They refuse nothing.
func remarks(f *incomingFile, prof *profile.Profile) (found []cert.Finding) {
	for _, text := range f.skipped {
		found = append(found, cert.Finding{
			Code: "attachment", Name: "other attachment", Level: cert.Warning, Found: "not used: " + cut(text, 300),
			Remedy: "look at it; a private key in it is compromised",
		})
	}
	if n := len(f.file.Unused); n > 0 {
		found = append(found, cert.Finding{
			Code: "chain", Name: "chain", Level: cert.Warning,
			Found: fmt.Sprintf("%d CA certificates are left out, because its chain does not need them; one is %q",
				n, cut(cert.Name(f.file.Unused[0].RawSubject), 100)),
			Remedy: "nothing: trust comes from the checksum, not from the chain",
		})
	}
	if f.partnerFile == nil {
		return found
	}
	text := fmt.Sprintf("it says that it is from %q, of %s",
		cut(f.partnerFile.Name, 100), f.partnerFile.Created.Format(time.DateOnly))
	if f.partnerFile.Unsigned != "" {
		text += fmt.Sprintf("; it is not signed (%s), so anyone may have changed it", cut(f.partnerFile.Unsigned, 100))
	} else {
		text += "; it is signed by the key of its certificate"
	}
	if f.partnerFile.KeyID != "" {
		text += fmt.Sprintf("; it names the key ID %q", cut(f.partnerFile.KeyID, 100))
		if weAssign(prof) {
			text += ", which is not taken over: assign one"
		}
	}
	for _, c := range f.partnerFile.Contacts {
		text += fmt.Sprintf("; its %s contact is %q", c.Role, cut(c.Email, 100))
	}
	return append(found, cert.Finding{
		Code: "partner-file", Name: "partner file", Level: cert.Warning, Found: text,
		Remedy: "compare it with what you know of the partner",
	})
}

// weigh stores the findings in the certificate, and the waivers that are asked for. Findings
// that refuse it and are not waived are the error.
func (e Exchange) weigh(c *registry.Certificate, found []cert.Finding, waive map[string]string) error {
	p := &c.Provenance
	for _, f := range found {
		p.Findings = append(p.Findings, f)
		if reason, asked := waive[f.Code]; asked && f.Waivable {
			if err := registry.CheckReason(reason); err != nil {
				return registry.Refuse("rule %s: say why it should not count: %w", f.Code, err)
			}
			p.Waivers = append(p.Waivers, registry.Waiver{
				Rule: f.Code, Reason: reason, Asked: e.session.Person().ID, At: e.session.Time(),
			})
		}
	}
	for rule := range waive {
		if !slices.ContainsFunc(found, func(f cert.Finding) bool { return f.Code == rule && f.Waivable }) {
			return registry.Refuse("rule %q refuses nothing here that could be waived; it says: %s", rule,
				listed(found))
		}
	}
	if err := registry.Refusal(found, p.Waivers); err != nil {
		return fmt.Errorf("the certificate is refused, and nothing was stored:\n%w", err)
	}
	for i := range found {
		if _, asked := waive[found[i].Code]; asked {
			found[i].Level = cert.Waived
		}
	}
	return nil
}

func listed(found []cert.Finding) string {
	if len(found) == 0 {
		return "nothing"
	}
	texts := make([]string, len(found))
	for i, f := range found {
		texts[i] = f.String()
	}
	return strings.Join(texts, "; ")
}
