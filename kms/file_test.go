package kms_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/kms"
)

func file(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.key")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func passphrase(text string) kms.Options {
	return kms.Options{Passphrase: func() ([]byte, error) { return []byte(text), nil }}
}

func TestFiles(t *testing.T) {
	key := testkey.RSA(t, "key", 2048)
	plain, err := keyfile.EncodePrivate(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: "k-1"})
	if err != nil {
		t.Fatal(err)
	}
	for uri, id := range map[string]string{
		file(t, plain): "", "file:" + file(t, plain): "", "FILE:" + file(t, plain): "", file(t, jwk): "k-1",
	} {
		asked := false
		got, err := kms.Open(t.Context(), uri, kms.Options{
			Passphrase: func() ([]byte, error) { asked = true; return nil, nil },
		})
		if err != nil || !key.PublicKey.Equal(got.Private.Public()) || got.KeyID != id || asked || got.Close() != nil {
			t.Errorf("%s: %+v %v, asked %t", uri, got, err, asked)
		}
	}
}

// TestPaths: a path that looks a little like a URI is a path.
func TestPaths(t *testing.T) {
	data, err := keyfile.EncodePrivate(testkey.RSA(t, "key", 2048), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for uri, path := range map[string]string{
		"old.key:1": "", "c:a.key": "", "afile": "", "file": "", "a key:x": "",
		"file:file:x": "file:x", "./file:x": "file:x",
	} {
		if path == "" {
			path = uri
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := kms.Open(t.Context(), uri, kms.Options{}); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPassphrase(t *testing.T) {
	data, err := keyfile.EncodePrivate(testkey.RSA(t, "key", 2048), []byte("correct horse battery"))
	if err != nil {
		t.Fatal(err)
	}
	name := file(t, data)
	for given, want := range map[string]error{
		"correct horse battery": nil, "wrong horse battery": keyfile.ErrPassphraseWrong,
	} {
		_, err := kms.Open(t.Context(), name, passphrase(given))
		if !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), given) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if _, err := kms.Open(t.Context(), name, kms.Options{}); !errors.Is(err, keyfile.ErrPassphraseNeeded) {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := kms.Open(ended, "x", kms.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for uri, says := range map[string]string{
		"pkcs11:token=x":                            `scheme "pkcs11" is not known`,
		filepath.Join(t.TempDir(), "none"):          "no such file",
		file(t, []byte(strings.Repeat("x", 2<<20))): "larger than 1048576 bytes",
		file(t, []byte("nonsense")):                 "read private key",
	} {
		if _, err := kms.Open(t.Context(), uri, kms.Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40s: %v", uri, err)
		}
	}
}
