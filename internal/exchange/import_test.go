package exchange_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// table writes a file of these lines and returns its path.
func table(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A row is no way to turn a partner round, or to give them another dialect.
func TestImportedPartnerIsThereAlready(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide)
	results := h.imported(table(t, "partner,profile,side,environment,sealing",
		"acme,rdx,server,STAG,required",
		"acme,riskos,client,PROD,required",
		"acme,rdx,client,STAG,required"))
	for i, want := range []string{"we are its client; the row says rdx and server", "is there with profile rdx", ""} {
		if r := results[i]; (want == "") != (r.Error == "") || !strings.Contains(r.Error, want) {
			t.Errorf("line %d: %q, want %q", r.Line, r.Error, want)
		}
	}
	h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
		p, err := tx.Partner("acme")
		environments, more := tx.Environments("acme")
		h.must(more)
		if p.Side != sealane.ClientSide || p.Profile != "rdx" || len(environments) != 1 ||
			environments[0].Name != "STAG" {
			t.Errorf("%s of %s, %d environments", p.Side, p.Profile, len(environments))
		}
		return err
	}))
}

// A table may be imported again however far its certificates have come since; what is
// confirmed is not confirmed again.
func TestImportedAgainAfterConfirming(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	der := made(t, fresh(t, "one"))
	sum := sha256.Sum256(der)
	path := table(t, "partner,profile,side,environment,sealing,certificate,sha256",
		"acme,rdx,client,STAG,required,acme.cer,"+hexSum(sum[:]))
	h.must(os.WriteFile(filepath.Join(filepath.Dir(path), "acme.cer"), der, 0o600))
	first := h.imported(path)
	if len(first) != 1 || first[0].Error != "" || len(first[0].Done) == 0 ||
		first[0].Done[len(first[0].Done)-1] != "matched" {
		t.Fatalf("first: %+v", first)
	}
	id := strings.Fields(first[0].Done[len(first[0].Done)-2])[1]
	for _, state := range []registry.State{registry.Matched, registry.Approved} {
		before := h.head().Seq
		if again := h.imported(path); len(again) != 1 || again[0].Error != "" || len(again[0].Done) != 0 ||
			h.head().Seq != before {
			t.Errorf("again, %s: %+v", state, again)
		}
		if got := h.certificate(id).State; got != state {
			t.Errorf("it is %s, want %s", got, state)
		}
		if state == registry.Matched {
			h.must(h.cora.Approve(t.Context(), id, exchange.Approval{}))
		}
	}
}

// A table needs the column of the partner only. What a new partner or environment needs, its row
// must say.
func TestImportedColumnsThatAreMissing(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	head, row := []string{"partner", "profile", "side", "environment", "sealing", "account"}, []string{"acme", "rdx",
		"client", "STAG", "required", "cn=acme"}
	before := h.head().Seq
	for i, want := range []string{`column "partner" is missing`, "does not say its profile", "does not say its side",
		"names no environment", "required or optional"} {
		path := table(t, strings.Join(slices.Delete(slices.Clone(head), i, i+1), ","),
			strings.Join(slices.Delete(slices.Clone(row), i, i+1), ","))
		if i == 0 {
			wantRefused(t, "without partner", want, h.refusedTable(path))
			continue
		}
		if got := h.imported(path); len(got) != 1 || !strings.Contains(got[0].Error, want) || len(got[0].Done) > 0 {
			t.Errorf("without %s: %+v, want %s", head[i], got, want)
		}
	}
	if h.head().Seq != before {
		t.Error("something was done")
	}
}

