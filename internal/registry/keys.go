package registry

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
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
func (d *Desk) CreateKeyPair(ctx context.Context, n NewPair, reason string) (KeyPair, Certificate, error) {
	dialect, err := d.dialect(ctx, n.Profile)
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
		n.Subject.NotBefore = d.now()
	}
	leaf, err := cert.Create(key, n.Subject)
	if err != nil {
		return KeyPair{}, Certificate{}, err
	}
	return d.keepPair(ctx, "key.create", Made, n, key, []*x509.Certificate{leaf}, reason)
}

func (r *Registry) dialect(ctx context.Context, name string) (p *profile.Profile, err error) {
	err = r.Store.View(ctx, func(tx Tx) error {
		p, err = LoadProfile(tx, name)
		return err
	})
	return p, err
}

// ImportKeyPair takes in a key pair that was made elsewhere, with its
// certificate, the leaf first.
func (d *Desk) ImportKeyPair(ctx context.Context, n NewPair, key *rsa.PrivateKey, chain []*x509.Certificate, reason string) (KeyPair, Certificate, error) {
	if len(chain) == 0 {
		return KeyPair{}, Certificate{}, errors.New("the key comes without a certificate: give the one that was sent to the partner")
	}
	if pub, ok := chain[0].PublicKey.(*rsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) {
		return KeyPair{}, Certificate{}, errors.New("the certificate is not that of the key")
	}
	return d.keepPair(ctx, "key.import", Imported, n, key, chain, reason)
}

