package sealane_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"io"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// remote is a key that needs a context. Its plain operations must not be used.
type remote struct {
	key   *rsa.PrivateKey
	begun func() // called when an operation begins
}

func (k remote) Public() crypto.PublicKey { return k.key.Public() }

func (k remote) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("Sign was called without a context")
}

func (k remote) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, errors.New("Decrypt was called without a context")
}

func (k remote) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.begun(); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return k.key.Sign(nil, digest, opts)
}

func (k remote) DecryptContext(ctx context.Context, text []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	if k.begun(); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return k.key.Decrypt(nil, text, opts)
}

// TestContextReachesKeys: a key that needs a context is called with that of the call, and
// its error for a cancelled one concerns the key, not the message.
func TestContextReachesKeys(t *testing.T) {
	begun := func() {}
	key := remote{testkey.RSA(t, "provider", 2048), func() { begun() }}
	customer, _ := riskos(t)
	provider := testlane.New(t, sealane.Config{Profile: testlane.Profile(t, "riskos"), Side: sealane.ServerSide,
		Ours:   testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "p1", Private: key}),
		Theirs: testkey.Theirs(t, "c1", testkey.RSA(t, "customer", 2048))})
	token := seal(t, customer, "{}")
	if m, err := provider.Open(t.Context(), token); err != nil || string(m.Payload()) != "{}" {
		t.Errorf("open: %v, %v", m, err)
	}
	if _, err := customer.Open(t.Context(), seal(t, provider, "{}")); err != nil {
		t.Errorf("seal: %v", err)
	}
	for name, run := range map[string]func(context.Context) error{
		"open": func(ctx context.Context) error { _, err := provider.Open(ctx, token); return err },
		"seal": func(ctx context.Context) error { _, err := provider.Seal(ctx, []byte("{}")); return err },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		begun = cancel // the caller cancels while the key works
		if err := run(ctx); !errors.Is(err, sealane.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
