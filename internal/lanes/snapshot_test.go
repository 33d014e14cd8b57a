package lanes_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/keyring"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openStore(t testing.TB, path string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+path, o)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func update(t testing.TB, s *store.Store, change func(registry.Tx) error) {
	t.Helper()
	must(t, s.Update(t.Context(), change))
}

// hashKey is the key with which tests store API keys.
func hashKey(t testing.TB) *lanes.HashKey {
	t.Helper()
	h, err := lanes.NewHashKey(bytes.Repeat([]byte{7}, lanes.HashKeySize))
	must(t, err)
	return h
}

// apiKey returns a row of acme's.
func apiKey(t testing.TB, token string, sealing sealane.Sealing) registry.APIKey {
	t.Helper()
	h := hashKey(t)
	sum := h.Token(token)
	k := lanes.APIKey{ID: "a-" + token, Partner: "acme", Environment: "PROD", HMAC: sum[:], Sealing: sealing}
	binding := h.Bind(k)
	return registry.APIKey{ID: k.ID, Partner: k.Partner, Environment: k.Environment, HMAC: k.HMAC,
		Binding: binding[:], Sealing: sealing}
}

// readerOf returns a reader that opens the key of API keys.
func readerOf(t testing.TB, s *store.Store) *lanes.Reader {
	return &lanes.Reader{Store: s, OpenHashKey: func(sealed []byte) (*lanes.HashKey, error) {
		if string(sealed) != "sealed" {
			t.Errorf("the setting is %q", sealed)
		}
		return hashKey(t), nil
	}}
}

// addAcme stores partner acme with PROD, and two API keys.
func addAcme(t testing.TB, s *store.Store) {
	t.Helper()
	update(t, s, func(tx registry.Tx) error {
		required := apiKey(t, "required", sealane.SealingRequired)
		optional := apiKey(t, "optional", sealane.SealingOptional)
		return errors.Join(
			tx.PutSetting(registry.SettingHashKey, []byte("sealed")),
			tx.PutPartner(&registry.Partner{ID: "acme", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide}),
			tx.PutEnvironment(&registry.Environment{Partner: "acme", Name: "PROD", Sealing: sealane.SealingRequired,
				Account: "CN=acme"}),
			tx.PutAPIKey(&required), tx.PutAPIKey(&optional))
	})
}

// keyOf returns a row with the public key of a key pair.
func keyOf(t testing.TB, key *rsa.PrivateKey, k registry.KeyPair) *registry.KeyPair {
	t.Helper()
	var err error
	k.SPKI, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	sum := sha256.Sum256(k.SPKI)
	k.SPKISHA256 = sum[:]
	return &k
}

// certificateOf returns a row of partner acme's with a certificate.
func certificateOf(t testing.TB, key *rsa.PrivateKey, c registry.Certificate) *registry.Certificate {
	t.Helper()
	leaf := testcert.Issue(t, nil, nil, &key.PublicKey, key)
	c.Profile, c.Environment, c.Owner = "riskos", "PROD", registry.Theirs
	id := c.ID
	c = registry.NewCertificate(c, []*x509.Certificate{leaf})
	c.ID = id
	return &c
}

func read(t testing.TB, r *lanes.Reader) *lanes.Snapshot {
	t.Helper()
	s, err := r.Read(t.Context(), now)
	must(t, err)
	return s
}

func TestWhichLane(t *testing.T) {
	db := openStore(t, t.TempDir()+"/registry.db", store.Options{})
	addAcme(t, db)
	s := read(t, readerOf(t, db))
	if s.Len() != 1 || !s.Taken.Equal(now) {
		t.Errorf("%d lanes at %s", s.Len(), s.Taken)
	}
	for token, sealing := range map[string]sealane.Sealing{"required": sealane.SealingRequired,
		" optional\n": sealane.SealingOptional} {
		lane, id, err := s.ByAPIKey(token)
		if err != nil || id != "a-"+strings.TrimSpace(token) || lane.Sealing() != sealing {
			t.Errorf("API key %q: %q, %v", token, id, err)
		}
		if again, _, _ := s.ByAPIKey(token); again != lane {
			t.Errorf("API key %q: another lane", token)
		}
	}
	if _, _, err := s.ByAPIKey("unknown"); !errors.Is(err, lanes.ErrUnknownAPIKey) {
		t.Errorf("unknown API key: %v", err)
	}
	byName, err := s.Lane(lanes.Name{Partner: "acme", Environment: "PROD"})
	must(t, err)
	if lane, err := s.ByAccount("CN=acme"); err != nil || lane != byName {
		t.Errorf("account: %v", err)
	}
	if _, err := s.ByAccount(""); !errors.Is(err, lanes.ErrNotFound) {
		t.Errorf("no account: %v", err)
	}
	if _, err := s.Lane(lanes.Name{Partner: "acme", Environment: "DEV"}); !errors.Is(err, lanes.ErrNotFound) {
		t.Errorf("no such lane: %v", err)
	}
}

