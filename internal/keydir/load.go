package keydir

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// Pair is a key pair and certificate that were read from their folder.
type Pair struct {
	Key         keyring.Private
	KeyID       string        // the Spec's, or the RFC 7638 thumbprint of the key
	Certificate *keyfile.File // as it is sent to the partner
}

// Load reads what [Create] wrote, as a user of the files would. The private key must not be
// encrypted. If the public key's JWK does not exist yet, Load writes it.
func Load(ctx context.Context, s *Spec) (*Pair, error) {
	opened, err := kms.Open(ctx, s.KeyFile(), kms.Options{})
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(s.CertificateFile())
	if err != nil {
		return nil, err
	}
	file, err := keyfile.Parse(data)
	if err != nil {
		return nil, err
	}
	p := &Pair{Key: opened.Private, KeyID: s.KeyID, Certificate: file}
	if p.KeyID == "" {
		p.KeyID = cert.ThumbprintJWK(file.PublicKey)
	}
	if err := newfile.Check(s.JWKFile()); err != nil {
		return p, nil
	}
	jwk, err := keyfile.EncodeJWK(file.PublicKey, keyfile.JWKParams{KeyID: p.KeyID})
	if err != nil {
		return nil, err
	}
	return p, newfile.Write(s.JWKFile(), jwk, 0o644)
}

// LoadOrCreate is like [Load], but first calls [Create] if there is no private key.
func LoadOrCreate(ctx context.Context, s *Spec) (*Pair, error) {
	if _, err := os.Stat(s.KeyFile()); errors.Is(err, fs.ErrNotExist) {
		if _, err := Create(s); err != nil {
			return nil, err
		}
	}
	return Load(ctx, s)
}
