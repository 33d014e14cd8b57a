package exchange_test

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/registry"
)

// Each row of a table is in, or says why not, and does not hold up the others.
func TestImportCSV(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newHouse(t, address())
		dir := t.TempDir()
		write := func(name string, data []byte) {
			h.must(os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
		write("a.cer", made(t, fresh(t, "csv a")))
		right := made(t, fresh(t, "csv b"))
		write("b.cer", right)
		write("ten-years.cer", made(t, fresh(t, "csv c"), func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(8, 0, 0) }))
		table := "\ufeffpartner,name,profile,side,environment,sealing,contact_email,certificate,sha256\n" +
			"acme,Acme,rdx,client,STAG,required,keys@acme.example,a.cer,\n" +
			"acme,Acme,rdx,client,PROD,required,,b.cer,00\n" + // a wrong checksum
			"acme,Acme,riskos,client,PROD,required,,,\n" + // another profile
			"beta,Beta,rdx,client,STAG,,,,\n" + // sealing is not said
			"gamma,Gamma,rdx,client,STAG,required,,ten-years.cer,\n" +
			"delta,Delta,rdx,client,STAG,required,,../../etc/passwd,\n" +
			"epsilon,Epsilon,rdx,sideways,STAG,required,,,\n" +
			"too,few\n" +
			"zeta,Zeta,riskos,server,DEV,optional,,,\n"
		write("table.csv", []byte(table))
		results, err := h.anna.ImportCSV(t.Context(), filepath.Join(dir, "table.csv"), "migration")
		h.must(err)
		want := []string{"", "does not match", "is there with profile rdx", "required or optional", "[validity-length]", "beside the table", "client or server", "wrong number of fields", ""}
		if len(results) != len(want) {
			t.Fatalf("%d results", len(results))
		}
		for i, r := range results {
			if r.Line != i+2 || (want[i] == "") != (r.Error == "") || !strings.Contains(r.Error, want[i]) {
				t.Errorf("line %d: %+v, want %q", i+2, r, want[i])
			}
		}
		if done := fmt.Sprint(results[0].Done); !strings.Contains(done, "partner environment contact certificate c-") {
			t.Errorf("done: %s", done)
		}
		// Again: what is there stays.
		again, err := h.anna.ImportCSV(t.Context(), filepath.Join(dir, "table.csv"), "migration")
		h.must(err)
		if again[0].Error != "" || fmt.Sprint(again[0].Done) != "[contact]" || again[8].Error != "" || len(again[8].Done) != 0 {
			t.Errorf("again: %+v", again)
		}
		// A row is mended, in a table as another spreadsheet writes it.
		sum := sha256.Sum256(right)
		write("mended.csv", []byte("partner;name;profile;side;environment;sealing;certificate;sha256\nacme;Acme;rdx;client;PROD;required;b.cer;"+hexSum(sum[:])+"\nba\"nk;\n"))
		mended, err := h.anna.ImportCSV(t.Context(), filepath.Join(dir, "mended.csv"), "migration")
		h.must(err)
		if len(mended) != 2 || mended[0].Error != "" || fmt.Sprint(mended[0].Done) != "[confirmed]" || mended[1].Error == "" || mended[1].Line != 3 {
			t.Errorf("mended: %+v", mended)
		}
		h.must(h.Store.View(t.Context(), func(tx registry.Tx) error {
			partners, err := tx.Partners(registry.Page{})
			if len(partners) != 5 { // acme, beta, gamma, delta, zeta
				t.Errorf("%d partners", len(partners))
			}
			return err
		}))
	})
}
