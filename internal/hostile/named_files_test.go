package hostile_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/keyfile"
)

// TestLeaksNamed: of the files with a private key, those that prove whose it is
// name its public key, and those that anyone could write name none.
func TestLeaksNamed(t *testing.T) {
	named := map[string]bool{
		"keyfile/public-jwk-d-of-another": false, "keyfile/public-jwk-d-made-up": false,
		"keyfile/public-jwk-exponent-1-d-1": false,
		"keyfile/public-jwk-p-n-q-1":        false, "keyfile/public-jwk-set-private-members-beside": false,
		"keyfile/d-of-another-jwk":   true,                             // its primes are n's
		"keyfile/n-of-another-pkcs8": false, "keyfile/p-one-jwk": true, // its d is n's
		"keyfile/public-jwk-d-true": true, "keyfile/public-jwk-set-private-second": true,
		"keyfile/dp-altered-pkcs1": true, "keyfile/crt-missing-jwk": true,
		"certificate/java-key-store": false, "certificate/java-secret-store": false,
		"certificate/java-trust-store-with-key":  true,
		"certificate/private-key-behind-mention": true, "certificate/private-key-encrypted-beside": false,
		"certificate/private-key-beside": true,
	}
	files, err := hostile.ReadFiles(filepath.FromSlash(corpusDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		want, listed := named[f.Path]
		if !listed {
			continue
		}
		delete(named, f.Path)
		_, err := keyfile.Parse(f.Content)
		var found *keyfile.PrivateKeyError
		if !errors.As(err, &found) {
			t.Errorf("%s: the private key is not seen: %v", f.Path, err)
			continue
		}
		if got := !found.PublicKey.IsZero(); got != want {
			t.Errorf("%s: names %s", f.Path, found.PublicKey)
		}
	}
	for path := range named {
		t.Errorf("%s is not in the corpus", path)
	}
}
