package exchange_test

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// Each row of a table is in, or says why not, and does not hold up the others.
func TestImportCSV(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		dir := t.TempDir()
		write := func(name string, data []byte) {
			h.must(os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
		write("a.cer", made(t, fresh(t, "csv a")))
		right := made(t, fresh(t, "csv b"))
		write("b.cer", right)
		write("ten-years.cer", made(t, fresh(t, "csv c"),
			func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(8, 0, 0) }))
		table := "\ufeffpartner,name,profile,side,environment,sealing,contact_email,certificate,sha256\n" +
			"acme,Acme,rdx,client,STAG,required,keys@acme.example,a.cer,\n" +
			"acme,Acme,rdx,client,PROD,required,,b.cer," + strings.Repeat("00", 32) + "\n" + // a wrong checksum
			"acme,Acme,riskos,client,PROD,required,,,\n" + // another profile
			"beta,Beta,rdx,client,STAG,,,,\n" + // sealing is not said
			"gamma,Gamma,rdx,client,STAG,required,,ten-years.cer,\n" +
			"delta,Delta,rdx,client,STAG,required,,../../etc/passwd,\n" +
			"epsilon,Epsilon,rdx,sideways,STAG,required,,,\n" +
			"too,few\n" +
			"zeta,Zeta,riskos,server,DEV,optional,,,\n"
		write("table.csv", []byte(table))
		results := h.imported(filepath.Join(dir, "table.csv"))
		want := []string{"", "does not match", "is there with profile rdx", "required or optional",
			"[validity-length]", "in the folder of the table", "client (egress) or server (ingress)",
			"wrong number of fields", ""}
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
		again := h.imported(filepath.Join(dir, "table.csv"))
		if again[0].Error != "" || len(again[0].Done) != 0 || again[8].Error != "" || len(again[8].Done) != 0 {
			t.Errorf("again: %+v", again)
		}
		// A row is corrected, in a table as another spreadsheet writes it.
		sum := sha256.Sum256(right)
		write("corrected.csv", []byte("partner;name;profile;side;environment;sealing;certificate;sha256\n"+
			"acme;Acme;rdx;client;PROD;required;b.cer;"+hexSum(sum[:])+"\nba\"nk;\n"))
		corrected := h.imported(filepath.Join(dir, "corrected.csv"))
		if len(corrected) != 2 || corrected[0].Error != "" || fmt.Sprint(corrected[0].Done) != "[matched]" ||
			corrected[1].Error == "" || corrected[1].Line != 3 {
			t.Errorf("corrected: %+v", corrected)
		}
		// What a row says otherwise than what is there is no success.
		head := "partner,name,profile,side,environment,sealing,account,contact_name,contact_email,certificate," +
			"sha256,key_id\n"
		for row, want := range map[string]string{
			"acme,Other,rdx,client,STAG,required,,,,,,":        `the row says "Other"`,
			"acme,Acme,rdx,client,STAG,optional,,,,,,":         "sealing required",
			"acme,Acme,rdx,client,STAG,required,cn=other,,,,,": "cn=other",
			"acme,Acme,rdx,client,STAG,required,,Eve,,,,":      "no contact_email",
			"acme,Acme,rdx,client,PROD,required,,,,b.cer," + strings.Repeat("00", 32) +
				",": "not its checksum",
			"acme,Acme,rdx,client,STAG,required,,,,a.cer,," + keyID(4096):                  "4096",
			"acme,Acme,rdx,client,STAG,required,,,keys@acme.example,a.cer,," + keyID(2048): "",
		} {
			write("row.csv", []byte(head+row+"\n"))
			if got := h.imported(filepath.Join(dir, "row.csv")); (want == "") != (got[0].Error == "") ||
				!strings.Contains(got[0].Error, want) || want != "" && len(got[0].Done) > 0 {
				t.Errorf("%s: %+v, want %q", row, got, want)
			}
		}
		write("row.csv", []byte(head+"acme,Acme,rdx,client,STAG,required,,,,a.cer,,"+
			"ffffdadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG\n"))
		if got := h.imported(filepath.Join(dir, "row.csv")); !strings.Contains(got[0].Error, "has the key ID") {
			t.Errorf("another key ID: %+v", got)
		}
		for _, r := range results {
			if strings.Contains(r.Error, "refused") && strings.Contains(fmt.Sprint(r.Done), "received") {
				t.Errorf("a refused certificate was received: %+v", r)
			}
		}
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
			partners, err := tx.Partners(registry.Page{})
			if len(partners) != 4 { // acme, gamma, delta, zeta
				t.Errorf("%d partners", len(partners))
			}
			return err
		}))
	})
}

