package registry

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/keyfile"
)

// sealContext returns what a sealed private key is bound to.
func sealContext(k *KeyPair) rootkey.Context {
	return rootkey.Context{
		Partner: k.Partner, Environment: k.Environment, KeyID: k.ID, Version: k.SealedAs, Purpose: "private-key",
	}
}

// sealPair seals a private key under the newest root key, if that is still one of the
// registry's: another program may have rotated it since.
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

// unseal returns a private key. Only ExportKeyPair hands it out.
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
		return nil, fmt.Errorf("key pair %s: the sealed data is no private key", k.ID)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key pair %s: the sealed data is no RSA key", k.ID)
	}
	if spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey); err != nil || !slices.Equal(spki, k.SPKI) {
		return nil, fmt.Errorf("key pair %s: the private key does not belong to its public key", k.ID)
	}
	return private, nil
}

// Usable returns an error if a key pair's private key can't be opened.
func (r *Registry) Usable(k KeyPair) error {
	_, err := r.unseal(k)
	return err
}

// Sign returns a JWS by a key pair of ours. Its header has alg, the key ID, and typ, which must be
// none that messages have: the same key signs those.
func (s *Session) Sign(k KeyPair, typ string, payload []byte) ([]byte, error) {
	key, err := s.registry.unseal(k)
	if err != nil {
		return nil, err
	}
	head := jose.Header{Alg: alg.RS256.Name, Typ: &typ}
	if k.KeyID != "" {
		head.Kid = &k.KeyID
	}
	protected, err := jose.ProtectSigned(head)
	if err != nil {
		return nil, err
	}
	return jose.Sign(nil, payload, protected, key)
}

// ErrUnusable means that a private key of ours can't be used. The message may be good.
var ErrUnusable = errors.New("the private key can't be used")

// Decrypt decrypts a message that is not signed, by a key pair of ours.
func (s *Session) Decrypt(k KeyPair, token []byte) ([]byte, error) {
	keys, contents := []*alg.KeyEncryption{alg.RSAOAEP256}, []*alg.Content{alg.A256GCM}
	e, err := jose.ParseEncrypted(nil, token, 64<<10, keys, contents)
	if err != nil {
		return nil, err
	}
	key, err := s.registry.unseal(k)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	text, _, err := e.Decrypt([]crypto.Decrypter{key})
	return text, err
}

// The formats of an exported key pair.
const (
	ExportPKCS8  = "pkcs8"  // the private key as encrypted PKCS #8, in PEM
	ExportPKCS12 = "pkcs12" // with the certificate and its issuers
)

// KeyPairExport says which key pair is exported, and how.
type KeyPairExport struct {
	KeyPair    string `json:"key_pair"` // its identity
	Format     string `json:"format"`   // ExportPKCS8 or ExportPKCS12
	Passphrase []byte `json:"-"`

	// Deliver writes the file. If it fails, the export is not recorded.
	Deliver func([]byte) error `json:"-"`
}

// ExportKeyPair passes a private key, encrypted with a passphrase, to x.Deliver.
func (s *Session) ExportKeyPair(ctx context.Context, x KeyPairExport) error {
	if len(pasted.Secret(x.Passphrase)) < keyfile.MinPassphrase {
		return Refuse("the passphrase must have at least %d bytes: the file holds a private key",
			keyfile.MinPassphrase)
	}
	return s.Change(ctx, Entry{Action: ActionKeyExport, Subject: "key/" + x.KeyPair}, func(tx Tx, entry *Entry) error {
		k, err := tx.KeyPair(x.KeyPair)
		if err != nil {
			return fmt.Errorf("key pair %s: %w", x.KeyPair, err)
		}
		entry.Partner, entry.Environment, entry.After = k.Partner, k.Environment, map[string]string{"format": x.Format}
		if err := s.NeedSecond(tx, entry); err != nil {
			return err
		}
		file, err := s.registry.encodeKeyPair(tx, k, x)
		if err != nil {
			return err
		}
		return x.Deliver(file)
	})
}

// encodeKeyPair returns the file of an exported key pair.
func (r *Registry) encodeKeyPair(tx Reader, k KeyPair, x KeyPairExport) ([]byte, error) {
	key, err := r.unseal(k)
	if err != nil {
		return nil, err
	}
	switch x.Format {
	case ExportPKCS8:
		return keyfile.EncodePrivate(key, x.Passphrase)
	case ExportPKCS12:
		c, err := tx.Certificate(k.Certificate)
		if err != nil {
			return nil, err
		}
		chain, err := c.Parse()
		if err != nil {
			return nil, err
		}
		return keyfile.EncodePKCS12(key, chain, x.Passphrase)
	}
	return nil, Refuse("format %q is not known; use %s or %s", x.Format, ExportPKCS8, ExportPKCS12)
}
