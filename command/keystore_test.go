package command

import (
	"context"

	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// The scripts' program has a key store with one key, as a program of a user's own may have.
func init() {
	kms.Register("test-store", func(context.Context, string, kms.Options) (*kms.Key, error) {
		return &kms.Key{Private: storedKey{testkey.Fixed()}, KeyID: "store-1"}, nil
	})
}

// storedKey hides that the key is in memory.
type storedKey struct{ keyring.Private }
