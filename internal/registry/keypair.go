package registry

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/profile"
)

// KeyPair is a key pair of ours. Its private key is sealed under a root key.
type KeyPair struct {
	ID          string    `json:"id"`
	Profile     string    `json:"profile"`
	Partner     string    `json:"partner,omitempty"` // empty: shared by all partners of the profile
	Environment string    `json:"environment"`
	KeyID       string    `json:"key_id,omitempty"` // the "alias"; empty until it is assigned
	State       State     `json:"state"`
	Bits        int       `json:"bits"`
	SPKI        []byte    `json:"spki"`        // SubjectPublicKeyInfo, DER
	SPKISHA256  []byte    `json:"spki_sha256"` // by which keys are told apart
	Certificate string    `json:"certificate,omitempty"`
	Custodian   string    `json:"custodian"` // who made or imported it
	Origin      string    `json:"origin"`    // Made or Imported
	Created     time.Time `json:"created"`
	Changed     time.Time `json:"changed"` // when the state changed last
	RootKey     string    `json:"root_key,omitempty"`
	Sealed      []byte    `json:"-"`               // PKCS #8 under RootKey; empty when destroyed
	SealedAs    int64     `json:"sealed_as"`       // counts sealings: part of the additional data
	Alarm       *Alarm    `json:"alarm,omitempty"` // open while the pair is in use
	// Added is how many records the audit log had when the row was stored first.
	Added   int64 `json:"added,omitempty"`
	Version int64 `json:"-"`
}

// The origins of key pairs. Partners may have the certificate of an imported one already.
const (
	Made     = "created"
	Imported = "imported"
)

// NewPair describes a key pair to be made or imported.
type NewPair struct {
	Profile     string        `json:"profile,omitempty"`
	Partner     string        `json:"partner,omitempty"` // empty: one for all partners of the profile
	Environment string        `json:"environment,omitempty"`
	Bits        int           `json:"bits,omitempty"` // 0: the profile's
	Subject     cert.Template `json:"subject,omitempty"`
	KeyID       string        `json:"key_id,omitempty"`  // where it is known already
	Renewal     bool          `json:"renewal,omitempty"` // there is a pair in use, and this will follow it
	// Installed are the partners who have the certificate of an imported pair that they share
	// already. The pair is active for them from the import on, and for nobody else.
	Installed []string `json:"installed,omitempty"`
}

// CreateKeyPair makes a key pair and its certificate. The pair is staged: it opens messages at
// once, so that the certificate may be sent.
func (s *Session) CreateKeyPair(ctx context.Context, n NewPair) (KeyPair, Certificate, error) {
	prof, err := s.registry.loadProfile(ctx, n.Profile)
	if err != nil {
		return KeyPair{}, Certificate{}, err
	}
	if n.Bits == 0 {
		n.Bits = prof.Keys.Bits
	}
	key, err := cert.GenerateKey(n.Bits) // outside the transaction: it takes its time
	if err != nil {
		return KeyPair{}, Certificate{}, Judged(err)
	}
	n.Subject.Usages = prof.Keys.Usage
	if n.Subject.NotBefore.IsZero() {
		n.Subject.NotBefore = s.registry.now()
	}
	leaf, err := cert.Create(key, n.Subject)
	if err != nil {
		return KeyPair{}, Certificate{}, Judged(err)
	}
	return s.addPair(ctx, ActionKeyCreate, n, keyMaterial{Made, key, []*x509.Certificate{leaf}})
}

// ImportKeyPair adds a key pair that was made elsewhere, with its certificate and that of its
// issuers, the leaf first.
func (s *Session) ImportKeyPair(
	ctx context.Context, n NewPair, key *rsa.PrivateKey, chain []*x509.Certificate,
) (KeyPair, Certificate, error) {
	if len(chain) == 0 {
		return KeyPair{}, Certificate{},
			Refuse("the key has no certificate with it: add the one that was sent to the partner")
	}
	if pub, ok := chain[0].PublicKey.(*rsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) {
		return KeyPair{}, Certificate{}, Refuse("the certificate does not belong to the key")
	}
	return s.addPair(ctx, ActionKeyImport, n, keyMaterial{Imported, key, chain})
}

