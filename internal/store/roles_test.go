package store_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/internal/store/pgtest"
)

// documented returns the SQL of docs/operating.md that makes two roles, block by block, with
// names that no other test has.
func documented(t *testing.T) (blocks []string, suffix string) {
	t.Helper()
	suffix = "_" + strings.ToLower(rand.Text())
	_, section, _ := strings.Cut(
		string(read(t, "../../docs/operating.md")),
		"## PostgreSQL: an owner and an application",
	)
	section, _, _ = strings.Cut(section, "\n## ")
	for {
		_, rest, found := strings.Cut(section, "```sql\n")
		if !found {
			return blocks, suffix
		}
		var block string
		block, section, _ = strings.Cut(rest, "```")
		for _, name := range []string{"sealane_owner", "sealane_app", "DATABASE sealane"} {
			block = strings.ReplaceAll(block, name, name+suffix)
		}
		blocks = append(blocks, block)
	}
}

// runs runs statements one by one, as some may not be in a transaction.
func runs(t *testing.T, db *sql.DB, block string) {
	t.Helper()
	for statement := range strings.SplitSeq(block, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// PostgreSQL only: what the documentation makes of two roles is enough for every change by the
// application, and too little to change the audit log or the schema.
func TestTwoRoles(t *testing.T) {
	super := pgtest.URL(t)
	blocks, suffix := documented(t)
	if len(blocks) != 4 {
		t.Fatalf("docs/operating.md has %d blocks", len(blocks))
	}
	as := func(role, database string) string {
		u, err := url.Parse(super)
		if err != nil {
			t.Fatal(err)
		}
		if role != "" {
			u.User = url.User(role + suffix)
		}
		u.Path = "/" + database
		return u.String()
	}
	name, root := "sealane"+suffix, raw(t, super)
	t.Cleanup(func() {
		runs(t, raw(t, super), "DROP DATABASE "+name+" WITH (FORCE);\nDROP ROLE sealane_app"+suffix+
			";\nDROP ROLE sealane_owner"+suffix+";\n")
	})
	runs(t, root, blocks[0])
	runs(t, raw(t, as("sealane_owner", name)), blocks[1])
	runs(t, root, blocks[2])

	app := as("sealane_app", name)
	if s, err := store.Open(t.Context(), app, store.Options{}); err == nil {
		s.Close()
		t.Error("the application made the tables")
	} else if !strings.Contains(err.Error(), "docs/operating.md") {
		t.Error(err)
	}
	owner, err := store.Open(t.Context(), as("sealane_owner", name), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	runs(t, raw(t, as("sealane_owner", name)), blocks[3])

	s := open(t, app)
	changesAs(t, s)
	for _, table := range tables(t, raw(t, as("sealane_owner", name))) {
		var rows int
		if err := raw(t, app).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil {
			t.Error(err)
		} else if rows == 0 && table != "writer" && table != "node" { // locked, removed
			t.Errorf("changesAs adds no row to %s", table)
		}
	}
	for _, statement := range []string{
		"UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit", "DELETE FROM certificate",
		"CREATE TABLE mine (id TEXT)", "ALTER TABLE partner ADD COLUMN mine TEXT", "DROP TABLE blocked",
		"INSERT INTO schema_version (version) VALUES (99)", "CREATE SCHEMA mine",
		"ALTER TABLE audit DISABLE TRIGGER ALL", "CREATE TABLE public.mine (id TEXT)",
	} {
		if _, err := raw(t, app).ExecContext(t.Context(), statement); err == nil {
			t.Errorf("the application may: %s", statement)
		}
	}
}

// changesAs makes changes of each kind of row that the store has, and reads everything.
func changesAs(t *testing.T, s *store.Store) {
	t.Helper()
	r, ctx := &registry.Registry{Store: s}, t.Context()
	token, err := r.Found(ctx, registry.Person{ID: "anna", Roles: []registry.Role{registry.Operator}})
	if err != nil {
		t.Fatal(err)
	}
	anna, err := r.Login(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rootkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(registry.Tx) error) error {
		return anna.Change(ctx, registry.Entry{Action: registry.ActionBackup, Subject: "x/y"},
			func(tx registry.Tx, _ *registry.Entry) error { return f(tx) })
	}
	everything := func(tx registry.Tx) error {
		k, api, eve := keyPair("p", "", "PROD"), apiKey("k", "acme", "PROD"), person("eve")
		offer, c := registry.Offer{
			KeyPair: "p",
			Partner: "acme",
			At:      noon,
		}, certificate("c", registry.Theirs, "acme", "PROD")
		api.Revoked, api.Binding = noon, nil // no key of this registry has made its MAC
		return errors.Join(agreement(tx, "acme", "PROD"), tx.PutAPIKey(&api), tx.PutKeyPair(&k), tx.PutOffer(&offer),
			tx.PutCertificate(&c), tx.PutBlocked(registry.Blocked{SPKISHA256: sum("b")}), tx.PutPerson(&eve),
			tx.PutSetting("s", []byte("1")), tx.PutProfile("ours", []byte("2")),
			tx.PutPartner(pointer(tx.Partner("acme"))), tx.PutEnvironment(pointer(tx.Environment("acme", "PROD"))),
			tx.PutAPIKey(&api), tx.PutKeyPair(&k), tx.PutOffer(&offer), tx.PutCertificate(&c), tx.PutPerson(&eve),
			tx.PutSetting("s", []byte("2")))
	}
	removed := func(tx registry.Tx) error {
		p, e := partner("typo"), environment("typo", "PROD")
		return errors.Join(tx.PutPartner(&p), tx.PutEnvironment(&e), tx.DeleteEnvironment(e), tx.DeletePartner(p),
			tx.DeleteProfile("ours"), tx.DeleteNode(pointedTo(tx.Node("n"))))
	}
	scheduled := func(tx registry.Tx) error {
		n := registry.Renewal{ID: "n-1", Replaces: "c", Step: registry.RenewalDue, Created: noon, Leg: registry.Leg{
			Owner: registry.Theirs, Partner: "acme", Profile: "riskos", Environment: "PROD",
		}}
		request := registry.Request{ID: "r", By: "eve", Created: noon, State: registry.RequestOpen}
		_, first := tx.Claim("renewals", "one", noon, noon.Add(time.Minute))
		_, again := tx.Claim("renewals", "one", noon, noon)
		return errors.Join(first, again, tx.PutRenewal(&n), tx.PutRenewal(&n), tx.Observe(noon, time.Hour),
			tx.Observe(noon, time.Hour), tx.PutRequest(&request), tx.PutRequest(&request))
	}
	told := func(tx registry.Tx) error {
		about := []registry.Notice{{Certificate: "c", Kind: registry.NoticeTheirs, Days: 60, To: "eve", Mail: "m"}}
		mail := registry.Mail{ID: "m", Key: "m", To: "eve", State: registry.MailPlanned}
		look := registry.Look{About: "n-1"}
		return errors.Join(tx.AddMails([]registry.Mail{mail}), tx.PutMail(pointer(tx.Mail("m"))), tx.PutNotices(about),
			tx.PutNotices(about), tx.Looked([]registry.Look{look}), tx.Looked([]registry.Look{look}),
			tx.PutEnvironment(pointer(tx.Environment("acme", "PROD"))), tx.Looked([]registry.Look{look}),
			tx.SetInstallation("here", noon), tx.SetInstallation("there", noon))
	}
	node := lanes.Node{Name: "n", Process: "a", Ended: noon}
	used := func() error {
		_, first := s.ReportNode(ctx, node, false)
		_, second := s.ReportNode(ctx, node, true)
		one := []lanes.KeySeen{seen("p", "acme", lanes.In, noon, 1)}
		uses := lanes.KeyUses{Node: "n", Process: "a", Batch: 1, Seen: one}
		again := uses
		again.Batch = 2
		return errors.Join(first, second, s.UsedAPIKeys(ctx, map[string]time.Time{"k": noon}), s.UsedKeys(ctx, uses),
			s.UsedKeys(ctx, again), s.EndNode(ctx, node))
	}
	if err := errors.Join(anna.SetRoot(ctx, key, nil), change(everything), change(scheduled), change(told),
		used(), change(removed)); err != nil {
		t.Fatal(err)
	}
	report, err := r.VerifyRows(ctx)
	if err != nil || !report.Holds {
		t.Errorf("%v\n%s", err, report)
	}
	view(t, s, func(tx registry.Reader) error {
		report, err := audit.Verify(ctx, tx, nil)
		if !report.Holds {
			t.Error(report)
		}
		return err
	})
	if _, err := r.Snapshot(ctx); err != nil {
		t.Error(err)
	}
	if err := s.Backup(ctx, t.TempDir()+"/backup"); err != nil {
		t.Error(err)
	}
}

// tables lists the tables of the role that is connected.
func tables(t *testing.T, db *sql.DB) (names []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT tablename FROM pg_tables WHERE tableowner = current_user")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names
}

func pointedTo[T any](row T, err error) T { return *pointer(row, err) }

func pointer[T any](row T, err error) *T {
	if err != nil {
		panic(err)
	}
	return &row
}
