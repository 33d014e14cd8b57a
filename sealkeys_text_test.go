package sealane_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// rotating returns the configuration of a provider with two pairs of ours and two keys of the partner, the
// first of which are active.
func rotating(t *testing.T, ended time.Time) sealane.Config {
	t.Helper()
	c := providerConfig(t)
	newP, oldP := testkey.RSA(t, "provider-new", 2048), testkey.RSA(t, "provider", 2048)
	newC, oldC := testkey.RSA(t, "customer-new", 2048), testkey.RSA(t, "customer", 2048)
	c.Ours = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "p-new", Private: newP},
		keyring.Key{State: keyring.Retiring, ID: "p-old", Private: oldP, NotAfter: ended})
	c.Theirs = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "c-new", Public: &newC.PublicKey},
		keyring.Key{State: keyring.Retiring, ID: "c-old", Public: &oldC.PublicKey, NotAfter: ended})
	return c
}

// The text of keys leads back to them, on another lane with the same keys. The active ones are used in place of
// those that the lane does not have any more, and of those whose certificates have ended.
func TestSealKeysText(t *testing.T) {
	opening := testlane.New(t, rotating(t, time.Time{}))
	old := customerConfig(t)
	old.Theirs = testkey.Theirs(t, "p-old", testkey.RSA(t, "provider", 2048))
	request, err := opening.Open(t.Context(), seal(t, testlane.New(t, old), "{}"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := opening.ReplyKeys(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := keys.MarshalText()
	if err != nil || len(text) != 87 {
		t.Fatalf("%s: %v", text, err)
	}
	ended, other := rotating(t, time.Now().AddDate(0, -1, 0)), rotating(t, time.Time{})
	other.Ours = testkey.Ours(t, "p-3", testkey.RSA(t, "provider-3", 2048))
	for name, c := range map[string]struct {
		config            sealane.Config
		text              string
		signer, recipient string
	}{
		"the same keys": {rotating(t, time.Time{}), string(text), "p-old", "c-old"},
		"they ended":    {ended, string(text), "p-new", "c-new"},
		"another pair":  {other, string(text), "p-3", "c-old"},
		"no keys":       {other, "-.-", "p-3", "c-new"},
		"unknown keys":  {other, strings.Repeat("A", 43) + "." + strings.Repeat("A", 43), "p-3", "c-new"},
	} {
		read, err := testlane.New(t, c.config).ReadKeys([]byte(c.text))
		signer, _ := read.Signer()
		recipient, _ := read.Recipient()
		if err != nil || signer.ID != c.signer || recipient.ID != c.recipient {
			t.Errorf("%s: %q, %q, %v", name, signer.ID, recipient.ID, err)
		}
	}
}

// A text that MarshalText does not write is refused, and so are keys if nothing may be sealed with the active ones.
func TestSealKeysTextRefused(t *testing.T) {
	lane, sum := testlane.New(t, rotating(t, time.Time{})), strings.Repeat("A", 43)
	for _, text := range []string{
		"", ".", "-", sum, sum + sum, sum + ".", "." + sum, sum + "." + sum + ".", sum + "." + sum + "\n", "-.-.-",
		sum + "=." + sum, sum[1:] + "." + sum, sum[1:] + "+." + sum, sum[1:] + "B." + sum, sum[1:] + "\n." + sum,
		"active.active", strings.Repeat(sum, 100) + "." + sum,
	} {
		if _, err := lane.ReadKeys([]byte(text)); !errors.Is(err, sealane.ErrSealKeysText) {
			t.Errorf("%q: %v", text, err)
		}
	}
	c := rotating(t, time.Time{})
	c.Theirs = testlane.Ring(t, keyring.Key{
		State: keyring.Active, ID: "c", Public: &testkey.RSA(t, "customer", 2048).PublicKey,
		NotAfter: time.Now().AddDate(0, -1, 0),
	})
	if _, err := testlane.New(t, c).ReadKeys([]byte("-.-")); !errors.Is(err, sealane.ErrUnavailable) {
		t.Error(err)
	}
}
