package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// Every table but these has rows that are compared with the audit log. A new one must be among
// the registered, or be named here with the reason.
func TestEveryTableHasRows(t *testing.T) {
	without := map[string]string{
		"audit":            "it is the log itself",
		"api_key_use":      "programs note it without a record",
		"key_use":          "programs note it without a record",
		"node":             "programs report it without a record",
		"observed":         "programs note it without a record",
		"claim":            "programs note it without a record",
		"notice":           "programs note it without a record",
		"notice_look":      "programs note it without a record",
		"mail":             "programs note it without a record, but for its end",
		"installation":     "it is about one database, and no part of a backup",
		"schema_version":   "it is no part of the registry",
		"writer":           "it has no rows",
		"certificate_text": "it is a part of certificate",
	}
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		person := person("ada")
		update(t, s, func(tx registry.Tx) error {
			k, api := keyPair("p", "", "PROD"), apiKey("k", "acme", "PROD")
			request := registry.Request{ID: "r", State: registry.RequestOpen, By: "anna"}
			offer := registry.Offer{KeyPair: "p", Partner: "acme", At: noon}
			c := certificate("c", registry.Theirs, "acme", "PROD")
			n := registry.Renewal{ID: "n", Leg: registry.Leg{Owner: registry.Theirs, Partner: "acme"}}
			return all(agreement(tx, "acme", "PROD"), tx.PutAPIKey(&api), tx.PutKeyPair(&k), tx.PutOffer(&offer),
				tx.PutCertificate(&c), tx.PutRenewal(&n), tx.PutBlocked(registry.Blocked{SPKISHA256: sum("b")}),
				tx.PutPerson(&person),
				tx.PutRequest(&request), tx.PutSetting("s", []byte("1")), tx.PutProfile("ours", []byte("2")))
		})
		var kinds []string
		view(t, s, func(tx registry.Reader) error {
			for row, err := range tx.Rows() {
				if err != nil {
					return err
				}
				kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", row), "registry."))
			}
			return nil
		})
		want := []string{"Partner", "Environment", "APIKey", "KeyPair", "Offer", "Certificate", "Blocked", "Renewal",
			"Request", "Person", "ProfileSource", "Setting"}
		if !slices.Equal(kinds, want) {
			t.Errorf("%q, want %q", kinds, want)
		}
		tables := map[string]bool{}
		for _, column := range strings.Fields(tablesOf(t, address)) {
			name, _, _ := strings.Cut(column, ".")
			if without[name] == "" {
				tables[name] = true
			}
		}
		if len(tables) != len(want)-1 { // a profile is a setting
			t.Errorf("%d tables have rows of the registry: %v; rows of %d are compared with the audit log",
				len(tables), tables, len(want)-1)
		}
	})
}