// Tables with some of the columns add what they have to partners that are there.
func TestImportedPartOfTheColumns(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "PROD")
	der := made(t, fresh(t, "one"))
	for _, c := range []struct{ head, row, done, want string }{
		{"partner,contact_email", "acme,keys@acme.example", "", "names no environment"},
		{"partner;environment;contact_email", "acme;stag;keys@acme.example", "", "required or optional"},
		{"partner;environment;sealing", "acme;stag;required", "environment", ""},
		{"partner;environment;contact_email", "acme;stag;keys@acme.example", "contact", ""},
		{"partner;environment;contact_email", "acme;stag;keys@acme.example", "", ""},
		{"partner,environment,sha256", "acme,STAG,00", "", "names no certificate"},
		{"environment\tpartner\tcertificate", "STAG\tacme\tacme.cer", "certificate", ""},
		{"partner,name", "acme,Other", "", `the row says "Other"`},
		{"partner", "acme", "", ""},
		{"partner", "nobody", "", "is not there yet, and the row does not say its profile"},
		{"partner,profile,side", "beta,rdx,egress", "partner", ""},
		{"partner,profile,side", "acme,rdx,ingress", "", "the row says rdx and ingress"},
		{"partner,environment", ",STAG", "", "names no partner"},
	} {
		path := table(t, c.head, c.row)
		h.must(os.WriteFile(filepath.Join(filepath.Dir(path), "acme.cer"), der, 0o600))
		got := h.imported(path)
		if len(got) != 1 || (c.want == "") != (got[0].Error == "") || !strings.Contains(got[0].Error, c.want) ||
			!strings.HasPrefix(strings.Join(got[0].Done, " "), c.done) || (c.done == "") != (len(got[0].Done) == 0) {
			t.Errorf("%s: %s: %+v, want %q done, %q", c.head, c.row, got, c.done, c.want)
		}
	}
}

// A trial says of each row what its import would do, and stores nothing.
func TestImportTrial(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		der := made(t, fresh(t, "one"))
		sum := sha256.Sum256(der)
		path := table(t, "partner,name,profile,side,environment,sealing,contact_email,certificate,sha256",
			"acme,Acme,rdx,client,STAG,required,keys@acme.example,acme.cer,"+hexSum(sum[:]),
			"loose,Loose,riskos,server,PROD,optional,,,",
			"acme,Acme,rdx,client,DEV,required,,acme.cer,"+strings.Repeat("00", 32))
		h.must(os.WriteFile(filepath.Join(filepath.Dir(path), "acme.cer"), der, 0o600))
		before := h.head()
		var tried []exchange.RowResult
		for r, err := range h.anna.WithReason("the migration").ImportCSV(t.Context(), path, true) {
			h.must(err)
			tried = append(tried, r)
		}
		if len(tried) != 3 || h.head().Seq != before.Seq {
			t.Fatalf("record %d, then %d; %+v", before.Seq, h.head().Seq, tried)
		}
		if done := strings.Join(tried[0].Done, " "); tried[0].Error != "" ||
			!strings.HasPrefix(done, "partner environment contact certificate") ||
			!strings.HasSuffix(done, "matched") {
			t.Errorf("%+v", tried[0])
		}
		if tried[1].Second == nil || tried[2].Second != nil || !strings.Contains(tried[2].Error, "does not match") {
			t.Errorf("%+v", tried[1:])
		}
		h.must(h.Store.View(t.Context(), func(tx registry.Reader) error {
			partners, err := tx.Partners(registry.Page{})
			if len(partners) != 0 {
				t.Errorf("partners: %+v", partners)
			}
			return err
		}))
		first := h.imported(path)
		if done := strings.Join(first[0].Done, " "); !strings.HasSuffix(done, "matched") {
			t.Errorf("imported: %+v", first)
		}
	})
}

// Rows are named by the line of the file on which they begin, whatever breaks of lines
// their cells, or those before, hold.
func TestImportedLineNumbers(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	path := table(t, "partner,name,profile,side,environment,sealing",
		`p1,"Eva`, // 2 to 4
		``,
		`and partners",rdx,client,STAG,required`,
		`too,few`,    // 5
		`p2,"broken`, // 6 and 7
		`after the "quote" here",rdx,client,STAG,required`,
		``,         // nothing
		`p3,"more`, // 9 and 10
		`lines",rdx,client,STAG,required`,
		`p4,,rdx,sideways,STAG,required`) // 11
	want := []struct {
		line int
		says string
	}{{2, ""}, {5, "wrong number of fields"}, {6, "quote"}, {9, ""}, {11, "client (egress) or server (ingress)"}}
	results := h.imported(path)
	if len(results) != len(want) {
		t.Fatalf("%+v", results)
	}
	for i, r := range results {
		if r.Line != want[i].line || (want[i].says == "") != (r.Error == "") || !strings.Contains(r.Error,
			want[i].says) {
			t.Errorf("%+v, want line %d, %q", r, want[i].line, want[i].says)
		}
	}
}
