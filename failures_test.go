package sealane_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// brokenOps performs no operation.
type brokenOps struct{}

func (brokenOps) EncryptOAEP(crypto.Hash, []byte) ([]byte, error) { return nil, errGone }
func (brokenOps) Verify(_, _ []byte, _ crypto.SignerOpts) error   { return errGone }

// broken is a partner's public key that cannot be used.
func broken(t *testing.T, id string) *keyring.Ring {
	t.Helper()
	key := &testkey.RSA(t, id, 2048).PublicKey
	return testlane.Ring(t, keyring.Key{State: keyring.Active, ID: id, Public: key, PublicOps: brokenOps{}})
}

// TestBrokenVerifier: if we cannot use a key of the partner's, that is not the partner's
// fault: the message was not judged.
func TestBrokenVerifier(t *testing.T) {
	c := providerConfig(t)
	c.Theirs = broken(t, "customer")
	m, err := testlane.New(t, c).Open(t.Context(), seal(t, testlane.New(t, customerConfig(t)), "{}"))
	if !errors.Is(err, sealane.ErrUnavailable) || !errors.Is(err, errGone) || m != nil {
		t.Error(err)
	}
}

// cancelling signs, and cancels the caller's context at the same time.
type cancelling struct {
	*rsa.PrivateKey
	cancel context.CancelFunc
}

func (c cancelling) Sign(r io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	defer c.cancel()
	return c.PrivateKey.Sign(r, digest, options)
}

// TestSealingThatFails: neither the payload nor its text is left in the caller's buffer,
// wherever sealing fails.
func TestSealingThatFails(t *testing.T) {
	const secret = `{"national_id":"SECRET-123-45-6789"}`
	key := testkey.RSA(t, "customer", 2048)
	for name, c := range map[string]struct {
		change func(*sealane.Config, context.CancelFunc)
		want   error
	}{
		"signing": {func(c *sealane.Config, _ context.CancelFunc) {
			c.Ours = testkey.Ours(t, "customer", gone{key})
		}, errGone},
		"encrypting": {func(c *sealane.Config, _ context.CancelFunc) {
			c.Theirs = broken(t, "provider")
		}, errGone},
		"in between": {func(c *sealane.Config, cancel context.CancelFunc) {
			c.Ours = testkey.Ours(t, "customer", cancelling{key, cancel})
		}, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c2 := customerConfig(t)
		c.change(&c2, cancel)
		buffer := append(make([]byte, 0, 1<<16), "front"...)
		token, err := testlane.New(t, c2).AppendSeal(ctx, buffer, []byte(secret))
		if !errors.Is(err, c.want) || errors.Is(err, sealane.ErrUnavailable) != (c.want == errGone) || token != nil {
			t.Errorf("%s: %d bytes, %v", name, len(token), err)
		}
		text := base64.RawURLEncoding.EncodeToString([]byte(secret))
		for _, trace := range []string{"SECRET", text[:20], text[20:40]} {
			if bytes.Contains(buffer[:cap(buffer)], []byte(trace)) {
				t.Errorf("%s: %s of the payload stands in the buffer", name, trace)
			}
		}
		if string(buffer) != "front" {
			t.Errorf("%s: in front stands %q", name, buffer)
		}
	}
}

// TestOwnKeyForTheirs: one of our messages must not be accepted as the partner's.
func TestOwnKeyForTheirs(t *testing.T) {
	for _, c := range []sealane.Config{customerConfig(t), providerConfig(t)} {
		c.Theirs = testkey.Theirs(t, "another ID", testkey.RSA(t, "customer", 2048))
		c.Ours = testkey.Ours(t, "customer", testkey.RSA(t, "customer", 2048))
		const says = `"customer" of ours and "another ID" of the partner are the same key`
		if _, err := sealane.New(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", c.Side, err)
		}
		// A retiring or staged key verifies too.
		c.Ours = testlane.Ring(t, keyring.Key{
			State:   keyring.Active,
			ID:      "new",
			Private: testkey.RSA(t, "provider", 2048),
		},
			keyring.Key{State: keyring.Retiring, ID: "old", Private: testkey.RSA(t, "customer", 2048)})
		if _, err := sealane.New(c); err == nil || !strings.Contains(err.Error(), `"old"`) {
			t.Errorf("%s: %v", c.Side, err)
		}
	}
}

// TestKnownSigner: if the profile requires a known key ID, a signature with another one is
// refused, although it would be valid.
func TestKnownSigner(t *testing.T) {
	for open, fine := range map[string][3]bool{ // the ID that we know, another, none
		"known":            {true, false, false},
		"absent known":     {true, false, true},
		"known any":        {true, true, false},
		"absent known any": {true, true, true},
		"absent":           {false, false, true},
	} {
		c := providerConfig(t)
		p := testlane.Profile(t, "riskos")
		p.Request.Sign.Kid.Open = strings.Fields(open)
		c.Profile = p
		provider := testlane.New(t, c)
		for i, id := range []string{"c1", "c2", ""} {
			c := customerConfig(t)
			c.Ours = testlane.Ring(t, keyring.Key{
				State:   keyring.Active,
				ID:      id,
				Private: testkey.RSA(t, "customer", 2048),
			})
			m, err := provider.Open(t.Context(), seal(t, testlane.New(t, c), "{}"))
			if fine[i] {
				if err != nil {
					t.Errorf("%s, signed under %q: %v", open, id, err)
				}
				continue
			}
			want, f := sealane.ErrNotJWS, fault.Code("jws.kid-not-allowed")
			switch {
			case id == "":
				f = "jws.kid-missing"
			case open != "absent":
				want, f = sealane.ErrSignature, "jws.kid-unknown"
			}
			if !errors.Is(err, want) || sealane.FaultOf(err) != f || m != nil {
				t.Errorf("%s, signed under %q: %v", open, id, err)
			}
		}
	}
}
