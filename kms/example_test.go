package kms_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// The store of this example has one key, and uses a network: its operations take a context.
func init() { kms.Register("example", openVault) }

func openVault(ctx context.Context, uri string, o kms.Options) (*kms.Key, error) {
	// A real store connects here, with a credential from its environment, and reads the public key.
	if uri != "example:payments" {
		return nil, errors.New("there is no such key; the store has example:payments")
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return &kms.Key{Private: &vaultKey{private}, KeyID: "payments-2026"}, nil
}

// vaultKey is a private key that does not leave its store.
type vaultKey struct{ remote *rsa.PrivateKey }

var (
	_ keyring.Private          = (*vaultKey)(nil)
	_ keyring.ContextSigner    = (*vaultKey)(nil)
	_ keyring.ContextDecrypter = (*vaultKey)(nil)
)

// Public returns a key that was read when the private key was opened.
func (k *vaultKey) Public() crypto.PublicKey { return &k.remote.PublicKey }

func (k *vaultKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

func (k *vaultKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return k.DecryptContext(context.Background(), ciphertext, opts)
}

// SignContext sends the digest to the store. This one makes RS256 signatures only.
func (k *vaultKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != crypto.SHA256 {
		return nil, fmt.Errorf("vault: cannot sign with %T, only with SHA-256 and PKCS #1 v1.5", opts)
	}
	if err := ctx.Err(); err != nil { // a real store passes ctx to its HTTP request
		return nil, fmt.Errorf("vault: sign: %w", err)
	}
	return k.remote.Sign(rand.Reader, digest, opts)
}

// DecryptContext sends the ciphertext to the store. This one decrypts RSA-OAEP-256 only.
func (k *vaultKey) DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	oaep, ok := opts.(*rsa.OAEPOptions)
	if !ok || oaep.Hash != crypto.SHA256 || oaep.MGFHash != 0 && oaep.MGFHash != crypto.SHA256 || len(oaep.Label) > 0 {
		return nil, errors.New("vault: can decrypt RSA-OAEP with SHA-256 only")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("vault: decrypt: %w", err)
	}
	plaintext, err := k.remote.Decrypt(rand.Reader, ciphertext, opts)
	if err != nil {
		// The store says that the ciphertext is bad. Everything else that can happen here, such as
		// an HTTP status 500, is returned as it is.
		return nil, rsa.ErrDecryption
	}
	return plaintext, nil
}

func Example() {
	key, err := kms.Open(context.Background(), "example:payments", kms.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: key.KeyID, Private: key.Private})
	if err != nil {
		log.Fatal(err)
	}
	signer, _ := ours.Signer()
	fmt.Println("signs with", signer.ID)

	_, err = kms.Open(context.Background(), "example:other", kms.Options{})
	fmt.Println(err)
	// Output:
	// signs with payments-2026
	// example key: there is no such key; the store has example:payments
}