// refusedTable returns why a table is refused, before any of its rows.
func (h *company) refusedTable(path string) (refused error) {
	h.t.Helper()
	for r, err := range h.anna.ImportCSV(h.t.Context(), path, false) {
		if err == nil {
			h.t.Errorf("%s: %+v", path, r)
		}
		refused = err
	}
	return refused
}

func (h *company) imported(path string) (results []exchange.RowResult) {
	h.t.Helper()
	for r, err := range h.anna.WithReason("the migration").ImportCSV(h.t.Context(), path, false) {
		h.must(err)
		results = append(results, r)
	}
	return results
}

// Spreadsheets write tables in several ways; what is none is refused before anything
// is done.
func TestTableForms(t *testing.T) {
	h := newCompany(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	dir := t.TempDir()
	const table = "partner,name,profile,side,environment,sealing\r\np,Zoë,rdx,client,STAG,required\r\n"
	utf16 := func(order binary.AppendByteOrder, text string) (out []byte) {
		for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
			out = order.AppendUint16(out, unit)
		}
		return out
	}
	for name, data := range map[string][]byte{
		"plain": []byte(table), "mark": []byte("\ufeff" + table), "tabs": []byte(strings.ReplaceAll(table, ",", "\t")),
		"semicolons": []byte(strings.ReplaceAll(table, ",", ";")), "utf-16-le": utf16(binary.LittleEndian,
			strings.ReplaceAll(table, ",", "\t")),
		"utf-16-be": utf16(binary.BigEndian, table),
		"empty-cell": []byte("partner\tname\tprofile\tside\tenvironment\tsealing\taccount\tcaller\n" +
			"p\tZoë\trdx\tclient\tSTAG\trequired\t\t\n"),
	} {
		path := filepath.Join(dir, name)
		h.must(os.WriteFile(path, data, 0o600))
		results := h.imported(path)
		if len(results) != 1 || results[0].Error != "" {
			t.Errorf("%s: %+v", name, results)
		}
	}
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		p, err := tx.Partner("p")
		if p.Name != "Zoë" {
			t.Errorf("the name is %q", p.Name)
		}
		return err
	}))
	for name, c := range map[string]struct{ data, want string }{
		"latin-1":        {strings.Replace(table, "Zoë", "Zo\xeb", 1), "CSV UTF-8"},
		"no heading":     {"", "names the columns"},
		"a column twice": {strings.Replace(table, "name", "partner", 1), "there twice"},
		"unknown column": {strings.Replace(table, "name", "title", 1), `"title" is not known`},
	} {
		path := filepath.Join(dir, "refused")
		h.must(os.WriteFile(path, []byte(c.data), 0o600))
		err := h.refusedTable(path)
		if err == nil || !strings.Contains(said(err), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// Keys of one table that share a prime with one another, or with a key that is known,
// stay out; the same certificate twice is no such thing.
func TestImportedKeysAreCompared(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("known", "rdx", sealane.ClientSide, "STAG")
		a, b, c, d, e := fresh(t, "csv a"), fresh(t, "csv b"), fresh(t, "csv c"), fresh(t, "csv d"), fresh(t, "csv e")
		h.letIn("known", "STAG", made(t, a), "")
		dir := t.TempDir()
		for name, key := range map[string]*rsa.PrivateKey{
			"with-known": testkey.Crossed(a, b), "one": testkey.Crossed(c, d), "other": testkey.Crossed(d,
				e), "alone": fresh(t, "alone"),
		} {
			h.must(os.WriteFile(filepath.Join(dir, name), made(t, key), 0o600))
		}
		h.must(os.Mkdir(filepath.Join(dir, "folder"), 0o700))
		rows := map[string]string{"with-known": "shared-factor", "one": "shared-factor", "other": "shared-factor",
			"alone": "", "folder": "not a regular file"}
		table := "partner,profile,side,environment,sealing,certificate\n"
		for name := range rows {
			cell := name
			if name == "other" { // one may be a file, and the other in its cell
				cell = base64.StdEncoding.EncodeToString(made(t, testkey.Crossed(d, e)))
			}
			table += name + ",rdx,client,STAG,required," + cell + "\n"
		}
		table += "alone,rdx,client,STAG,required,alone\n"
		path := filepath.Join(dir, "table.csv")
		h.must(os.WriteFile(path, []byte(table), 0o600))
		for _, r := range h.imported(path) {
			if want := rows[r.Partner]; (want == "") != (r.Error == "") || !strings.Contains(r.Error, want) {
				t.Errorf("%s: %q, want %q", r.Partner, r.Error, want)
			}
		}
	})
}