// keyMaterial is a key with its certificate, and where it comes from.
type keyMaterial struct {
	origin string // Made or Imported
	key    *rsa.PrivateKey
	chain  []*x509.Certificate
}

// addPair stores a key pair and its certificate.
func (s *Session) addPair(
	ctx context.Context, action Action, n NewPair, m keyMaterial,
) (k KeyPair, c Certificate, err error) {
	if s.registry.Root == nil {
		return k, c, Refuse("there is no root key, so private keys can't be stored").Needing(RootKey)
	}
	if n.KeyID == "" {
		prof, err := s.registry.loadProfile(ctx, n.Profile)
		if err != nil {
			return k, c, err
		}
		n.KeyID = ownKeyID(prof, &m.key.PublicKey)
	}
	if err := s.registry.CheckSharedPrime(ctx, &m.key.PublicKey); err != nil {
		return k, c, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		return k, c, err
	}
	defer clear(pkcs8)
	k, c = newRows(n, m)
	k.Custodian = s.person.ID
	entry := Entry{Action: action, Subject: "key/" + k.ID, Partner: n.Partner, Environment: n.Environment}
	err = s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		if err := s.checkPair(tx, n, &c, m.chain[0]); err != nil {
			return err
		}
		now := s.registry.now()
		k.Created, k.Changed, c.Created, c.Changed = now, now, now, now
		k.State, c.State = Staged, Staged
		if err := s.registry.sealPair(tx, &k, pkcs8); err != nil {
			return err
		}
		entry.After = k
		if len(n.Installed) > 0 { // an approval is of these partners alone
			entry.Before = map[string][]string{"installed": n.Installed}
		}
		k.Version, c.Version = 0, 0
		if err := tx.PutKeyPair(&k); err != nil {
			return err
		}
		if err := tx.PutCertificate(&c); err != nil {
			return err
		}
		if len(n.Installed) == 0 {
			return nil
		}
		if err := s.installedBefore(tx, k, n); err != nil {
			return err
		}
		return s.ActivatePair(tx, &k)
	})
	return k, c, err
}

// installedBefore records for each partner who had an imported pair before that it was offered
// to them, and that they have installed it.
func (s *Session) installedBefore(tx Tx, k KeyPair, n NewPair) error {
	switch {
	case k.Origin != Imported || k.Partner != "":
		return Refuse("only a pair that was imported, and that partners share, can be installed before")
	case n.Renewal:
		return Refuse("a renewal is not installed before: offer it to each partner")
	}
	now := s.registry.now()
	for _, id := range n.Installed {
		if _, err := FindEnvironment(tx, lanes.Name{Partner: id, Environment: k.Environment}); err != nil {
			return err
		}
		p, err := tx.Partner(id)
		if err != nil {
			return err
		}
		if p.Profile != k.Profile {
			return Refuse("partner %s speaks %s, not %s", p.ID, p.Profile, k.Profile)
		}
		offers, err := tx.Offers(id)
		if err != nil {
			return err
		}
		if err := tx.PutOffer(&Offer{KeyPair: k.ID, Partner: id, At: now,
			Confirmed: ConfirmedAt(offers, now)}); err != nil {
			return err
		}
	}
	return nil
}

// newRows returns the rows of a key pair and its certificate, which refer to each other.
func newRows(n NewPair, m keyMaterial) (KeyPair, Certificate) {
	c := NewCertificate(Certificate{
		Owner: Ours, Partner: n.Partner, Profile: n.Profile, Environment: n.Environment, KeyID: n.KeyID, State: Staged,
	}, m.chain)
	k := KeyPair{
		ID: newID("k"), Profile: n.Profile, Partner: n.Partner, Environment: n.Environment,
		KeyID: n.KeyID, State: Staged, Bits: m.key.N.BitLen(), Origin: m.origin,
		SPKI: c.SPKI, SPKISHA256: c.SPKISHA256, Certificate: c.ID,
	}
	c.KeyPair = k.ID
	return k, c
}

