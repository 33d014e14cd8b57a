package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

func TestLanes(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			used, revoked := apiKey("used", "acme", "PROD"), apiKey("revoked", "acme", "PROD")
			revoked.Revoked = noon
			shared, gone := keyPair("shared", "", "PROD"), keyPair("gone", "acme", "PROD")
			gone.State = registry.Retired
			ofGone := certificate("of gone", registry.Ours, "acme", "PROD")
			ofGone.State = registry.Retired
			return all(certificates(tx), tx.PutAPIKey(&used), tx.PutAPIKey(&revoked), tx.PutKeyPair(&shared),
				tx.PutKeyPair(&gone), tx.PutCertificate(&ofGone))
		})
		var got []string
		view(t, s, func(tx registry.Reader) error {
			rows := tx.Lanes()
			return all(
				noted(&got, rows.Partners(),
					func(p lanes.Partner) string { return "partner " + p.ID + " " + p.Profile }),
				noted(&got, rows.Environments(), func(e lanes.Environment) string {
					return "environment " + e.Partner + " " + e.Name + " " + e.Account
				}),
				noted(&got, rows.APIKeys(),
					func(k lanes.APIKey) string { return fmt.Sprintf("key %s %x", k.ID, k.HMAC[:2]) }),
				noted(&got, rows.KeyPairs(),
					func(k lanes.KeyPair) string { return "pair " + k.ID + " " + string(k.Sealed) }),
				noted(&got, rows.Certificates(), func(c lanes.Certificate) string {
					return "certificate " + fmt.Sprint(c.Partner, c.Environment, c.KeyID, c.State, string(c.SPKI))
				}),
				noted(&got, rows.OwnCertificates(), func(c lanes.OwnCertificate) string {
					return fmt.Sprintf("own %q %s %s %s to %s", c.Partner, c.KeyPair, c.Serial,
						c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateTime))
				}))
		})
		slices.Sort(got[0:3]) // of one kind, in no order
		slices.Sort(got[3:6])
		slices.Sort(got[8:10])
		slices.Sort(got[10:])
		want := []string{
			"partner acme riskos", "partner other riskos", "partner third riskos",
			"environment acme PROD acme-PROD-account", "environment other PROD other-PROD-account",
			"environment third STAG third-STAG-account",
			fmt.Sprintf("key used %x", sum("key used")[:2]), "pair shared \x00sealed shared",
			"certificate acmePRODk2activespki of 3", "certificate thirdSTAGk3activespki of 5",
			`own "" p2 0a0b 2026-03-04 to 2026-04-13 12:00:00`,
			`own "acme" p1 0a0b 2026-03-04 to 2026-03-14 12:00:00`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("lanes\n%q, want\n%q", got, want)
		}

		err := s.View(t.Context(), func(tx registry.Reader) error {
			for _, err := range tx.Lanes().APIKeys() {
				if err != nil {
					return err
				}
				break
			}
			// The pass was ended; the transaction goes on.
			_, err := tx.Partner("acme")
			for _, err := range tx.Lanes().Partners() {
				if err != nil {
					return err
				}
				if _, err := tx.Partner("acme"); err == nil {
					t.Error("the transaction was used while its rows were read")
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Pairs that are active have confirmations, imported ones like others, and shared ones like a
// partner's own. Profiles that were added have a source.
func TestLanesOfSharedPairs(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		update(t, s, func(tx registry.Tx) error {
			errs := []error{certificates(tx), tx.PutProfile("ours", []byte("name: ours"))}
			for _, c := range []struct {
				id, partner, origin string
				state               registry.State
			}{
				{"made", "", registry.Made, registry.Active}, {"imported", "", registry.Imported, registry.Active},
				{"staged", "", registry.Made, registry.Staged}, {"own", "acme", registry.Made, registry.Active},
			} {
				k := keyPair(c.id, c.partner, "PROD")
				k.State, k.Origin, k.Created = c.state, c.origin, noon
				offer := registry.Offer{KeyPair: c.id, Partner: "acme", At: noon, Confirmed: noon.Add(time.Hour)}
				unconfirmed := registry.Offer{KeyPair: c.id, Partner: "other", At: noon}
				errs = append(errs, tx.PutKeyPair(&k), tx.PutOffer(&offer), tx.PutOffer(&unconfirmed))
			}
			return all(errs...)
		})
		var got []string
		err := s.ReadLanes(t.Context(), lanes.Scope{}, func(rows lanes.Rows, _ lanes.Extent) error {
			source, err := rows.Profile("ours")
			none, missing := rows.Profile("riskos")
			got = append(got, "profile "+string(source)+string(none))
			return all(err, missing,
				noted(&got, rows.Confirmations(), func(c lanes.Confirmation) string {
					return "confirmed " + c.KeyPair + " " + c.Partner + " " + c.At.Format("15:04")
				}),
				noted(&got, rows.KeyPairs(), func(k lanes.KeyPair) string {
					return fmt.Sprint("pair ", k.ID, " ", k.State)
				}))
		})
		slices.Sort(got)
		want := []string{
			"confirmed imported acme 13:00", "confirmed made acme 13:00", "confirmed own acme 13:00",
			"confirmed staged acme 13:00",
			"pair imported active", "pair made active", "pair own active", "pair staged staged", "profile name: ours",
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, lanes\n%q, want\n%q", err, got, want)
		}
	})
}