// A shared private key is opened when a message needs it, once for all lanes. An error
// is the key's, and not the message's.
func TestPrivateKeysAreOpenedOnce(t *testing.T) {
	db := openStore(t, t.TempDir()+"/registry.db", store.Options{})
	addAcme(t, db)
	ours, theirs := testkey.RSA(t, "lanes ours", 2048), testkey.RSA(t, "lanes theirs", 2048)
	update(t, db, func(tx registry.Tx) error {
		return errors.Join(
			tx.PutPartner(&registry.Partner{ID: "other", Name: "Other", Profile: "riskos", Side: sealane.ServerSide}),
			tx.PutEnvironment(&registry.Environment{Partner: "other", Name: "PROD", Sealing: sealane.SealingRequired}),
			tx.PutKeyPair(keyOf(t, ours, registry.KeyPair{ID: "k-1", Profile: "riskos", Environment: "PROD",
				KeyID: "ours", State: registry.Active, Origin: registry.Imported, Created: now,
				Sealed: []byte("sealed"), SealedAs: 7})),
			tx.PutOffer(&registry.Offer{KeyPair: "k-1", Partner: "acme", At: now, Confirmed: now}),
			tx.PutOffer(&registry.Offer{KeyPair: "k-1", Partner: "other", At: now, Confirmed: now}),
			tx.PutCertificate(certificateOf(t, theirs, registry.Certificate{ID: "c-1", Partner: "acme",
				KeyID: "theirs", State: registry.Active})),
			tx.PutCertificate(certificateOf(t, theirs, registry.Certificate{ID: "c-2", Partner: "other",
				KeyID: "theirs", State: registry.Active})))
	})
	opened := 0
	r := &lanes.Reader{Store: db, Open: func(k lanes.KeyPair) (keyring.Private, error) {
		if k.ID != "k-1" || string(k.Sealed) != "sealed" || k.SealedAs != 7 || k.Partner != "" {
			t.Errorf("%+v", k)
		}
		opened++
		return ours, nil
	}}
	s := read(t, r)
	acme, err := s.Lane(lanes.Name{Partner: "acme", Environment: "PROD"})
	must(t, err)
	other, err := s.Lane(lanes.Name{Partner: "other", Environment: "PROD"})
	must(t, err)
	must(t, errors.Join(acme.Ready(), other.Ready()))
	if opened != 0 {
		t.Errorf("%d keys were opened before a message came", opened)
	}
	for _, lane := range []*sealane.Lane{acme, acme, other} {
		if _, err := lane.Seal(t.Context(), []byte("{}")); err != nil {
			t.Errorf("%s: %v", lane.Name(), err)
		}
	}
	if opened != 1 {
		t.Errorf("the key was opened %d times", opened)
	}

	broken := errors.New("the root key is another")
	r.Open = func(lanes.KeyPair) (keyring.Private, error) { return nil, broken }
	lane, err := read(t, r).Lane(lanes.Name{Partner: "acme", Environment: "PROD"})
	must(t, err)
	if _, err := lane.Seal(t.Context(), []byte("{}")); !errors.Is(err, broken) {
		t.Errorf("sealed by a key that can't be opened: %v", err)
	}
}

// A profile that is not there fails its own lanes, and no others.
func TestProfileThatIsMissing(t *testing.T) {
	db := openStore(t, t.TempDir()+"/registry.db", store.Options{})
	addAcme(t, db)
	update(t, db, func(tx registry.Tx) error {
		return errors.Join(
			tx.PutPartner(&registry.Partner{ID: "lost", Name: "Lost", Profile: "lost", Side: sealane.ServerSide}),
			tx.PutEnvironment(&registry.Environment{Partner: "lost", Name: "PROD", Sealing: sealane.SealingRequired}))
	})
	s := read(t, &lanes.Reader{Store: db})
	if _, err := s.Lane(lanes.Name{Partner: "lost", Environment: "PROD"}); !errors.Is(err, lanes.ErrNotFound) ||
		!strings.Contains(err.Error(), `lane with lost in PROD: profile "lost"`) {
		t.Error(err)
	}
	if _, err := s.Lane(lanes.Name{Partner: "acme", Environment: "PROD"}); err != nil {
		t.Error(err)
	}
}

func TestReadEnds(t *testing.T) {
	db := openStore(t, t.TempDir()+"/registry.db", store.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := (&lanes.Reader{Store: db}).Read(ctx, now); s != nil || !errors.Is(err, context.Canceled) {
		t.Error(s, err)
	}
}
