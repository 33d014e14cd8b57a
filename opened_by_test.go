package sealane_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
)

// An error after the decryption says which pair of ours has decrypted the message. Any other error does not.
func TestErrorOpenedBy(t *testing.T) {
	provider := testlane.New(t, providerConfig(t))
	stranger := customerConfig(t)
	stranger.Ours = testkey.Ours(t, "c1", testkey.RSA(t, "a stranger", 2048))
	other := customerConfig(t)
	other.Theirs = testkey.Theirs(t, "p1", testkey.RSA(t, "another provider", 2048))
	small := providerConfig(t)
	small.MaxPayload = 2
	for name, c := range map[string]struct {
		lane  *sealane.Lane
		token []byte
		want  error
		by    bool
	}{
		"another signature": {provider, seal(t, testlane.New(t, stranger), "{}"), sealane.ErrSignature, true},
		"a large payload": {
			testlane.New(t, small), seal(t, testlane.New(t, customerConfig(t)), `{"n":1}`), sealane.ErrTooLarge, true,
		},
		"another pair": {provider, seal(t, testlane.New(t, other), "{}"), sealane.ErrDecryption, false},
		"no token":     {provider, []byte("a.b.c.d.e"), sealane.ErrNotJWE, false},
	} {
		_, err := c.lane.Open(t.Context(), c.token)
		failed, is := errors.AsType[*sealane.Error](err)
		if !is || !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (failed.OpenedBy != nil) != c.by || c.by && !failed.OpenedBy.Public.Equal(provider.Ours()[0].Public) {
			t.Errorf("%s: opened by %v", name, failed.OpenedBy)
		}
	}
}
