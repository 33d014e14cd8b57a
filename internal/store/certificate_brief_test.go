package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/registry"
)

// A brief certificate has what the whole one has, stored by any program: this one, or one of the
// version before, which knows no columns that repeat the body.
func TestBriefCertificates(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		update(t, s, func(tx registry.Tx) error {
			if err := agreement(tx, "acme", "PROD"); err != nil {
				return err
			}
			for id, name := range map[string]string{"c1": "keys.example", "c2": "keys\x00.example", "c3": ""} {
				c := certificate(id, registry.Theirs, "acme", "PROD")
				c.CommonName, c.Issuer, c.Serial, c.Bits = name, "CN=Issuer", "5dc", 2048
				c.NotBefore = noon.Truncate(time.Second)
				c.Provenance.ReceivedBy = "anna"
				c.Provenance.Waivers = []registry.Waiver{{Rule: "key size", Reason: "until June", At: noon}}
				if err := tx.PutCertificate(&c); err != nil {
					return err
				}
			}
			return nil
		})
		same := func(when string) {
			t.Helper()
			view(t, s, func(tx registry.Reader) error {
				brief, err := tx.Certificates(registry.CertificateQuery{Brief: true})
				if err != nil || len(brief) != 3 {
					t.Fatal(when, len(brief), err)
				}
				for _, got := range brief {
					want, err := tx.Certificate(got.ID)
					if err != nil {
						return err
					}
					want = registry.Certificate{
						ID: want.ID, Owner: want.Owner, Partner: want.Partner, Profile: want.Profile,
						Environment: want.Environment, KeyPair: want.KeyPair, KeyID: want.KeyID, State: want.State,
						NotAfter: want.NotAfter, SHA256: want.SHA256, SPKI: want.SPKI, SPKISHA256: want.SPKISHA256,
						CommonName: want.CommonName, Issuer: want.Issuer,
						Serial: want.Serial, Bits: want.Bits, NotBefore: want.NotBefore,
						Provenance: registry.Provenance{
							ReceivedBy: want.Provenance.ReceivedBy, Waivers: want.Provenance.Waivers,
						},
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s: %s:\n%s", when, got.ID, diff)
					}
				}
				return nil
			})
		}
		same("stored")
		db := raw(t, address)
		for _, statement := range []string{
			"UPDATE certificate_text SET body = REPLACE(REPLACE(body, 'keys', 'new'), 'until June', 'until July')",
			"UPDATE certificate SET version = version + 1",
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		same("stored by an older program")
		update(t, s, func(tx registry.Tx) error {
			c, err := tx.Certificate("c1")
			if err != nil || !strings.HasPrefix(c.CommonName, "new") {
				t.Fatal(c.CommonName, err)
			}
			c.Provenance.Waivers, c.CommonName = nil, "again.example"
			return tx.PutCertificate(&c)
		})
		same("stored again")
	})
}
