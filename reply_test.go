package sealane_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// TestSealReply: a response is sealed with the keys that the request used, whatever their
// state is, and with the active ones if those cannot be used.
func TestSealReply(t *testing.T) {
	oldC, newC := testkey.RSA(t, "customer", 2048), testkey.RSA(t, "customer-new", 2048)
	oldP, newP := testkey.RSA(t, "provider", 2048), testkey.RSA(t, "provider-new", 2048)
	c := providerConfig(t)
	c.Ours = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "p-new", Private: newP},
		keyring.Key{State: keyring.Retiring, ID: "p-old", Private: oldP})
	c.Theirs = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "c-old", Public: &oldC.PublicKey},
		keyring.Key{State: keyring.Staged, ID: "c-new", Public: &newC.PublicKey})
	provider := testlane.New(t, c)
	for _, ours := range []keyring.Key{{ID: "c-old", Private: oldC}, {ID: "c-new", Private: newC}} {
		for _, theirs := range []keyring.Key{
			{ID: "p-old", Public: &oldP.PublicKey},
			{ID: "p-new", Public: &newP.PublicKey},
		} {
			ours.State, theirs.State = keyring.Active, keyring.Active
			c := customerConfig(t)
			c.Ours, c.Theirs = testlane.Ring(t, ours), testlane.Ring(t, theirs)
			customer := testlane.New(t, c)
			request, err := provider.Open(t.Context(), seal(t, customer, "{}"))
			if err != nil {
				t.Fatal(err)
			}
			token, err := provider.SealReply(t.Context(), request, []byte(`{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			// The customer has one key pair and one certificate: only the same ones open and verify.
			response, err := customer.Open(t.Context(), token)
			if err != nil {
				t.Fatalf("%s to %s: %v", theirs.ID, ours.ID, err)
			}
			if response.OpenedBy().ID != ours.ID || response.Signer().ID != theirs.ID {
				t.Errorf("opened by %s, signed by %s", response.OpenedBy().ID, response.Signer().ID)
			}
		}
	}
}

// TestSealReplyWithOneUse: keys for one use only are not used for the other.
func TestSealReplyWithOneUse(t *testing.T) {
	sign, enc := testkey.RSA(t, "sign", 2048), testkey.RSA(t, "enc", 2048)
	signP, encP := testkey.RSA(t, "signP", 2048), testkey.RSA(t, "encP", 2048)
	pair := func(id string, use keyring.Use) keyring.Key {
		return keyring.Key{State: keyring.Active, ID: id, Use: use}
	}
	with := func(sig, enc keyring.Key) *keyring.Ring { return testlane.Ring(t, sig, enc) }
	private := func(k keyring.Key, p keyring.Private) keyring.Key { k.Private = p; return k }
	c, p := riskosConfigs(t)
	c.Ours = with(private(pair("cs", keyring.UseSig), sign), private(pair("ce", keyring.UseEnc), enc))
	p.Ours = with(private(pair("ps", keyring.UseSig), signP), private(pair("pe", keyring.UseEnc), encP))
	public := func(r *keyring.Ring) *keyring.Ring {
		var keys []keyring.Key
		for _, k := range r.Infos() {
			keys = append(keys, keyring.Key{ID: k.ID, State: k.State, Use: k.Use, Public: k.Public})
		}
		return testlane.Ring(t, keys...)
	}
	c.Theirs, p.Theirs = public(p.Ours), public(c.Ours)
	customer, provider := testlane.New(t, c), testlane.New(t, p)
	request, err := provider.Open(t.Context(), seal(t, customer, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := provider.SealReply(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, none := range []sealane.Message{nil, new(sealane.Verified), new(sealane.Unverified)} {
		if _, err := provider.SealReply(t.Context(), none, nil); err != nil {
			t.Errorf("without a request: %v", err)
		}
	}
	response, err := customer.Open(t.Context(), token)
	if err != nil || response.Signer().ID != "ps" || response.OpenedBy().ID != "ce" {
		t.Errorf("%v", err)
	}
}

// TestSealReplyInPlain: if responses are not sealed, there is nothing to seal.
func TestSealReplyInPlain(t *testing.T) {
	l := issuer(t, keyring.Key{State: keyring.Active, ID: alias, Private: testkey.RSA(t, "issuer", 2048)})
	request, err := l.OpenUnverified(t.Context(), seal(t, vcas(t, alias, "issuer"), "{}"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.SealReply(t.Context(), request, nil)
	if !errors.Is(err, sealane.ErrUnavailable) || sealane.FaultOf(err) != fault.NotSealing {
		t.Error(err)
	}
}

// TestSealReplyWithoutActiveKey: where a revocation has left no active key, a request that was sealed
// with keys which count is answered all the same.
func TestSealReplyWithoutActiveKey(t *testing.T) {
	own, next := testkey.RSA(t, "customer", 2048), testkey.RSA(t, "provider-new", 2048)
	c := providerConfig(t)
	c.Ours = testlane.Ring(t, keyring.Key{State: keyring.Staged, ID: "p-new", Private: next})
	c.Theirs = testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "c", Public: &own.PublicKey})
	provider := testlane.New(t, c)
	c = customerConfig(t)
	c.Ours, c.Theirs = testkey.Ours(t, "c", own), testkey.Theirs(t, "p-new", next)
	customer := testlane.New(t, c)
	request, err := provider.Open(t.Context(), seal(t, customer, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := provider.SealReply(t.Context(), request, []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := customer.Open(t.Context(), token); err != nil {
		t.Error(err)
	}
	if _, err := provider.Seal(t.Context(), []byte("{}")); !errors.Is(err, sealane.ErrNotSupported) {
		t.Errorf("error %v for a message that begins without an active key", err)
	}
}

// TestOtherKeysOfThree: of three keys, a refused signature is made again with the one that the partner
// may have already, and a message is encrypted again to the one that it may still have.
func TestOtherKeysOfThree(t *testing.T) {
	ring := func(whose string, private bool) *keyring.Ring {
		var keys []keyring.Key
		for _, s := range []keyring.State{keyring.Retiring, keyring.Active, keyring.Staged} {
			k := keyring.Key{State: s, ID: whose + s.String()}
			if key := testkey.RSA(t, k.ID, 2048); private {
				k.Private = key
			} else {
				k.Public = &key.PublicKey
			}
			keys = append(keys, k)
		}
		return testlane.Ring(t, keys...)
	}
	c := customerConfig(t)
	c.Ours, c.Theirs = ring("o-", true), ring("t-", false)
	lane := testlane.New(t, c)
	keys, err := lane.SealKeys()
	if err != nil {
		t.Fatal(err)
	}
	other, found := lane.OtherKeys(keys, sealane.ErrSignature)
	if signer, _ := other.Signer(); !found || signer.State != keyring.Staged {
		t.Errorf("after a refused signature: %v %v", signer, found)
	}
	other, found = lane.OtherKeys(keys, sealane.ErrDecryption)
	if recipient, _ := other.Recipient(); !found || recipient.State != keyring.Retiring {
		t.Errorf("after a refused decryption: %v %v", recipient, found)
	}
}

// TestOtherKeysNewest: of two keys that the partner may still have, a message is encrypted again to the
// newer one: whose certificate began later or, where that is not known, ends later.
func TestOtherKeysNewest(t *testing.T) {
	now := time.Now()
	key := func(id string, s keyring.State, began, ends int) keyring.Key {
		k := keyring.Key{
			State: s, ID: id, Public: &testkey.RSA(t, id, 2048).PublicKey, NotAfter: now.AddDate(0, 0, ends),
		}
		if began != 0 {
			k.NotBefore = now.AddDate(0, 0, began)
		}
		return k
	}
	for name, began := range map[string][2]int{"ends later": {0, 0}, "began later, and ends earlier": {-200, -600}} {
		c := customerConfig(t)
		newer, older := 300, 100
		if began[0] != 0 {
			newer, older = older, newer
		}
		c.Theirs = testlane.Ring(t, key("t-active", keyring.Active, -20, 700),
			key("t-old", keyring.Retiring, began[1], older), key("t-newer", keyring.Retiring, began[0], newer))
		other, found := testlane.New(t, c).OtherKeys(sealane.SealKeys{}, sealane.ErrDecryption)
		if recipient, _ := other.Recipient(); !found || recipient.ID != "t-newer" {
			t.Errorf("%s: it is encrypted to %q, %v", name, recipient.ID, found)
		}
	}
}
