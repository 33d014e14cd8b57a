package sealane_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
)

// TestDefaults: the values of what a configuration omits.
func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		config sealane.Config
		name   string
	}{
		{sealane.Config{Profile: testlane.Profile(t, "riskos"), Side: sealane.ClientSide}, "riskos/provider/DEV"},
		{sealane.Config{Profile: testlane.Profile(t, "riskos"), Side: sealane.ServerSide}, "riskos/customer/DEV"},
		{sealane.Config{Profile: testlane.Profile(t, "rdx"), Side: sealane.ClientSide, Environment: "PROD"},
			"rdx/issuer/PROD"},
		{sealane.Config{Profile: testlane.Profile(t, "riskos"), Side: sealane.ServerSide, Partner: "acme"},
			"riskos/acme/DEV"},
	} {
		l := testlane.New(t, c.config)
		if l.Name() != c.name || l.Sealing() != sealane.SealingRequired ||
			l.MaxPayload() != sealane.DefaultMaxPayload {
			t.Errorf("%s: sealing %s, %d bytes; want %s", l.Name(), l.Sealing(), l.MaxPayload(), c.name)
		}
	}
}

// TestRules: each rule is broken, or just kept.
func TestRules(t *testing.T) {
	ris, rdx, unsigned := testlane.Profile(t, "riskos"), testlane.Profile(t, "rdx"), testlane.Profile(t, "riskos")
	unsigned.Response.Sign = nil
	client, server := sealane.ClientSide, sealane.ServerSide
	for _, c := range []struct {
		config sealane.Config
		says   string // "" if it is valid
	}{
		{sealane.Config{Profile: ris, Side: client, MaxPayload: 1 << 30}, ""},
		{sealane.Config{Profile: ris, Side: client, MaxPayload: 1<<30 + 1}, "1 GiB"},
		{sealane.Config{Profile: ris, Side: client, MaxPayload: 1}, ""},
		{sealane.Config{Profile: ris, Side: client, Sealing: "maybe"}, `"maybe"`},
		{sealane.Config{Profile: ris, Side: client, PlainEndpoints: []string{"GET /api/x"}}, ""},
		{sealane.Config{Profile: ris, Side: client, PlainEndpoints: []string{"get /api/x"}}, "not of the form"},
		{sealane.Config{Profile: ris, Side: client, PlainEndpoints: []string{"GET api/x"}}, "not of the form"},
		{sealane.Config{Profile: ris, Side: client, PlainEndpoints: []string{"GET /x", "POST /api/evaluation"}},
			"seals it"},
		{sealane.Config{Profile: unsigned, Side: client}, "how the sender is known"},
		{sealane.Config{Profile: unsigned, Side: client, SenderAuth: sealane.SenderTLS}, ""},
		{sealane.Config{Profile: rdx, Side: server, SenderAuth: sealane.SenderTLS}, "how the sender is known"},
		{sealane.Config{Profile: rdx, Side: server, SenderAuth: sealane.SenderOAuth2}, ""},
	} {
		_, err := sealane.New(c.config)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.says)
		}
	}
}

// TestPlainEndpointsOfTheCaller: writing to the slice that a lane was made with does not
// allow anything.
func TestPlainEndpointsOfTheCaller(t *testing.T) {
	c := customerConfig(t)
	c.PlainEndpoints = []string{"GET /api/x"}
	l := testlane.New(t, c)
	c.PlainEndpoints[0] = "POST /api/evaluation"
	sealed, plain := &url.URL{Path: "/api/evaluation"}, &url.URL{Path: "/api/x"}
	if l.IsPlainEndpoint("POST", sealed) || !l.IsPlainEndpoint("GET", plain) {
		t.Error("the lane's endpoints changed")
	}
}

