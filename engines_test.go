package sealane_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// openssl makes a lane whose RSA operations OpenSSL performs.
func openssl(t *testing.T, c sealane.Config) *sealane.Lane {
	t.Helper()
	library, err := libcrypto.Load()
	if err != nil {
		t.Skipf("libcrypto.so.3 is missing: %v", err)
	}
	var ours, theirs []keyring.Key
	for _, k := range c.Ours.Keys() {
		if k.Private, err = library.NewKey(testkey.RSA(t, map[string]string{"c1": "customer", "p1": "provider"}[k.ID],
			2048)); err != nil {
			t.Fatal(err)
		}
		ours = append(ours, k)
	}
	for _, k := range c.Theirs.Keys() {
		if k.PublicOps, err = library.NewPublicKey(k.Public); err != nil {
			t.Fatal(err)
		}
		theirs = append(theirs, k)
	}
	c.Ours, c.Theirs = testlane.Ring(t, ours...), testlane.Ring(t, theirs...)
	return testlane.New(t, c)
}

// TestEnginesAgree: each engine opens what the other seals, and both refuse every malformed
// message for the same fault.
func TestEnginesAgree(t *testing.T) {
	customer, provider := riskos(t)
	fastCustomer, fastProvider := openssl(t, customerConfig(t)), openssl(t, providerConfig(t))
	for _, ends := range [][2]*sealane.Lane{
		{customer, fastProvider},
		{fastCustomer, provider},
		{fastProvider, customer},
		{provider, fastCustomer},
		{fastCustomer, fastProvider},
	} {
		payload := bytes.Repeat([]byte("0123456789"), 1234)
		message, err := ends[1].Open(t.Context(), seal(t, ends[0], string(payload)))
		if err != nil || !bytes.Equal(message.Payload(), payload) {
			t.Fatal(err)
		}
	}
	for _, v := range malform.Variants() {
		token, err := v.Make(malform.Material{Payload: []byte("{}"), Nested: true, Limit: 1 << 10,
			Signer: testkey.RSA(t, "customer", 2048), SignerID: "c1",
			Recipient: &testkey.RSA(t, "provider", 2048).PublicKey, RecipientID: "p1",
			Other: testkey.RSA(t, "stranger", 2048)})
		if err != nil {
			t.Fatal(err)
		}
		m, err := provider.Open(t.Context(), token)
		fast, fastErr := fastProvider.Open(t.Context(), token)
		if (m == nil) != (fast == nil) || sealane.FaultOf(err) != sealane.FaultOf(fastErr) ||
			errors.Is(err, sealane.ErrDecryption) != errors.Is(fastErr, sealane.ErrDecryption) {
			t.Errorf("%s (%s): Go says %v, OpenSSL %v", v.Code, v.Name, err, fastErr)
		}
	}
}
