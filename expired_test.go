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

// TestExpired: when the certificate of either side has ended, messages are sealed for 14 days more, or not at all,
// or always. They are opened and verified always.
func TestExpired(t *testing.T) {
	const day = 24 * time.Hour
	end := time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)
	ourKey, theirKey := testkey.RSA(t, "customer", 2048), testkey.RSA(t, "provider", 2048)
	for _, test := range []struct {
		expired sealane.Expired
		after   time.Duration
		refused bool
	}{
		{sealane.ExpiredGrace, -time.Second, false},
		{sealane.ExpiredGrace, 0, false},
		{sealane.ExpiredGrace, 14 * day, false},
		{sealane.ExpiredGrace, 14*day + 1, true},
		{sealane.ExpiredRefuse, 0, false},
		{sealane.ExpiredRefuse, 1, true},
		{sealane.ExpiredWarn, 700 * day, false},
	} {
		for _, whose := range []string{"ours", "theirs"} {
			c, p := customerConfig(t), providerConfig(t)
			ours := keyring.Key{ID: "c", State: keyring.Active, Private: ourKey}
			theirs := keyring.Key{ID: "p", State: keyring.Active, Public: &theirKey.PublicKey}
			if whose == "ours" {
				ours.NotAfter = end
			} else {
				theirs.NotAfter = end
			}
			c.Expired, c.Now = test.expired, func() time.Time { return end.Add(test.after) }
			c.Ours, c.Theirs = testlane.Ring(t, ours), testlane.Ring(t, theirs)
			p.Theirs = testlane.Ring(t, keyring.Key{ID: "c", State: keyring.Active, Public: &ourKey.PublicKey})
			p.Ours = testlane.Ring(t, keyring.Key{ID: "p", State: keyring.Active, Private: theirKey})
			customer, provider := testlane.New(t, c), testlane.New(t, p)
			_, err := customer.Seal(t.Context(), []byte("{}"))
			switch {
			case test.refused && (!errors.Is(err, sealane.ErrUnavailable) ||
				sealane.FaultOf(err) != fault.CertificateEnded):
				t.Errorf("%q, %s, %v after the end: %v", test.expired, whose, test.after, err)
			case !test.refused && err != nil:
				t.Errorf("%q, %s, %v after the end: %v", test.expired, whose, test.after, err)
			}
			if _, err := customer.Open(t.Context(), seal(t, provider, "{}")); err != nil {
				t.Errorf("%q, %s, %v after the end, opening: %v", test.expired, whose, test.after, err)
			}
			if err := customer.Ready(); err != nil {
				t.Error(err)
			}
		}
	}
	c := customerConfig(t)
	c.Expired = "never"
	if _, err := sealane.New(c); err == nil {
		t.Error("any word is accepted")
	}
}

// TestOtherKeysExpired: a key whose certificate has ended is none to try next.
func TestOtherKeysExpired(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	c := customerConfig(t)
	c.Expired, c.Now = sealane.ExpiredRefuse, func() time.Time { return now }
	c.Theirs = testlane.Ring(t,
		keyring.Key{ID: "new", State: keyring.Active, Public: &testkey.RSA(t, "provider", 2048).PublicKey},
		keyring.Key{ID: "old", State: keyring.Retiring, Public: &testkey.RSA(t, "old", 2048).PublicKey,
			NotAfter: now.Add(-time.Hour)})
	if keys, found := testlane.New(t, c).OtherKeys(sealane.SealKeys{}, sealane.ErrDecryption); found {
		t.Errorf("%+v", keys)
	}
	c.Expired = sealane.ExpiredWarn
	keys, found := testlane.New(t, c).OtherKeys(sealane.SealKeys{}, sealane.ErrDecryption)
	if to, _ := keys.Recipient(); !found || to.ID != "old" {
		t.Errorf("%v, %+v", found, to)
	}
}

