package store_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

func TestPages(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		// In the order of bytes, which is not that of a language.
		names := []string{"Zulu", "a-b", "a", "aB", "ab", "a_b", "z", "é", "10", "9", "株"}
		update(t, s, func(tx registry.Tx) error {
			for _, n := range names {
				p := partner(n)
				if err := tx.PutPartner(&p); err != nil {
					return err
				}
			}
			return nil
		})
		slices.Sort(names)
		view(t, s, func(tx registry.Reader) error {
			var got []string
			for page := (registry.Page{Limit: 3}); ; {
				some, err := tx.Partners(page)
				if err != nil {
					return err
				}
				if len(some) == 0 {
					break
				}
				for _, p := range some {
					got = append(got, p.ID)
				}
				page.After = got[len(got)-1]
			}
			if !slices.Equal(got, names) {
				t.Errorf("pages %q, want %q", got, names)
			}
			return nil
		})
	})
}

func TestLimitsOfPages(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			for i := range 1001 {
				p := partner(fmt.Sprintf("%04d", i))
				if err := tx.PutPartner(&p); err != nil {
					return err
				}
			}
			return nil
		})
		view(t, s, func(tx registry.Reader) error {
			for limit, want := range map[int]int{0: 100, -1: 100, 7: 7, 1000: 1000, 5000: 1000} {
				got, err := tx.Partners(registry.Page{Limit: limit})
				if err != nil || len(got) != want {
					t.Errorf("limit %d: %d rows, %v", limit, len(got), err)
				}
			}
			return nil
		})
	})
}

// certificates are chosen so that each member of a query selects some of them.
func certificates(tx registry.Tx) error {
	err := all(agreement(tx, "acme", "PROD"), agreement(tx, "other", "PROD"), agreement(tx, "third", "STAG"))
	if err != nil {
		return err
	}
	for i, c := range []struct {
		owner     registry.Owner
		of, in    string
		state     registry.State
		expiresIn time.Duration // in days
		kid, pair string
	}{
		{registry.Ours, "acme", "PROD", registry.Active, 10, "k1", "p1"},
		{registry.Theirs, "acme", "PROD", registry.Retired, 1, "k2", ""},
		{registry.Theirs, "acme", "PROD", registry.Active, 20, "k2", ""},
		{registry.Theirs, "other", "PROD", registry.Received, 5, "k2", ""},
		{registry.Theirs, "third", "STAG", registry.Active, 30, "k3", ""},
		{registry.Ours, "", "STAG", registry.Staged, 40, "k4", "p2"},
	} {
		row := certificate(fmt.Sprint(i+1), c.owner, c.of, c.in)
		row.State, row.KeyID, row.KeyPair = c.state, c.kid, c.pair
		row.NotAfter = noon.Truncate(time.Second).Add(c.expiresIn * 24 * time.Hour)
		if err := tx.PutCertificate(&row); err != nil {
			return err
		}
	}
	return nil
}

func TestCertificateQueries(t *testing.T) {
	type query = registry.CertificateQuery
	in := func(days time.Duration) time.Time { return noon.Truncate(time.Second).Add(days * 24 * time.Hour) }
	usable := []registry.State{registry.Active, registry.Staged, registry.Active}
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, certificates)
		for _, c := range []struct {
			q    query
			want string
		}{
			{query{}, "1 2 3 4 5 6"},
			{query{Page: registry.Page{After: "2", Limit: 2}}, "3 4"},
			{query{Owner: registry.Ours}, "1 6"},
			{query{Partner: "acme"}, "1 2 3"},
			{query{Partner: "acme", Owner: registry.Theirs, States: usable}, "3"},
			{query{Partner: "acme", Environment: "STAG"}, ""},
			{query{Environment: "STAG"}, "5 6"},
			{query{Environment: "STAG", Owner: registry.Ours}, "6"},
			{query{KeyID: "k2"}, "2 3 4"},
			{query{KeyID: "k2", Partner: "acme", States: []registry.State{registry.Active}}, "3"},
			{query{KeyID: "k2", Page: registry.Page{After: "2", Limit: 1}}, "3"},
			{query{KeyPair: "p2"}, "6"},
			{query{States: usable}, "1 3 5 6"},
			{query{States: usable, Page: registry.Page{Limit: 3}}, "1 3 5"},
			{query{States: usable, Page: registry.Page{After: "1", Limit: 2}}, "3 5"},
			{query{States: usable, Environment: "PROD"}, "1 3"},
			{query{States: []registry.State{registry.Received}}, "4"},
			{query{States: usable, Owner: registry.Theirs}, "3 5"},
			{query{SHA256: sum("certificate 4")}, "4"},
			{query{SPKISHA256: sum("spki 5")}, "5"},
			{query{SPKISHA256: sum("spki 5"), Owner: registry.Ours}, ""},
			{query{NotAfterBefore: in(20)}, "1 2 4"},
			{query{NotAfterBefore: in(20).Add(time.Second)}, "1 2 3 4"},
			{query{NotAfterBefore: in(25), States: usable}, "1 3"},
			{query{NotAfterBefore: in(25), States: usable, Owner: registry.Theirs}, "3"},
			{query{NotAfterBefore: in(25), Owner: registry.Theirs, Environment: "PROD",
				Page: registry.Page{After: "2"}}, "3 4"},
			{query{NotAfterBefore: in(25), Partner: "acme"}, "1 2 3"},
		} {
			view(t, s, func(tx registry.Reader) error {
				got, err := tx.Certificates(c.q)
				if found := ids(got, func(c registry.Certificate) string { return c.ID }); found != c.want {
					t.Errorf("%+v: %q, want %q", c.q, found, c.want)
				}
				return err
			})
		}
	})
}

