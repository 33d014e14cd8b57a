package store_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// PostgreSQL only: uses of API keys are stored while another program writes, and for as long as it does.
func TestUsesDoNotWaitForWriters(t *testing.T) {
	address := pgtest.URL(t)
	writer, node := open(t, address), open(t, address)
	update(t, writer, func(tx registry.Tx) error {
		k := apiKey("k", "acme", "PROD")
		return all(agreement(tx, "acme", "PROD"), tx.PutAPIKey(&k))
	})
	update(t, writer, func(tx registry.Tx) error {
		k, err := tx.APIKey("k")
		if err != nil {
			return err
		}
		k.Label = "changed meanwhile"
		return all(tx.PutAPIKey(&k), node.UsedAPIKeys(t.Context(), map[string]time.Time{"k": noon}))
	})
	view(t, node, func(tx registry.Reader) error {
		k, err := tx.APIKey("k")
		if k.Label != "changed meanwhile" || !k.LastUsed.Equal(noon.Truncate(time.Microsecond)) {
			t.Errorf("%+v", k)
		}
		return err
	})
}
