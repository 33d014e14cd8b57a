package registry

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/profile"
)

// place is where a key is to be used.
type keyUse struct {
	owner                       Owner
	profile, partner, env, self string // self: the identity of the row itself
}

// CheckCertificate holds a certificate that is to come in against the profile's
// demand and against all that the registry knows.
func (r *Registry) CheckCertificate(tx Tx, c *Certificate, leaf *x509.Certificate, dialect *profile.Profile) ([]Finding, error) {
	var found []Finding
	for _, rule := range cert.Check(leaf, dialect.Certificate, r.now()) {
		if rule.Level == cert.OK {
			continue
		}
		found = append(found, Finding{
			Rule: rule.Code, Level: string(rule.Level), Found: fmt.Sprintf("%s: %s; wanted: %s", rule.Name, rule.Found, rule.Wanted),
			Do: rule.Remedy, Waivable: rule.Level == cert.Refused && !unwaivable[rule.Code],
		})
	}
	more, err := r.checkKnown(tx, c.SPKI, keyUse{c.Owner, c.Profile, c.Partner, c.Environment, c.ID})
	if err != nil {
		return nil, err
	}
	file := sha256.Sum256(c.Provenance.File)
	for _, sum := range [][]byte{c.SHA256, file[:]} {
		b, err := blocked(tx, sum, "certificate")
		if err != nil {
			return nil, err
		}
		more = append(more, b...)
	}
	return append(found, more...), nil
}

// blocked finds what is on the list of blocked checksums.
func blocked(tx Tx, sum []byte, what string) ([]Finding, error) {
	b, err := tx.Blocked(sum)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return []Finding{{Rule: RuleKeyBlocked, Level: string(cert.Refused),
		Found: fmt.Sprintf("this %s was blocked on %s: %s", what, b.At.Format("2006-01-02"), b.Reason), Do: "make a new key pair, for this integration only"}}, err
}

// checkKnown finds where a public key is known already, and whether it is blocked.
func (r *Registry) checkKnown(tx Tx, spki []byte, at keyUse) ([]Finding, error) {
	sum := sha256.Sum256(spki)
	found, err := blocked(tx, sum[:], "public key")
	if err != nil {
		return nil, err
	}
	where, err := knownElsewhere(tx, sum[:], at)
	if err != nil {
		return nil, err
	}
	if len(where) > 0 {
		found = append(found, Finding{Rule: RuleKeyKnown, Level: string(cert.Refused), Waivable: true,
			Found: "the same public key is known: " + strings.Join(where, "; "),
			Do:    "make a new key pair: one for each partner, environment and renewal, used for nothing else"})
	}
	return found, nil
}

// knownElsewhere lists the certificates and key pairs with that public key. What
// was rejected at the same place does not count: it may come again.
func knownElsewhere(tx Tx, spkiSHA256 []byte, at keyUse) ([]string, error) {
	var where []string
	certificates, err := tx.Certificates(CertificateQuery{SPKISHA256: spkiSHA256})
	if err != nil {
		return nil, err
	}
	for _, c := range certificates {
		same := c.Owner == at.owner && c.Partner == at.partner && c.Environment == at.env && c.Profile == at.profile
		if c.ID == at.self || same && c.State == Rejected || c.Owner == Ours && c.KeyPair == at.self {
			continue
		}
		where = append(where, fmt.Sprintf("certificate %s (%s) of %s in %s", c.ID, c.State, whose(c.Owner, c.Partner, c.Profile), c.Environment))
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{SPKISHA256: spkiSHA256})
	if err != nil {
		return nil, err
	}
	for _, k := range pairs {
		if k.ID != at.self {
			where = append(where, fmt.Sprintf("key pair %s (%s) of %s in %s", k.ID, k.State, whose(Ours, k.Partner, k.Profile), k.Environment))
		}
	}
	return where, nil
}

func whose(owner Owner, partner, profileName string) string {
	switch {
	case owner == Theirs:
		return partner
	case partner == "":
		return "ours for all of " + profileName
	}
	return "ours for " + partner
}
