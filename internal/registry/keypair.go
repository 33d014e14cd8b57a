package registry

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/profile"
)

// KeyPair is one of ours. Its private key is sealed under a root key.
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
	Sealed      []byte    `json:"-"`         // PKCS #8 under RootKey; empty when destroyed
	SealedAs    int64     `json:"sealed_as"` // counts sealings: part of the additional data
	Version     int64     `json:"-"`
}

// The origins of key pairs. One that is imported its partners have already.
const (
	Made     = "created"
	Imported = "imported"
)

// NewPair says what key pair is to be made, or imported.
type NewPair struct {
	Profile     string
	Partner     string // empty: one for all partners of the profile
	Environment string
	Bits        int // 0: the profile's
	Subject     cert.Template
	KeyID       string // where it is known already
	Renewal     bool   // there is a pair in use, and this will follow it
}

// CreateKeyPair makes a key pair and its certificate. It opens messages at once
// (Staged), so that the certificate may be sent.
func (s *Session) CreateKeyPair(ctx context.Context, n NewPair) (KeyPair, Certificate, error) {
	dialect, err := s.Registry.loadProfile(ctx, n.Profile)
	if err != nil {
		return KeyPair{}, Certificate{}, err
	}
	if n.Bits == 0 {
		n.Bits = dialect.Keys.Bits
	}
	key, err := cert.GenerateKey(n.Bits) // outside the transaction: it takes its time
	if err != nil {
		return KeyPair{}, Certificate{}, err
	}
	n.Subject.Usages = dialect.Keys.Usage
	if n.Subject.NotBefore.IsZero() {
		n.Subject.NotBefore = s.Registry.now()
	}
	leaf, err := cert.Create(key, n.Subject)
	if err != nil {
		return KeyPair{}, Certificate{}, err
	}
	return s.keepPair(ctx, ActionKeyCreate, Made, n, key, []*x509.Certificate{leaf})
}

// ImportKeyPair takes in a key pair that was made elsewhere, with its
// certificate, the leaf first.
func (s *Session) ImportKeyPair(ctx context.Context, n NewPair, key *rsa.PrivateKey, chain []*x509.Certificate) (KeyPair, Certificate, error) {
	if len(chain) == 0 {
		return KeyPair{}, Certificate{}, errors.New("the key comes without a certificate: give the one that was " +
			"sent to the partner")
	}
	if pub, ok := chain[0].PublicKey.(*rsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) {
		return KeyPair{}, Certificate{}, errors.New("the certificate is not that of the key")
	}
	return s.keepPair(ctx, ActionKeyImport, Imported, n, key, chain)
}