// ownKeyID returns the key ID of a key of ours where the profile lets us name it, and its
// messages carry the name: the key's thumbprint (RFC 7638), which anyone can compute from the
// certificate. Otherwise it is empty.
func ownKeyID(prof *profile.Profile, pub *rsa.PublicKey) string {
	if prof.Certificate.KeyIDFormat == cert.KeyIDSixPart {
		return ""
	}
	for _, d := range []*profile.Direction{&prof.Request, &prof.Response} {
		if d.Sign != nil && d.Sign.Kid.Seal != "" {
			return cert.ThumbprintJWK(pub)
		}
	}
	return ""
}

// checkPair checks a pair of ours against the profile's rules, as the partner will, and against
// the other pairs.
func (s *Session) checkPair(tx Tx, n NewPair, c *Certificate, leaf *x509.Certificate) error {
	prof, err := LoadProfile(tx, n.Profile)
	if err != nil {
		return err
	}
	if err := checkUse(tx, n, prof); err != nil {
		return err
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{
		Profile: n.Profile, Partner: n.Partner, Shared: n.Partner == "", Environment: n.Environment,
		States: StatesInUse,
	})
	if err != nil {
		return err
	}
	if err := checkOverlap(pairs, n); err != nil {
		return err
	}
	if n.Renewal {
		if err := followsActive(tx, pairs, *c); err != nil {
			return err
		}
	}
	found, err := s.registry.CheckCertificate(tx, c, leaf, prof)
	if err != nil {
		return err
	}
	if err := Refusal(found, nil); err != nil {
		return err
	}
	if n.KeyID == "" {
		return nil
	}
	return s.registry.CheckKeyID(tx, n.KeyID, c, prof, true)
}

// followsActive checks a new certificate against that of the active pair.
func followsActive(tx Tx, pairs []KeyPair, c Certificate) error {
	for _, k := range pairs {
		if k.State != Active {
			continue
		}
		before, err := tx.Certificate(k.Certificate)
		if err != nil {
			return err
		}
		if err := mayFollow(before, c, "the new certificate"); err != nil {
			return err
		}
	}
	return nil
}

// checkUse checks that a pair's environment exists, and has the pair's profile.
func checkUse(tx Tx, n NewPair, prof *profile.Profile) error {
	if n.Partner == "" {
		if len(prof.Environments) > 0 && !slices.Contains(prof.Environments, n.Environment) {
			return Refuse("environment %q is none of profile %s: use %s",
				n.Environment, n.Profile, alternatives(prof.Environments))
		}
		return nil
	}
	env, err := FindEnvironment(tx, lanes.Name{Partner: n.Partner, Environment: n.Environment})
	if err != nil {
		return err
	}
	p, err := tx.Partner(env.Partner)
	if err == nil && p.Profile != n.Profile {
		err = Refuse("partner %s speaks %s, not %s", p.ID, p.Profile, n.Profile)
	}
	return err
}

// MaxOverlap is how many keys of one kind may be in use at a time: a partner's key pairs of
// ours, our shared ones, or a partner's certificates. A message is tried with each.
const MaxOverlap = 4

// checkOverlap refuses a second pair for an account and environment, as the vendors'
// specifications demand. A renewal may overlap with the pairs that it follows.
func checkOverlap(pairs []KeyPair, n NewPair) error {
	whom := cmp.Or(n.Partner, "all of "+n.Profile) + " in " + n.Environment
	for _, k := range pairs {
		switch {
		case k.State == Staged:
			return Refuse("key pair %s is staged for %s: finish its exchange, or retire it", k.ID, whom)
		case k.State == Active && !n.Renewal:
			return Refuse("key pair %s is in use for %s: there is one pair per account and environment; "+
				"a second one must be its renewal", k.ID, whom).Needing(Follower)
		}
	}
	if len(pairs) >= MaxOverlap {
		return Refuse("%d key pairs are in use for %s already: retire the oldest", len(pairs), whom).
			Then(Advice{Action: ActionKeyRetire, ID: pairs[0].ID, Needs: []Need{Reason}})
	}
	return nil
}
