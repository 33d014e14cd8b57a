package interop

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// benchLanes returns the two ends of one lane, with private keys by one of the
// functions above.
func benchLanes(t testing.TB, bits int,
	private func(*rsa.PrivateKey) (keyring.Private, error)) (client, server *sealane.Lane, err error) {
	dialect, err := profile.Load("riskos")
	if err != nil {
		return nil, nil, err
	}
	keys := benchKeys(t, bits)
	lane := func(side sealane.Side, ours, theirs string) *sealane.Lane {
		key, keyErr := private(keys[ours])
		if keyErr != nil {
			err = keyErr
			return nil
		}
		operations, opErr := operationsLike(key, &keys[theirs].PublicKey)
		ring, ringErr := keyring.New(keyring.Key{
			State:     keyring.Active,
			ID:        theirs,
			Public:    &keys[theirs].PublicKey,
			PublicOps: operations,
		})
		l, newErr := sealane.New(sealane.Config{
			Profile:    dialect,
			Side:       side,
			MaxPayload: benchMaxPayload,
			Ours:       testkey.Ours(t, ours, key),
			Theirs:     ring,
		})
		err = errors.Join(err, opErr, ringErr, newErr)
		return l
	}
	client, server = lane(sealane.ClientSide, customer, provider), lane(sealane.ServerSide, provider, customer)
	return client, server, err
}

func benchSealane(t testing.TB, bits int, private func(*rsa.PrivateKey) (keyring.Private, error)) (codec, error) {
	client, server, err := benchLanes(t, bits, private)
	if err != nil {
		return codec{}, err
	}
	ctx := context.Background()
	return codec{
		seal: func(payload []byte) (token, error) {
			sealed, err := client.Seal(ctx, payload)
			return token{data: sealed}, err
		},
		open: func(t token) ([]byte, error) {
			m, err := server.OpenMessage(ctx, t.data)
			if err != nil {
				return nil, err
			}
			return m.Payload(), nil
		},
	}, nil
}

// benchGoJOSE keeps the signer and the encrypter, and uses the parsers for compact tokens
// only.
func benchGoJOSE(t testing.TB, bits int) (codec, error) {
	keys := benchKeys(t, bits)
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.RS256,
		Key: gojose.JSONWebKey{Key: keys[customer], KeyID: customer}}, nil)
	if err != nil {
		return codec{}, err
	}
	encrypter, err := gojose.NewEncrypter(gojose.A256GCM,
		gojose.Recipient{Algorithm: gojose.RSA_OAEP_256, Key: &keys[provider].PublicKey}, nil)
	if err != nil {
		return codec{}, err
	}
	keyAlgs, encs := []gojose.KeyAlgorithm{gojose.RSA_OAEP_256}, []gojose.ContentEncryption{gojose.A256GCM}
	signAlgs := []gojose.SignatureAlgorithm{gojose.RS256}
	return codec{
		seal: func(payload []byte) (token, error) {
			signed, err := signer.Sign(payload)
			if err != nil {
				return token{}, err
			}
			inner, err := signed.CompactSerialize()
			if err != nil {
				return token{}, err
			}
			encrypted, err := encrypter.Encrypt([]byte(inner))
			if err != nil {
				return token{}, err
			}
			text, err := encrypted.CompactSerialize()
			return token{text: text}, err
		},
		open: func(t token) ([]byte, error) {
			encrypted, err := gojose.ParseEncryptedCompact(t.text, keyAlgs, encs)
			if err != nil {
				return nil, err
			}
			inner, err := encrypted.Decrypt(keys[provider])
			if err != nil {
				return nil, err
			}
			signed, err := gojose.ParseSignedCompact(string(inner), signAlgs)
			if err != nil {
				return nil, err
			}
			return signed.Verify(&keys[customer].PublicKey)
		},
	}, nil
}

// benchJWX keeps the options, which is all that jwx allows to keep. bench.sh builds it with
// its SIMD base64 (the tag jwx_asmbase64), which makes it faster.
func benchJWX(t testing.TB, bits int) (codec, error) {
	keys := benchKeys(t, bits)
	inner := jws.NewHeaders()
	if err := inner.Set(jws.KeyIDKey, customer); err != nil {
		return codec{}, err
	}
	sign := []jws.SignOption{jws.WithKey(jwa.RS256(), keys[customer], jws.WithProtectedHeaders(inner))}
	encrypt := []jwe.EncryptOption{jwe.WithKey(jwa.RSA_OAEP_256(), &keys[provider].PublicKey),
		jwe.WithContentEncryption(jwa.A256GCM())}
	decrypt := jwe.WithKey(jwa.RSA_OAEP_256(), keys[provider])
	verify := []jws.VerifyOption{jws.WithKey(jwa.RS256(), &keys[customer].PublicKey), jws.WithCompact()}
	return codec{
		seal: func(payload []byte) (token, error) {
			signed, err := jws.Sign(payload, sign...)
			if err != nil {
				return token{}, err
			}
			sealed, err := jwe.Encrypt(signed, encrypt...)
			return token{data: sealed}, err
		},
		open: func(t token) ([]byte, error) {
			m := jwe.NewMessage()
			signed, err := jwe.Decrypt(t.data, decrypt, jwe.WithMessage(m))
			if err != nil {
				return nil, err
			}
			// jwx takes the content encryption algorithm from the message.
			if enc, ok := m.ProtectedHeaders().ContentEncryption(); !ok || enc != jwa.A256GCM() {
				return nil, fmt.Errorf("content encryption is %v", enc)
			}
			return jws.Verify(signed, verify...)
		},
	}, nil
}

// TestBenchCodecs checks that all implementations do the same: each opens what each seals.
// It also writes the tokens for bench.sh.
func TestBenchCodecs(t *testing.T) {
	payload := benchPayload(t, "1KiB", 1<<10)
	ready := map[string]codec{}
	for _, c := range codecs {
		made, err := c.make(t, 2048)
		if errors.Is(err, errNoOpenSSL) {
			t.Log(err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		ready[c.name] = made
	}
	for sealer, s := range ready {
		sealed, err := s.seal(payload)
		if err != nil {
			t.Fatal(sealer, err)
		}
		for opener, o := range ready {
			if got, err := o.open(sealed.both()); err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%s does not open what %s sealed: %v", opener, sealer, err)
			}
		}
	}
	if benchDir == "" {
		return
	}
	for _, bits := range benchBits {
		c, err := benchSealane(t, bits, goKey)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range benchSizes {
			sealed, err := c.seal(benchPayload(t, size.name, size.n))
			if err == nil {
				err = os.WriteFile(filepath.Join(benchDir, fmt.Sprintf("token-%d-%s", bits, size.name)), sealed.data,
					0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
