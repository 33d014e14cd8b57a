package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

func TestWhatMustBeUnique(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			k, p := apiKey("k1", "acme", "PROD"), person("ada")
			return all(agreement(tx, "acme", "PROD"), agreement(tx, "other", "PROD"), tx.PutAPIKey(&k),
				tx.PutPerson(&p))
		})
		for _, c := range []struct {
			name, says string
			put        func(registry.Tx) error
		}{
			{"account", "acme-PROD-account", func(tx registry.Tx) error {
				e := environment("acme", "STAG")
				e.Account = "acme-PROD-account"
				return tx.PutEnvironment(&e)
			}},
			{"account, by a change", "acme-PROD-account", func(tx registry.Tx) error {
				e, err := tx.Environment("other", "PROD")
				e.Account = "acme-PROD-account"
				return all(err, tx.PutEnvironment(&e))
			}},
			{"API key's HMAC", `"k1"`, func(tx registry.Tx) error {
				k := apiKey("k2", "other", "PROD")
				k.HMAC = sum("key k1")
				return tx.PutAPIKey(&k)
			}},
			{"API key's hash", `"k1"`, func(tx registry.Tx) error {
				k := apiKey("k2", "other", "PROD")
				k.SHA256 = sum("old key k1")
				return tx.PutAPIKey(&k)
			}},
			{"person's hash", `"ada"`, func(tx registry.Tx) error {
				p := person("eve")
				p.SHA256 = sum("person ada")
				return tx.PutPerson(&p)
			}},
		} {
			// The transaction continues, as an import by rows requires.
			err := s.Update(t.Context(), func(tx registry.Tx) error {
				err := c.put(tx)
				p := partner("after " + c.name)
				if err := tx.PutPartner(&p); err != nil {
					t.Errorf("%s: after the refusal: %v", c.name, err)
				}
				return err
			})
			if !errors.Is(err, registry.ErrExists) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", c.name, err)
			}
			for _, secret := range [][]byte{sum("key k1"), sum("person ada")} {
				if strings.Contains(err.Error(), fmt.Sprintf("%x", secret[:4])) {
					t.Errorf("%s: the error holds a hash: %v", c.name, err)
				}
			}
		}
		// No value is not a value: two environments without an account, two people without
		// a token.
		update(t, s, func(tx registry.Tx) error {
			a, b := environment("acme", "DEV"), environment("acme", "DEV2")
			a.Account, b.Account = "", ""
			p, q := person("p"), person("q")
			p.SHA256, q.SHA256 = nil, nil
			return all(tx.PutEnvironment(&a), tx.PutEnvironment(&b), tx.PutPerson(&p), tx.PutPerson(&q))
		})
	})
}

func TestBelongsToNothing(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		for name, put := range map[string]func(registry.Tx) error{
			"environment": func(tx registry.Tx) error {
				e := environment("nobody", "PROD")
				return tx.PutEnvironment(&e)
			},
			"API key": func(tx registry.Tx) error { k := apiKey("k", "nobody", "PROD"); return tx.PutAPIKey(&k) },
			"key pair": func(tx registry.Tx) error {
				k := keyPair("k", "nobody", "PROD")
				return tx.PutKeyPair(&k)
			},
			"certificate": func(tx registry.Tx) error {
				c := certificate("c", registry.Theirs, "nobody", "PROD")
				return tx.PutCertificate(&c)
			},
		} {
			// Whatever the function does with the error, the transaction is lost.
			err := s.Update(t.Context(), func(tx registry.Tx) error { put(tx); return nil })
			if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s of a partner that is not there: %v", name, err)
			}
		}
	})
}

func TestNotThere(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		view(t, s, func(tx registry.Reader) error {
			_, e1 := tx.Partner("x")
			_, e2 := tx.Environment("x", "PROD")
			_, e3 := tx.EnvironmentOfAccount("x")
			_, e4 := tx.APIKey("x")
			_, e5 := tx.APIKeyByHMAC(sum("x"))
			_, e6 := tx.KeyPair("x")
			_, e7 := tx.Certificate("x")
			_, e8 := tx.Person("x")
			_, e9 := tx.PersonBySHA256(nil)
			for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9} {
				if !errors.Is(err, registry.ErrNotFound) {
					t.Errorf("query %d: %v", i+1, err)
				}
			}
			return nil
		})
	})
}

func TestTextsThatOneDatabaseCouldNotKeep(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		for _, id := range []string{"a\x00b", "a\xffb"} {
			p := partner(id)
			if err := s.Update(t.Context(), func(tx registry.Tx) error { return tx.PutPartner(&p) }); err == nil {
				t.Errorf("%q was stored", id)
			}
		}
	})
}
