package sealane_test

import (
	"crypto/rsa"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

func TestConfigs(t *testing.T) {
	rdx, ris := testlane.Profile(t, "rdx"), testlane.Profile(t, "riskos")
	for name, c := range map[string]struct {
		config sealane.Config
		says   string
	}{
		"no profile":      {sealane.Config{Side: sealane.ClientSide}, "Profile"},
		"no side":         {sealane.Config{Profile: ris}, "Side"},
		"environment":     {sealane.Config{Profile: ris, Side: sealane.ClientSide, Environment: "UAT"}, `"UAT"`},
		"caller not said": {sealane.Config{Profile: rdx, Side: sealane.ServerSide}, "say how the sender is known"},
		"caller not known": {
			sealane.Config{Profile: rdx, Side: sealane.ServerSide, SenderAuth: "trust me"},
			"say how the sender is known",
		},
		"optional": {
			sealane.Config{Profile: rdx, Side: sealane.ClientSide, Sealing: sealane.SealingOptional},
			"no header that marks sealed messages",
		},
		"empty profile": {sealane.Config{Profile: &profile.Profile{}, Side: sealane.ClientSide}, "name: is"},
		"plain: form": {
			sealane.Config{Profile: ris, Side: sealane.ClientSide, PlainEndpoints: []string{"/api/x"}},
			"is not of the form",
		},
		"plain: any": {
			sealane.Config{Profile: ris, Side: sealane.ClientSide, PlainEndpoints: []string{"POST any"}},
			"is not of the form",
		},
		"plain: sealed": {
			sealane.Config{Profile: ris, Side: sealane.ClientSide, PlainEndpoints: []string{"POST /api/evaluation"}},
			"the profile seals it",
		},
		"plain: variable": {
			sealane.Config{Profile: ris, Side: sealane.ClientSide, PlainEndpoints: []string{"PATCH /api/{x}/{y}"}},
			"the profile seals it",
		},
		"plain: of RDX": {
			sealane.Config{Profile: rdx, Side: sealane.ClientSide, PlainEndpoints: []string{"POST /health"}},
			"the profile seals it",
		},
		"limit":          {sealane.Config{Profile: ris, Side: sealane.ClientSide, MaxPayload: 1<<30 + 1}, "1 GiB"},
		"negative limit": {sealane.Config{Profile: ris, Side: sealane.ClientSide, MaxPayload: -1}, "negative"},
		"nothing to open": {
			sealane.Config{Profile: rdx, Side: sealane.ClientSide, AcceptRSAOAEP: "reason"},
			"nothing is opened",
		},
	} {
		if _, err := sealane.New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissingKeys(t *testing.T) {
	customer, _ := riskos(t)
	token := seal(t, customer, "{}")
	for name, change := range map[string]func(*sealane.Config){
		"no key of ours":        func(c *sealane.Config) { c.Ours = nil },
		"no key of the partner": func(c *sealane.Config) { c.Theirs = nil },
	} {
		c := providerConfig(t)
		change(&c)
		l := testlane.New(t, c)
		for _, err := range []error{l.Ready(), second(l.Open(t.Context(), token)), second(l.Seal(t.Context(), nil))} {
			if !errors.Is(err, sealane.ErrNotSupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestKeyIDWhereTheProfileNeedsOne: without it, nothing would open.
func TestKeyIDWhereTheProfileNeedsOne(t *testing.T) {
	key := testkey.RSA(t, "issuer", 2048)
	sender := testlane.New(t, sealane.Config{
		Profile: testlane.Profile(t, "rdx"),
		Side:    sealane.ClientSide,
		Theirs:  testlane.Ring(t, keyring.Key{State: keyring.Active, Public: &key.PublicKey}),
	})
	for _, err := range []error{sender.Ready(), second(sender.Seal(t.Context(), nil)),
		issuer(t, keyring.Key{State: keyring.Active, Private: key}).Ready()} {
		if !errors.Is(err, sealane.ErrNotSupported) || sealane.FaultOf(err) != "local.no-key-id" {
			t.Error(err)
		}
	}
}

// TestProfileChangedAfterwards: what a lane verifies is fixed when it is made.
func TestProfileChangedAfterwards(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	customer, _ := riskos(t)
	c := providerConfig(t)
	c.Profile = p
	c.PlainEndpoints = []string{"GET /api/evaluation/{eval_id}"}
	l := testlane.New(t, c)
	c.PlainEndpoints[0] = "POST /api/docv/upload"
	if l.IsPlainEndpoint("POST", &url.URL{Path: "/api/docv/upload"}) ||
		!l.IsPlainEndpoint("GET", &url.URL{Path: "/api/evaluation/e-1"}) {
		t.Error("the list of plain endpoints changed behind New's back")
	}
	p.Request.Sign.Alg.Open[0] = "none"
	p.Request.Sign = nil
	in := l.Inbound().Direction()
	in.Sign.Alg.Open[0], in.Encrypt.Enc.Open[0] = "none", "none"
	in.Sign = nil
	l.Profile().Profile().Request.Encrypt.Alg.Open[0] = "RSA-OAEP"
	*l.Ours()[0].Public, *l.Theirs()[0].Public = rsa.PublicKey{}, rsa.PublicKey{}
	if m, err := l.Open(t.Context(),
		testkey.Encrypt(t, []byte("{}"), &testkey.RSA(t, "provider", 2048).PublicKey)); !errors.Is(err,
		sealane.ErrNotJWS) || m != nil {
		t.Errorf("an unsigned message was opened: %v", err)
	}
	if _, err := l.Open(t.Context(), seal(t, customer, "{}")); err != nil {
		t.Error(err)
	}
}

// TestTwoPairs: one key pair for each use, if the partner allows it.
func TestTwoPairs(t *testing.T) {
	sign, enc := testkey.RSA(t, "sign", 2048), testkey.RSA(t, "enc", 2048)
	c := providerConfig(t)
	c.Theirs = testlane.Ring(t,
		keyring.Key{State: keyring.Active, ID: "s", Use: keyring.UseSig, Public: &sign.PublicKey},
		keyring.Key{State: keyring.Active, ID: "e", Use: keyring.UseEnc, Public: &enc.PublicKey})
	provider := testlane.New(t, c)
	customer := testlane.New(t,
		sealane.Config{Profile: c.Profile, Side: sealane.ClientSide,
			Theirs: testkey.Theirs(t, "p1", testkey.RSA(t, "provider", 2048)),
			Ours: testlane.Ring(t, keyring.Key{State: keyring.Active, ID: "s", Use: keyring.UseSig, Private: sign},
				keyring.Key{State: keyring.Active, ID: "e", Use: keyring.UseEnc, Private: enc})})
	for _, ends := range [][2]*sealane.Lane{{customer, provider}, {provider, customer}} {
		if _, err := ends[1].Open(t.Context(), seal(t, ends[0], "{}")); err != nil {
			t.Error(err)
		}
	}
}