// A cell with a private key, or with a part of one, is no name of a file: it is not printed.
func TestImportedCellIsNotShown(t *testing.T) {
	h := newCompany(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	pair := fresh(t, "private cell")
	der := x509.MarshalPKCS1PrivateKey(pair)
	b64 := base64.StdEncoding.EncodeToString(der)
	small, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	h.must(err)
	exponent := base64.RawURLEncoding.EncodeToString(pair.D.Bytes())[:120]
	cells := map[string]string{
		"short key": base64.StdEncoding.EncodeToString(small), "begin": b64[:200], "middle": b64[300:500],
		"base64url": base64.RawURLEncoding.EncodeToString(der[:150]), "hex": hex.EncodeToString(der[:100]),
		"drive": "d:/" + exponent, "address": "key:/" + b64[:180], "web": "https://a.example/" + exponent,
		"windows": `C:\keys\` + exponent, "member": `"d":"` + exponent + `"`, "folder": "../" + exponent,
		"name": "KEY=" + exponent + ".pem", "windows text": `"` + b64[:100] + `\n` + b64[100:200] + `"`,
	}
	for name, cell := range cells {
		path := filepath.Join(t.TempDir(), "table.csv")
		table := "partner,profile,side,environment,sealing,certificate\np,rdx,client,STAG,required,\"" +
			strings.ReplaceAll(cell, `"`, `""`) + "\"\n"
		h.must(os.WriteFile(path, []byte(table), 0o600))
		for _, r := range h.imported(path) {
			secret := cell[len(cell)-60 : len(cell)-30]
			if r.Error == "" || strings.Contains(r.Error, secret) || strings.Contains(r.Error, cell[:40]) {
				t.Errorf("%s: %q", name, r.Error)
			}
		}
	}
	for cell, want := range map[string]string{
		"acme/certificate.pem": "acme/certificate.pem", "https://a.example/acme.pem": "https://a.example/acme.pem",
		`\\server\share\acme.cer`: "server/share/acme.cer",
		"185bc94fc02d25f6de874bc5b12ea5506cb84287144851b44e8f55ae90ff16d9.pem": "185bc94fc02d25f6de87",
	} {
		path := filepath.Join(t.TempDir(), "table.csv")
		h.must(os.WriteFile(path, []byte("partner,profile,side,environment,sealing,certificate\n"+
			"p,rdx,client,STAG,required,"+cell+"\n"), 0o600))
		for _, r := range h.imported(path) {
			if !strings.Contains(r.Error, want) {
				t.Errorf("%s: %q", cell, r.Error)
			}
		}
	}
}

// keyID is a key ID of VCAS for a key of that size.
func keyID(bits int) string {
	return fmt.Sprintf("1234dadc1234b704c1f23dc4-PKE-ACS-Client-%dSHA2-STAG", bits)
}
