package registry

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/profile"
)

// keyUse is where a key is used, or is to be used.
type keyUse struct {
	owner                       Owner
	profile, partner, env, self string // self: the identity of the row itself
}

// CheckCertificate checks a certificate that comes in against the profile's policy, and against
// the keys that the registry knows.
func (r *Registry) CheckCertificate(
	tx Reader, c *Certificate, leaf *x509.Certificate, prof *profile.Profile,
) ([]cert.Finding, error) {
	var found []cert.Finding
	for _, rule := range cert.Check(leaf, prof.Certificate, r.now()) {
		if rule.Level == cert.OK {
			continue
		}
		rule.Waivable = rule.Level == cert.Refused && !unwaivable[rule.Code]
		found = append(found, rule)
	}
	more, err := r.checkKnown(tx, c.SPKI, c.use())
	if err != nil {
		return nil, err
	}
	found = append(found, more...)
	if more, err = blocked(tx, c.SHA256, "certificate"); err != nil {
		return nil, err
	}
	found = append(found, more...)
	if file := c.Provenance.FileSHA256; len(file) > 0 && !bytes.Equal(file, c.SHA256) {
		if more, err = blocked(tx, file, "file"); err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// blocked returns a finding if a checksum is blocked. what is what it is a checksum of.
func blocked(tx Reader, sum []byte, what string) ([]cert.Finding, error) {
	b, err := tx.Blocked(sum)
	if errors.Is(err, ErrNotFound) || err == nil && !b.Lifted.IsZero() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []cert.Finding{{
		Code: RuleKeyBlocked, Name: "blocked key", Level: cert.Refused,
		Found: fmt.Sprintf("this %s was blocked on %s: %s (SHA-256 %x)",
			what, b.At.Format(time.DateOnly), b.Reason, sum),
		Remedy: "make a new key pair, for this integration only",
	}}, nil
}

// checkKnown returns findings if a public key is blocked, or is used elsewhere.
func (r *Registry) checkKnown(tx Reader, spki []byte, at keyUse) ([]cert.Finding, error) {
	sum := sha256.Sum256(spki)
	found, err := blocked(tx, sum[:], "public key")
	if err != nil {
		return nil, err
	}
	where, here, early, err := knownElsewhere(tx, sum[:], at)
	if err != nil {
		return nil, err
	}
	if len(where) > 0 {
		f := cert.Finding{
			Code: RuleKeyKnown, Name: "reused key", Level: cert.Refused, Waivable: true,
			Found:  "the same public key is known: " + strings.Join(where, "; "),
			Remedy: "make a new key pair: one for each partner, environment and renewal, used for nothing else",
		}
		switch {
		case len(where) > 1:
		case early.ID != "":
			f.Remedy = "if " + early.ID + " was received there by mistake, reject it, and receive this again; " +
				"otherwise " + f.Remedy
		case here.ID != "":
			if f.Remedy, err = here.goOn(tx); err != nil {
				return nil, err
			}
		}
		found = append(found, f)
	}
	return found, nil
}

// goOn says what to do with a certificate that comes in again where it is already.
func (c Certificate) goOn(tx Reader) (string, error) {
	switch {
	case c.State.Open():
		return "it is here already: go on with " + c.ID + ", or reject that first", nil
	case c.State.InUse():
		n, err := tx.OpenRenewal(c.leg())
		switch {
		case errors.Is(err, ErrNotFound):
			return "it is in use already: nothing is left to do", nil
		case n.Replaces == c.ID:
			return "it is in use, and renewal " + n.ID + " replaces it: ask for a certificate with a new key", err
		}
		return "it is in use already, in renewal " + n.ID + ": nothing is to be received", err
	}
	return "undo the end of " + c.ID + " if it was a mistake; otherwise ask for a new key pair", nil
}

// knownElsewhere lists the certificates and key pairs with a public key. A certificate that was
// rejected does not count where it comes again for the same use, and nowhere if nobody had
// approved it: it was received under a wrong partner or environment. here is one of them that is for
// the same use, and early one for another use that nobody has approved, if there is one.
func knownElsewhere(tx Reader, spkiSHA256 []byte, at keyUse) (where []string, here, early Certificate, err error) {
	certificates, err := tx.Certificates(CertificateQuery{SPKISHA256: spkiSHA256})
	if err != nil {
		return nil, here, early, err
	}
	for _, c := range certificates {
		same := c.Owner == at.owner && c.Partner == at.partner && c.Environment == at.env && c.Profile == at.profile
		slip := (c.State == Rejected || c.State == Compromised && same) && at.owner == Theirs &&
			(same || c.Provenance.ApprovedBy == "")
		if c.ID == at.self || slip || c.Owner == Ours && c.KeyPair == at.self {
			continue
		}
		switch {
		case at.owner != Theirs:
		case same:
			here = c
		case c.Owner == Theirs && (c.State == Received || c.State == Matched):
			early = c
		}
		where = append(where, fmt.Sprintf("certificate %s (%s) of %s", c.ID, c.State, c.use()))
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{SPKISHA256: spkiSHA256})
	if err != nil {
		return nil, here, early, err
	}
	for _, k := range pairs {
		if k.ID != at.self {
			where = append(where, fmt.Sprintf("key pair %s (%s) of %s", k.ID, k.State, k.use()))
		}
	}
	return where, here, early, nil
}

// use returns where the certificate's key is used.
func (c Certificate) use() keyUse {
	return keyUse{owner: c.Owner, profile: c.Profile, partner: c.Partner, env: c.Environment, self: c.ID}
}

// use returns where the key is used.
func (k KeyPair) use() keyUse {
	return keyUse{owner: Ours, profile: k.Profile, partner: k.Partner, env: k.Environment, self: k.ID}
}

// String returns whose key it is, and in which environment.
func (u keyUse) String() string {
	whose := u.partner
	if u.owner == Ours {
		whose = "ours for " + cmp.Or(u.partner, "all of "+u.profile)
	}
	return whose + " in " + u.env
}