func (s *Session) keepPair(ctx context.Context, action Action, origin string, n NewPair, key *rsa.PrivateKey, chain []*x509.Certificate) (KeyPair, Certificate, error) {
	if s.Registry.Root == nil {
		return KeyPair{}, Certificate{}, errors.New("there is no root key: private keys can't be kept; give one " +
			"(--root-key)")
	}
	k := KeyPair{
		ID: newID("k"), Profile: n.Profile, Partner: n.Partner, Environment: n.Environment, State: Staged, Bits: key.N.BitLen(),
		Custodian: s.person.ID, Origin: origin,
	}
	c := NewCertificate(Certificate{Owner: Ours, Partner: n.Partner, Profile: n.Profile, Environment: n.Environment}, chain)
	if n.KeyID == "" {
		dialect, err := s.Registry.loadProfile(ctx, n.Profile)
		if err != nil {
			return k, c, err
		}
		n.KeyID = ownKeyID(dialect, &key.PublicKey)
	}
	k.KeyID, c.KeyID = n.KeyID, n.KeyID
	k.SPKI, k.SPKISHA256, k.Certificate, c.KeyPair, c.State = c.SPKI, c.SPKISHA256, c.ID, k.ID, Staged
	if err := s.Registry.CheckSharedPrime(ctx, &key.PublicKey); err != nil {
		return KeyPair{}, Certificate{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, Certificate{}, err
	}
	defer clear(pkcs8)
	err = s.Change(ctx, Entry{Action: action, Subject: "key/" + k.ID, Partner: n.Partner, Environment: n.Environment}, func(tx Tx, entry *Entry) error {
		if err := s.checkPair(tx, n, &k, &c, chain[0]); err != nil {
			return err
		}
		k.Created, c.Created = s.Registry.now(), s.Registry.now()
		k.Changed, c.Changed = k.Created, c.Created
		if err := s.Registry.sealPair(tx, &k, pkcs8); err != nil {
			return err
		}
		entry.After = k
		k.Version, c.Version = 0, 0
		if err := tx.PutKeyPair(&k); err != nil {
			return err
		}
		return tx.PutCertificate(&c)
	})
	return k, c, err
}

// ownKeyID names a key of ours where the dialect lets us and carries the name: by
// its thumbprint (RFC 7638), which anyone can compute from the certificate.
func ownKeyID(dialect *profile.Profile, pub *rsa.PublicKey) string {
	if dialect.Certificate.KeyIDFormat == cert.KeyIDSixPart {
		return ""
	}
	for _, leg := range []*profile.Direction{&dialect.Request, &dialect.Response} {
		if leg.Sign != nil && leg.Sign.Kid.Seal != "" {
			return cert.ThumbprintJWK(pub)
		}
	}
	return ""
}

// checkPair holds a pair of ours against the profile's rules, as the partner will.
func (s *Session) checkPair(tx Tx, n NewPair, k *KeyPair, c *Certificate, leaf *x509.Certificate) error {
	dialect, err := LoadProfile(tx, n.Profile)
	if err != nil {
		return err
	}
	if n.Partner != "" {
		env, err := FindEnvironment(tx, lanes.Name{Partner: n.Partner, Environment: n.Environment})
		if err != nil {
			return err
		}
		p, err := tx.Partner(env.Partner)
		if err != nil {
			return err
		}
		if p.Profile != n.Profile {
			return fmt.Errorf("partner %s speaks %s, not %s", p.ID, p.Profile, n.Profile)
		}
	} else if len(dialect.Environments) > 0 && !slices.Contains(dialect.Environments, n.Environment) {
		return fmt.Errorf("environment %q is none of profile %s: use %s",
			n.Environment, n.Profile, alternatives(dialect.Environments))
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{Profile: n.Profile, Partner: n.Partner, Shared: n.Partner == "", Environment: n.Environment, States: StatesInUse})
	if err != nil {
		return err
	}
	if err := s.oneAtATime(pairs, n); err != nil {
		return err
	}
	found, err := s.Registry.CheckCertificate(tx, c, leaf, dialect)
	if err != nil {
		return err
	}
	if err := Refusal(found, nil); err != nil {
		return err
	}
	if n.KeyID == "" {
		return nil
	}
	return s.Registry.CheckKeyID(tx, n.KeyID, c, dialect, true)
}

// MaxOverlap is how many keys of one kind may be in use at a time: of ours, our shared
// ones, or a partner's certificates. A message is tried with each.
const MaxOverlap = 4

// oneAtATime keeps to one key pair per account and environment, as the seeds
// demand; a renewal may stand beside those that it follows.
func (s *Session) oneAtATime(pairs []KeyPair, n NewPair) error {
	whom := keyUse{owner: Ours, partner: n.Partner, profile: n.Profile, env: n.Environment}.String()
	for _, k := range pairs {
		switch {
		case k.State == Staged:
			return fmt.Errorf("key pair %s is waiting to be used by %s: finish its exchange, or retire it", k.ID, whom)
		case k.State == Active && !n.Renewal:
			return fmt.Errorf("key pair %s is in use by %s: there is one pair per account and environment; say that "+
				"this one is its renewal", k.ID, whom)
		}
	}
	if len(pairs) >= MaxOverlap {
		return fmt.Errorf("%d key pairs are in use by %s already: retire the oldest (sealane key list, sealane key "+
			"retire)", len(pairs), whom)
	}
	return nil
}
