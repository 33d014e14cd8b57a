package registry

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/profile"
)

// Finding is what a rule says of a certificate or key that comes in. One that is
// Waivable may be let pass for a reason, by two people.
type Finding struct {
	Rule     string `json:"rule"`
	Level    string `json:"level"` // "refused" or "warning"
	Found    string `json:"found"`
	Do       string `json:"do"`
	Waivable bool   `json:"waivable,omitempty"`
}

// Error lets a finding that refuses be the error.
func (f Finding) Error() string { return f.String() }

func (f Finding) String() string {
	text := fmt.Sprintf("%s [%s]: %s", f.Level, f.Rule, f.Found)
	if f.Do != "" {
		text += "; " + f.Do
	}
	return text
}

// The rules of the registry, beside those of cert.Check.
const (
	RuleKeyKnown     = "key-known"     // the same public key is known elsewhere
	RuleKeyBlocked   = "key-blocked"   // another product's, or one whose private part was seen
	RuleSharedFactor = "shared-factor" // with another key of the registry
)

// unwaivable are the rules that no reason outweighs: whoever lets these pass has
// no secret any more.
var unwaivable = map[string]bool{
	"weak-key": true, "key-type": true, "key-size": true, "exponent": true, "signature-algorithm": true,
}

// place is where a key is to be used.
type place struct {
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
	more, err := r.checkKnown(tx, c.SPKI, place{c.Owner, c.Profile, c.Partner, c.Environment, c.ID})
	if err != nil {
		return nil, err
	}
	file := sha256.Sum256(c.Exchange.File)
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
func (r *Registry) checkKnown(tx Tx, spki []byte, at place) ([]Finding, error) {
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
func knownElsewhere(tx Tx, spkiSHA256 []byte, at place) ([]string, error) {
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

// publicKey parses a SubjectPublicKeyInfo of the registry.
func publicKey(spki []byte) (*rsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("public key of the registry: %w", err)
	}
	pub, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key of the registry is a %T, not RSA", key)
	}
	return pub, nil
}

// CheckKeyID holds a key ID (alias) against the dialect, the key, the environment,
// and what is taken there. An ID stays with its partner: a renewal of the same
// size may have it again.
func (r *Registry) CheckKeyID(tx Tx, keyID string, c *Certificate, dialect *profile.Profile, imported bool) error {
	if err := cert.CheckKeyIDText(keyID); err != nil {
		return err
	}
	pub, err := publicKey(c.SPKI)
	if err != nil {
		return err
	}
	if !imported { // a partner's own name is kept as it is
		if err := dialect.Certificate.CheckKeyID(keyID); err != nil {
			return err
		}
	}
	if id, err := cert.ParseKeyID(keyID); err == nil {
		if err := id.Check(pub, c.Environment); err != nil {
			return err
		}
	}
	taken, err := tx.Certificates(CertificateQuery{KeyID: keyID})
	if err != nil {
		return err
	}
	for _, o := range taken {
		switch {
		case o.ID == c.ID || o.Profile != c.Profile || o.Owner != c.Owner || o.State == Rejected:
		case o.Environment != c.Environment:
			return fmt.Errorf("key ID %q is in use in %s: key IDs are unique per environment, so that a message for one can't be taken for the other's", keyID, o.Environment)
		case o.Partner != c.Partner:
			return fmt.Errorf("key ID %q is that of %s in %s", keyID, whose(o.Owner, o.Partner, o.Profile), o.Environment)
		case o.Bits != c.Bits:
			return fmt.Errorf("key ID %q names a key of %d bits, and this one has %d: a renewal under the same ID has the same size", keyID, o.Bits, c.Bits)
		}
	}
	return nil
}

// SPKISum is the checksum by which the registry tells public keys apart: SHA-256 of
// the SubjectPublicKeyInfo.
func SPKISum(pub *rsa.PublicKey) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	sum := sha256.Sum256(spki)
	return sum[:], err
}
