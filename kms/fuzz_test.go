package kms_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/kms"
)

// FuzzOpen: Open returns a key exactly where keyfile.ParsePrivate does, the same one, for both forms of
// the URI; with an error it returns no key.
func FuzzOpen(f *testing.F) {
	const secret = "correct horse battery"
	key := testkey.Fixed()
	plain, err := keyfile.EncodePrivate(key, nil)
	if err != nil {
		f.Fatal(err)
	}
	jwk, err := keyfile.EncodePrivateJWK(key, keyfile.JWKParams{KeyID: "k-1", Use: "sig"})
	if err != nil {
		f.Fatal(err)
	}
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for _, data := range [][]byte{plain, jwk, pkcs1, plain[:900], nil, []byte("{}")} {
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "a.key")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		want, info, wantErr := keyfile.ParsePrivate(data, []byte(secret))
		for _, uri := range []string{path, "file:" + path} {
			o, err := kms.Open(t.Context(), uri, passphrase(secret))
			if (err == nil) != (o != nil) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%v, and as certificate file: %v", err, wantErr)
			}
			if err == nil && (!want.PublicKey.Equal(o.Private.Public()) || o.KeyID != info.KeyID ||
				len(o.Certificates) != len(info.Certificates)) {
				t.Errorf("another key, or key ID %q", o.KeyID)
			}
		}
	})
}