// TestLargestMessage: a payload of MaxPayload opens, with headers of the largest size, and
// the token is not longer than MaxToken.
func TestLargestMessage(t *testing.T) {
	const limit = 1 << 20
	c, p := riskosConfigs(t)
	c.MaxPayload, p.MaxPayload = limit, limit
	customer, provider := testlane.New(t, c), testlane.New(t, p)
	token := seal(t, customer, strings.Repeat("x", limit))
	if len(token) > provider.MaxToken() {
		t.Errorf("the token has %d bytes, MaxToken is %d", len(token), provider.MaxToken())
	}
	if m, err := provider.Open(t.Context(), token); err != nil || len(m.Payload()) != limit {
		t.Error(err)
	}
	for _, members := range []string{`"alg":"RS256","x":"`, `"alg":"RS256","kid":"c1","x":"`} {
		head := "{" + members + strings.Repeat("x", 4<<10-len(members)-len(`{"}`)) + `"}`
		jws := signedUnder(t, head, strings.Repeat("x", limit), testkey.RSA(t, "customer", 2048))
		token := testkey.Encrypt(t, jws, &testkey.RSA(t, "provider", 2048).PublicKey)
		if m, err := provider.Open(t.Context(), token); err != nil || len(m.Payload()) != limit {
			t.Errorf("a header of %d bytes: %v", len(head), err)
		}
	}
}

// cancellingOpener decrypts, and cancels the caller's context at the same time.
type cancellingOpener struct {
	*rsa.PrivateKey
	cancel context.CancelFunc
}

func (c cancellingOpener) Decrypt(r io.Reader, text []byte, o crypto.DecrypterOpts) ([]byte, error) {
	defer c.cancel()
	return c.PrivateKey.Decrypt(r, text, o)
}

// TestCancelledMeanwhile: a message is not verified for a caller that is gone.
func TestCancelledMeanwhile(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := providerConfig(t)
	c.Ours = testkey.Ours(t, "p1", cancellingOpener{testkey.RSA(t, "provider", 2048), cancel})
	m, err := testlane.New(t, c).Open(ctx, seal(t, testlane.New(t, customerConfig(t)), "{}"))
	if !errors.Is(err, context.Canceled) || m != nil {
		t.Error(err)
	}
}

// TestUnsignedPayloadEnds: appending to it does not overwrite what follows it in the
// buffer.
func TestUnsignedPayloadEnds(t *testing.T) {
	l := issuer(t, keyring.Key{State: keyring.Active, ID: alias, Private: testkey.RSA(t, "issuer", 2048)})
	m, err := l.OpenUnverified(t.Context(), seal(t, vcas(t, alias, "issuer"), `{"a":1}`))
	if err != nil || cap(m.Payload()) != len(`{"a":1}`) {
		t.Errorf("%v, capacity %d", err, cap(m.Payload()))
	}
}

// TestActiveKeysSeal: whatever the order in the rings, the active key signs and is
// encrypted to. The partner does not know a staged one yet, and may have removed a retiring
// one.
func TestActiveKeysSeal(t *testing.T) {
	pair := func(id string, s keyring.State) keyring.Key {
		return keyring.Key{State: s, ID: id, Private: testkey.RSA(t, id, 2048)}
	}
	public := func(id string, s keyring.State) keyring.Key {
		return keyring.Key{State: s, ID: id, Public: &testkey.RSA(t, id, 2048).PublicKey}
	}
	for _, state := range []keyring.State{keyring.Staged, keyring.Retiring} {
		c, p := riskosConfigs(t)
		c.Ours = testlane.Ring(t, pair("other", state), pair("customer", keyring.Active))
		c.Theirs = testlane.Ring(t, public("third", state), public("provider", keyring.Active))
		p.Ours = testlane.Ring(t, pair("provider", keyring.Active))
		p.Theirs = testlane.Ring(t, public("customer", keyring.Active))
		m, err := testlane.New(t, p).Open(t.Context(), seal(t, testlane.New(t, c), "{}"))
		if err != nil || m.Signer().ID != "customer" || m.OpenedBy().ID != "provider" {
			t.Errorf("with %s keys: %v", state, err)
		}
		// Without an active key nothing is sealed.
		c.Ours = testlane.Ring(t, pair("other", state))
		if _, err := testlane.New(t, c).Seal(t.Context(), nil); !errors.Is(err, sealane.ErrNotSupported) {
			t.Errorf("signed by a %s key: %v", state, err)
		}
		c.Ours, c.Theirs = p.Ours, testlane.Ring(t, public("third", state))
		if _, err := testlane.New(t, c).Seal(t.Context(), nil); !errors.Is(err, sealane.ErrNotSupported) {
			t.Errorf("encrypted to a %s key: %v", state, err)
		}
	}
}