func TestKeyPairQueries(t *testing.T) {
	type query = registry.KeyPairQuery
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			if err := all(agreement(tx, "acme", "PROD"), agreement(tx, "other", "PROD")); err != nil {
				return err
			}
			for i, c := range []struct {
				of, in, profile, kid, root string
				state                      registry.State
			}{
				{"acme", "PROD", "riskos", "k1", "root-1", registry.Active},
				{"acme", "PROD", "riskos", "k2", "root-2", registry.Staged},
				{"other", "PROD", "rdx", "k1", "", registry.Destroyed},
				{"", "PROD", "rdx", "k3", "root-2", registry.Active},
				{"", "STAG", "riskos", "", "root-3", registry.Retired},
			} {
				k := keyPair(fmt.Sprint(i+1), c.of, c.in)
				k.Profile, k.KeyID, k.RootKey, k.State = c.profile, c.kid, c.root, c.state
				if err := tx.PutKeyPair(&k); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range []struct {
			q    query
			want string
		}{
			{query{}, "1 2 3 4 5"},
			{query{Page: registry.Page{After: "3", Limit: 1}}, "4"},
			{query{Profile: "rdx"}, "3 4"},
			{query{Partner: "acme"}, "1 2"},
			{query{Shared: true}, "4 5"},
			{query{Shared: true, Profile: "riskos", Environment: "STAG"}, "5"},
			{query{Environment: "STAG"}, "5"},
			{query{KeyID: "k1"}, "1 3"},
			{query{KeyID: "k1", Partner: "other"}, "3"},
			{query{States: []registry.State{registry.Active, registry.Destroyed}}, "1 3 4"},
			{query{States: []registry.State{registry.Active}, Shared: true}, "4"},
			{query{SPKISHA256: sum("pair 2")}, "2"},
			{query{RootKeyNot: "root-2"}, "1 5"}, // destroyed keys are under no root key
			{query{RootKeyNot: "root-2", Page: registry.Page{After: "1"}}, "5"},
			{query{RootKeyNot: "root-9", States: []registry.State{registry.Active, registry.Retired}}, "1 4 5"},
		} {
			view(t, s, func(tx registry.Reader) error {
				got, err := tx.KeyPairs(c.q)
				if found := ids(got, func(k registry.KeyPair) string { return k.ID }); found != c.want {
					t.Errorf("%+v: %q, want %q", c.q, found, c.want)
				}
				return err
			})
		}
	})
}

func TestListsOfAPartner(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			e := environment("acme", "DEV")
			k1, k2, k3 := apiKey("k1", "acme", "PROD"), apiKey("k2", "acme", "PROD"), apiKey("k3", "acme", "DEV")
			eve, ada := person("eve"), person("ada")
			return all(agreement(tx, "acme", "PROD"), agreement(tx, "acmee", "PROD"), tx.PutEnvironment(&e),
				tx.PutAPIKey(&k2), tx.PutAPIKey(&k1), tx.PutAPIKey(&k3), tx.PutPerson(&eve), tx.PutPerson(&ada))
		})
		view(t, s, func(tx registry.Reader) error {
			environments, e1 := tx.Environments("acme")
			keys, e2 := tx.APIKeys("acme", "PROD")
			people, e3 := tx.People()
			of, e4 := tx.EnvironmentOfAccount("acmee-PROD-account")
			who, e5 := tx.PersonBySHA256(sum("person eve"))
			got := strings.Join([]string{
				ids(environments, func(e registry.Environment) string { return e.Name }),
				ids(keys, func(k registry.APIKey) string { return k.ID }),
				ids(people, func(p registry.Person) string { return p.ID }),
				of.Partner, who.ID,
			}, ", ")
			if want := "DEV PROD, k1 k2, ada eve, acmee, eve"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			return all(e1, e2, e3, e4, e5)
		})
	})
}

// noted adds a text of each row to got.
func noted[T any](got *[]string, rows iter.Seq2[T, error], text func(T) string) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		*got = append(*got, text(row))
	}
	return nil
}

func TestPublicKeys(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			k := keyPair("p", "", "PROD")
			return all(certificates(tx), tx.PutKeyPair(&k))
		})
		view(t, s, func(tx registry.Reader) error {
			var got []string
			err := noted(&got, tx.PublicKeys(0), func(k registry.PublicKey) string { return string(k.SPKI) })
			slices.Sort(got)
			want := []string{"spki \x00\xff of pair p", "spki of 1", "spki of 2", "spki of 3", "spki of 4",
				"spki of 5", "spki of 6"}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			n := 0
			var stopped error
			for _, stopped = range tx.PublicKeys(0) {
				if n++; n == 3 {
					break
				}
			}
			if n != 3 {
				t.Errorf("%d keys were returned to a caller that wanted 3", n)
			}
			return all(err, stopped)
		})
	})
}

// A row that was read in a list, without its file, keeps the file.
func TestFilesStay(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		c := certificate("c1", registry.Theirs, "acme", "PROD")
		file := string(c.Provenance.File)
		update(t, s, func(tx registry.Tx) error { return all(agreement(tx, "acme", "PROD"), tx.PutCertificate(&c)) })
		update(t, s, func(tx registry.Tx) error {
			list, err := tx.Certificates(registry.CertificateQuery{Partner: "acme"})
			if err != nil || len(list) != 1 || list[0].Provenance.File != nil {
				t.Fatalf("%d certificates, %v; a list has no files", len(list), err)
			}
			return tx.PutCertificate(&list[0])
		})
		view(t, s, func(tx registry.Reader) error {
			c, err := tx.Certificate("c1")
			if string(c.Provenance.File) != file || c.Version != 2 {
				t.Errorf("version %d has the file %q", c.Version, c.Provenance.File)
			}
			return err
		})
	})
}
