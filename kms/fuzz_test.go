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

// FuzzOpen: a file gives a key exactly where keyfile.ParsePrivate reads one, the same
// one, by both ways to write its URI; an error comes alone.
func FuzzOpen(f *testing.F) {
	key, passphrase := testkey.Fixed(), []byte("correct horse battery")
	plain, err := keyfile.EncodePrivate(key, nil)
	if err != nil {
		f.Fatal(err)
	}
	jwk, err := keyfile.EncodePrivateJWK(key, "k-1", "sig")
	if err != nil {
		f.Fatal(err)
	}
	for _, data := range [][]byte{plain, jwk, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), plain[:900], nil, []byte("{}")} {
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "a.key")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		want, info, wantErr := keyfile.ParsePrivate(data, passphrase)
		for _, uri := range []string{path, "file:" + path} {
			o, err := kms.Open(t.Context(), uri, kms.Options{Passphrase: func() ([]byte, error) { return append([]byte(nil), passphrase...), nil }})
			if (err == nil) != (o != nil) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%v, and as certificate file: %v", err, wantErr)
			}
			if err == nil && (!want.PublicKey.Equal(o.Private.Public()) || o.KeyID != info.KeyID || len(o.Certificates) != len(info.Certificates)) {
				t.Errorf("another key, or key ID %q", o.KeyID)
			}
		}
	})
}