func (d *Desk) keepPair(ctx context.Context, action, origin string, n NewPair, key *rsa.PrivateKey, chain []*x509.Certificate, reason string) (KeyPair, Certificate, error) {
	if d.Root == nil {
		return KeyPair{}, Certificate{}, errors.New("there is no root key: private keys can't be kept; give one (--root-key)")
	}
	k := KeyPair{
		ID: newID("k"), Profile: n.Profile, Partner: n.Partner, Environment: n.Environment, State: Staged, Bits: key.N.BitLen(),
		Custodian: d.person.ID, Origin: origin,
	}
	c := newCertificate(Ours, n.Partner, n.Profile, n.Environment, chain)
	if n.KeyID == "" {
		dialect, err := d.dialect(ctx, n.Profile)
		if err != nil {
			return k, c, err
		}
		n.KeyID = ownKeyID(dialect, &key.PublicKey)
	}
	k.KeyID, c.KeyID = n.KeyID, n.KeyID
	k.SPKI, k.SPKISHA256, k.Certificate, c.KeyPair, c.State = c.SPKI, c.SPKISHA256, c.ID, k.ID, Staged
	if err := d.CheckFactors(ctx, &key.PublicKey); err != nil {
		return KeyPair{}, Certificate{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, Certificate{}, err
	}
	defer clear(pkcs8)
	err = d.Change(ctx, Entry{Action: action, Subject: "key/" + k.ID, Partner: n.Partner, Environment: n.Environment, Reason: reason}, func(tx Tx, e *Entry) error {
		if err := d.checkPair(tx, n, &k, &c, chain[0]); err != nil {
			return err
		}
		k.Created, c.Created = d.now(), d.now()
		k.Changed, c.Changed = k.Created, c.Created
		if err := d.sealPair(tx, &k, pkcs8); err != nil {
			return err
		}
		e.After = k
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
func (d *Desk) checkPair(tx Tx, n NewPair, k *KeyPair, c *Certificate, leaf *x509.Certificate) error {
	dialect, err := LoadProfile(tx, n.Profile)
	if err != nil {
		return err
	}
	if n.Partner != "" {
		env, err := FindEnvironment(tx, n.Partner, n.Environment)
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
		return fmt.Errorf("environment %q is none of profile %s: use %s", n.Environment, n.Profile, words(dialect.Environments))
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{Profile: n.Profile, Partner: n.Partner, Shared: n.Partner == "", Environment: n.Environment, States: StatesInUse})
	if err != nil {
		return err
	}
	if err := d.oneAtATime(pairs, n); err != nil {
		return err
	}
	found, err := d.CheckCertificate(tx, c, leaf, dialect)
	if err != nil {
		return err
	}
	if err := Refusal(found, nil); err != nil {
		return err
	}
	if n.KeyID == "" {
		return nil
	}
	return d.CheckKeyID(tx, n.KeyID, c, dialect, true)
}

// MaxOverlap is how many keys of one kind may be in use at a time: of ours, our shared
// ones, or a partner's certificates. A message is tried with each.
const MaxOverlap = 4

// oneAtATime keeps to one key pair per account and environment, as the seeds
// demand; a renewal may stand beside those that it follows.
func (d *Desk) oneAtATime(pairs []KeyPair, n NewPair) error {
	whom := fmt.Sprintf("%s in %s", whose(Ours, n.Partner, n.Profile), n.Environment)
	for _, k := range pairs {
		switch {
		case k.State == Staged:
			return fmt.Errorf("key pair %s is waiting to be used by %s: finish its exchange, or retire it", k.ID, whom)
		case k.State == Active && !n.Renewal:
			return fmt.Errorf("key pair %s is in use by %s: there is one pair per account and environment; say that this one is its renewal", k.ID, whom)
		}
	}
	if len(pairs) >= MaxOverlap {
		return fmt.Errorf("%d key pairs are in use by %s already: retire the oldest (sealane key list, sealane key retire)", len(pairs), whom)
	}
	return nil
}

// Refusal gives the error that lists what refuses, but for the rules that are
// waived.
func Refusal(found []Finding, waived []Waiver) error {
	var lines []error
	for _, f := range found {
		if f.Level != string(cert.Refused) || f.Waivable && slices.ContainsFunc(waived, func(w Waiver) bool { return w.Rule == f.Rule }) {
			continue
		}
		lines = append(lines, f)
	}
	return errors.Join(lines...)
}

func newCertificate(owner Owner, partner, profileName, environment string, chain []*x509.Certificate) Certificate {
	leaf := chain[0]
	sum, spki := sha256.Sum256(leaf.Raw), sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	c := Certificate{
		ID: newID("c"), Owner: owner, Partner: partner, Profile: profileName, Environment: environment,
		CommonName: leaf.Subject.CommonName, Issuer: leaf.Issuer.String(), Serial: leaf.SerialNumber.Text(16),
		NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(),
		SHA256: sum[:], SPKI: leaf.RawSubjectPublicKeyInfo, SPKISHA256: spki[:], DER: leaf.Raw,
	}
	if pub, ok := leaf.PublicKey.(*rsa.PublicKey); ok {
		c.Bits = pub.N.BitLen()
	}
	for _, issuer := range chain[1:] {
		c.Chain = append(c.Chain, issuer.Raw)
	}
	return c
}

// NewCertificate is a certificate of a partner's that came in, before it is kept.
func NewCertificate(partner, profileName, environment string, chain []*x509.Certificate) Certificate {
	return newCertificate(Theirs, partner, profileName, environment, chain)
}

// sealContext is what the sealed private key is bound to.
func sealContext(k *KeyPair) rootkey.Context {
	return rootkey.Context{Partner: k.Partner, Environment: k.Environment, KeyID: k.ID, Version: k.SealedAs, Purpose: "private-key"}
}

// sealPair seals under the newest root key, if that is still one of the registry's:
// another program may have turned it since ours was given.
func (r *Registry) sealPair(tx Tx, k *KeyPair, pkcs8 []byte) error {
	if err := rootIs(tx, r.Root.Newest(), true); err != nil {
		return fmt.Errorf("the root key: %w", err)
	}
	k.SealedAs++
	sealed, err := r.Root.Seal(pkcs8, sealContext(k))
	if err != nil {
		return err
	}
	k.Sealed, k.RootKey = sealed, r.Root.Newest().ID()
	return nil
}

// unseal gives the private key. It is the registry's own: nothing hands it out but
// ExportKeyPair.
func (r *Registry) unseal(k KeyPair) (*rsa.PrivateKey, error) {
	if len(k.Sealed) == 0 {
		return nil, fmt.Errorf("key pair %s was destroyed", k.ID)
	}
	if r.Root == nil {
		return nil, fmt.Errorf("key pair %s: there is no root key to open it with", k.ID)
	}
	pkcs8, err := r.Root.Open(k.Sealed, sealContext(&k))
	if err != nil {
		return nil, fmt.Errorf("key pair %s: %w", k.ID, err)
	}
	defer clear(pkcs8)
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("key pair %s: what was sealed is no private key", k.ID)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key pair %s: what was sealed is no RSA key", k.ID)
	}
	if spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey); err != nil || !slices.Equal(spki, k.SPKI) {
		return nil, fmt.Errorf("key pair %s: the private key is not that of its public key", k.ID)
	}
	return private, nil
}

// Usable opens a key pair's private key, and throws it away again.
func (r *Registry) Usable(k KeyPair) error {
	_, err := r.unseal(k)
	return err
}

// Sign signs with a key pair of ours: a JWS whose header has nothing but alg and
// the key ID.
func (d *Desk) Sign(k KeyPair, payload []byte) ([]byte, error) {
	key, err := d.unseal(k)
	if err != nil {
		return nil, err
	}
	head := jose.Header{Alg: alg.RS256.Name}
	if k.KeyID != "" {
		head.Kid = &k.KeyID
	}
	protected, err := jose.ProtectSigned(head)
	if err != nil {
		return nil, err
	}
	return jose.Sign(nil, payload, protected, key)
}

// ErrUnusable says that a private key of ours can't be used. It says nothing of what
// it was to be used for.
var ErrUnusable = errors.New("the private key can't be used")

// Decrypt opens a message that is only encrypted, with a key pair of ours.
func (d *Desk) Decrypt(k KeyPair, token []byte) ([]byte, error) {
	e, err := jose.ParseEncrypted(nil, token, 64<<10, []*alg.KeyEncryption{alg.RSAOAEP256}, []*alg.Content{alg.A256GCM})
	if err != nil {
		return nil, err
	}
	key, err := d.unseal(k)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	text, _, err := e.Decrypt([]crypto.Decrypter{key})
	return text, err
}

// ExportKeyPair gives the private key with its certificate as encrypted PKCS #8
// (format "pkcs8") or PKCS #12 ("pkcs12").
func (d *Desk) ExportKeyPair(ctx context.Context, id, format string, passphrase []byte, reason string) (out []byte, err error) {
	if len(passphrase) < 12 {
		return nil, errors.New("the passphrase must have at least 12 characters: the file holds a private key")
	}
	if reason == "" {
		return nil, errors.New("say why the private key leaves the registry (--reason)")
	}
	err = d.Change(ctx, Entry{Action: "key.export", Subject: "key/" + id, Reason: reason}, func(tx Tx, e *Entry) error {
		k, err := tx.KeyPair(id)
		if err != nil {
			return fmt.Errorf("key pair %s: %w", id, err)
		}
		e.Partner, e.Environment, e.After = k.Partner, k.Environment, map[string]string{"format": format}
		key, err := d.unseal(k)
		if err != nil {
			return err
		}
		switch format {
		case "pkcs8":
			out, err = keyfile.EncodePrivate(key, passphrase)
			return err
		case "pkcs12":
			c, err := tx.Certificate(k.Certificate)
			if err != nil {
				return err
			}
			chain, err := c.Parse()
			if err != nil {
				return err
			}
			out, err = keyfile.EncodePKCS12(key, chain, passphrase)
			return err
		}
		return fmt.Errorf("format %q is not known; use pkcs8 or pkcs12", format)
	})
	return out, err
}

// Parse gives the certificate and its issuers.
func (c Certificate) Parse() ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for _, der := range append([][]byte{c.DER}, c.Chain...) {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", c.ID, err)
		}
		chain = append(chain, one)
	}
	return chain, nil
}