// TestSealKeys: of separate pairs to sign and to decrypt, the one in the state of the pair that opened the
// request signs the reply. The capacity is enough for the largest key.
func TestSealKeys(t *testing.T) {
	pair := func(id string, state keyring.State, use keyring.Use, bits int) keyring.Key {
		return keyring.Key{ID: id, State: state, Use: use, Private: testkey.RSA(t, id, bits)}
	}
	c, p := riskosConfigs(t)
	p.Ours = testlane.Ring(t, pair("sign-new", keyring.Active, keyring.UseSig, 2048),
		pair("enc-new", keyring.Active, keyring.UseEnc, 2048),
		pair("sign-old", keyring.Retiring, keyring.UseSig, 3072),
		pair("enc-old", keyring.Retiring, keyring.UseEnc, 2048))
	provider := testlane.New(t, p)
	for _, age := range []string{"old", "new"} {
		c.Theirs = testlane.Ring(t, keyring.Key{ID: "enc-" + age, State: keyring.Active, Use: keyring.UseEnc,
			Public: &testkey.RSA(t, "enc-"+age, 2048).PublicKey})
		request, err := provider.Open(t.Context(), seal(t, testlane.New(t, c), "{}"))
		if err != nil {
			t.Fatal(err)
		}
		keys, err := provider.ReplyKeys(request)
		if err != nil {
			t.Fatal(err)
		}
		if by, signed := keys.Signer(); !signed || by.ID != "sign-"+age {
			t.Errorf("%s signs the reply to enc-%s", by.ID, age)
		}
		token, err := provider.AppendSealWith(t.Context(), nil, make([]byte, 1000), keys)
		if err != nil || len(token) > provider.SealedLen(1000) {
			t.Errorf("%d bytes, capacity %d: %v", len(token), provider.SealedLen(1000), err)
		}
	}
	if keys, err := provider.ReplyKeys(nil); err != nil {
		t.Error(err)
	} else if active, err := provider.SealKeys(); err != nil || keys != active {
		t.Errorf("%+v, %+v, %v", keys, active, err)
	}
	if _, found := (sealane.SealKeys{}).Recipient(); found {
		t.Error("the zero value has a recipient")
	}
}

// TestOtherKeysOfALaterLane: where the lane has lost the key that the partner refused, the active one is the other.
func TestOtherKeysOfALaterLane(t *testing.T) {
	key := func(id string, s keyring.State) keyring.Key {
		return keyring.Key{ID: id, State: s, Public: &testkey.RSA(t, id, 2048).PublicKey}
	}
	c := customerConfig(t)
	c.Theirs = testlane.Ring(t, key("revoked", keyring.Active))
	before, err := testlane.New(t, c).SealKeys()
	if err != nil {
		t.Fatal(err)
	}
	c.Theirs = testlane.Ring(t, key("next", keyring.Active), key("older", keyring.Retiring))
	keys, found := testlane.New(t, c).OtherKeys(before, sealane.ErrDecryption)
	if to, _ := keys.Recipient(); !found || to.ID != "next" {
		t.Errorf("%v, %s", found, to.ID)
	}
}

// TestReplyAfterTheEnd: a reply is judged when its request is opened. A key whose certificate has ended by then is
// replaced by the active one; one that ends later is used.
func TestReplyAfterTheEnd(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	end := now.Add(time.Hour)
	ours, next := testkey.RSA(t, "customer", 2048), testkey.RSA(t, "next customer", 2048)
	c, p := customerConfig(t), providerConfig(t)
	c.Ours = testlane.Ring(t, keyring.Key{ID: "old", State: keyring.Active, Private: ours})
	p.Expired, p.Now = sealane.ExpiredRefuse, func() time.Time { return now }
	p.Theirs = testlane.Ring(t, keyring.Key{ID: "new", State: keyring.Active, Public: &next.PublicKey},
		keyring.Key{ID: "old", State: keyring.Retiring, Public: &ours.PublicKey, NotAfter: end})
	provider := testlane.New(t, p)
	request, err := provider.Open(t.Context(), seal(t, testlane.New(t, c), "{}"))
	if err != nil {
		t.Fatal(err)
	}
	admitted, err := provider.ReplyKeys(request)
	if to, _ := admitted.Recipient(); err != nil || to.ID != "old" {
		t.Fatalf("%s, %v", to.ID, err)
	}
	now = end.Add(time.Second)
	if _, err := provider.AppendSealWith(t.Context(), nil, []byte("{}"), admitted); err != nil {
		t.Errorf("admitted before the end: %v", err)
	}
	later, err := provider.ReplyKeys(request)
	if to, _ := later.Recipient(); err != nil || to.ID != "new" {
		t.Errorf("opened after the end: %s, %v", to.ID, err)
	}
	if err := provider.MaySeal(admitted); !errors.Is(err, sealane.ErrUnavailable) {
		t.Error(err)
	}
}
