package operation_test

import (
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// sessionOf returns the session of somebody in another program.
func sessionOf(t *testing.T, database, token string) *operation.Session {
	t.Helper()
	r, err := operation.Open(t.Context(), operation.Config{
		Database: database, RootKey: "file:" + filepath.Join(filepath.Dir(database), "rootkey"),
	})
	must(t, err)
	t.Cleanup(func() { r.Close() })
	s, err := r.Login(t.Context(), token, "a test of sessions")
	must(t, err)
	return s
}

// A search has each result once, says whether there are more, and finds serial numbers in both
// notations and secrets by themselves only.
func TestFindOnce(t *testing.T) {
	s, _, _ := opened(t)
	ctx := t.Context()
	partner(t, s, "acme-one")
	partner(t, s, "acme-two")
	made := keyFor(t, s, "acme-one")
	issued, err := operation.IssueAPIKey.Do(ctx, s, operation.NewAPIKey{Partner: "acme-two", Environment: "SANDBOX",
		Sealing: sealane.SealingRequired})
	must(t, err)
	added, err := operation.AddPerson.Do(ctx, s,
		operation.Person{ID: "olga", Roles: []registry.Role{registry.Auditor}})
	must(t, err)
	serial, ok := new(big.Int).SetString(made.Certificate.Serial, 16)
	if !ok {
		t.Fatal(made.Certificate.Serial)
	}
	for _, c := range []struct {
		text  string
		limit int
		want  string
		more  bool
	}{
		{"acme-", 0, "partner acme-one, partner acme-two", false},
		{"acme-", 1, "partner acme-one", true},
		{"acme-", 2, "partner acme-one, partner acme-two", false},
		{serial.Text(16), 0, "key pair " + made.KeyPair.ID, false},
		{serial.Text(10), 0, "key pair " + made.KeyPair.ID, false},
		{issued.Key, 0, "API key " + issued.ID, false},
		{added.Token, 0, "person olga", false},
		{made.KeyPair.ID, 0, "key pair " + made.KeyPair.ID, false},
	} {
		found, err := operation.Find.Do(ctx, s, operation.Search{Text: c.text, Limit: c.limit})
		must(t, err)
		var hits []string
		for _, h := range found.Hits {
			hits = append(hits, h.Kind+" "+h.ID)
		}
		if got := strings.Join(hits, ", "); got != c.want || found.More != c.more {
			t.Errorf("%.20s, %d: %q, more %t", c.text, c.limit, got, found.More)
		}
	}
}

// A page of records says whether there are earlier and later ones.
func TestPagesOfRecords(t *testing.T) {
	s, _, _ := opened(t)
	ctx := t.Context()
	partner(t, s, "acme")
	for _, c := range []struct {
		q              operation.AuditQuery
		earlier, later bool
	}{
		{operation.AuditQuery{Limit: 1}, true, false}, {operation.AuditQuery{Limit: 1, Oldest: true}, false, true},
		{operation.AuditQuery{Limit: 1000}, false, false}, {operation.AuditQuery{Limit: 1, Before: 3}, true, true},
	} {
		page, err := operation.ListAudit.Do(ctx, s, c.q)
		must(t, err)
		if page.Earlier != c.earlier || page.Later != c.later || len(page.Records) == 0 {
			t.Errorf("%+v: earlier %t, later %t", c.q, page.Earlier, page.Later)
		}
	}
	_, err := operation.ListAudit.Do(ctx, s, operation.AuditQuery{Limit: 1, Action: "no.such"})
	refused(t, `action "no.such" is not known`, err)
	var head audit.Head
	must(t, s.View(ctx, func(tx registry.Reader) (err error) {
		head, err = tx.AuditHead()
		return err
	}))
	report, err := operation.VerifyAudit.Do(ctx, s, operation.Heads{Since: &head})
	if must(t, err); !report.Holds || report.Since != head.Seq || report.Records != 0 {
		t.Errorf("%+v", report)
	}
	if _, err := operation.AnchorAudit.Do(ctx, s, operation.None{}); !errors.Is(err, operation.ErrNoAnchor) {
		t.Errorf("%v", err)
	}
	empty := filepath.Join(t.TempDir(), "heads")
	must(t, os.WriteFile(empty, nil, 0o600))
	_, _, err = operation.ReadHeads(empty)
	refused(t, "holds no head", err)
}

// Programs that make backups do not even read.
func TestWhoMayRead(t *testing.T) {
	s, database, _ := opened(t)
	added, err := operation.AddPerson.Do(t.Context(), s, operation.Person{ID: "cron",
		Roles: []registry.Role{registry.Backup}})
	must(t, err)
	cron := sessionOf(t, database, added.Token)
	_, err = operation.ListPartners.Do(t.Context(), cron, operation.PartnerQuery{})
	if !errors.Is(err, registry.ErrForbidden) {
		t.Errorf("%v", err)
	}
	who, err := operation.WhoAmI.Do(t.Context(), cron, operation.None{})
	if err != nil || who.ID != "cron" {
		t.Errorf("%+v, %v", who, err)
	}
}

// Requests that are open or granted are listed until they end.
func TestListedRequests(t *testing.T) {
	s, database, _ := opened(t)
	ctx := t.Context()
	ben := secondPerson(t, s, database)
	_, err := operation.AddPerson.Do(ctx, s, operation.Person{ID: "cora", Roles: []registry.Role{registry.Approver}})
	r := pending(t, err)
	want := func(n int, when string) {
		t.Helper()
		all, err := operation.AllStatus.Do(ctx, s, operation.Lanes{})
		if must(t, err); len(all.Requests) != n {
			t.Errorf("%s: %d requests", when, len(all.Requests))
		}
	}
	want(1, "open")
	granted, err := operation.ApproveRequest.Do(ctx, ben, operation.RequestApproval{Request: r.ID})
	if must(t, err); granted.State != operation.RequestGranted {
		t.Errorf("it is %s", granted.State)
	}
	want(1, "granted")
	rows(t, database, func(tx registry.Tx) error {
		r, err := tx.Request(r.ID)
		if err != nil {
			return err
		}
		r.Ends = time.Now().Add(-time.Minute)
		return tx.PutRequest(&r)
	})
	want(0, "ended")
}

// A row of a table that needs a second person becomes a request with all that the row says; a trial
// makes none.
func TestRequestsOfATable(t *testing.T) {
	s, database, _ := opened(t)
	ctx := t.Context()
	ben := secondPerson(t, s, database)
	table := filepath.Join(t.TempDir(), "partners.csv")
	must(t, os.WriteFile(table, []byte("partner,profile,side,environment,sealing,caller,account\n"+
		"bank,rdx,server,PROD,required,unauthenticated,CN=bank\n"), 0o600))
	imported := func(trial bool) (r operation.ImportResult) {
		all, err := operation.ImportPartners.Do(ctx, s, operation.Table{File: table, DryRun: trial})
		must(t, err)
		for one, err := range all {
			must(t, err)
			r = one
		}
		return r
	}
	if r := imported(true); r.Request != "" || !strings.Contains(r.Error, "needs a second person") {
		t.Errorf("a trial: %+v", r)
	}
	r := imported(false)
	if r.Request == "" {
		t.Fatalf("%+v", r)
	}
	must(t, only(operation.ApproveRequest.Do(ctx, ben, operation.RequestApproval{Request: r.Request})))
	must(t, s.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment("bank", "PROD")
		if env.Sealing != sealane.SealingRequired || env.SenderAuth != sealane.SenderUnauthenticated ||
			env.Account != "CN=bank" {
			t.Errorf("%+v", env)
		}
		return err
	}))
}

func only[T any](_ T, err error) error { return err }

// The last use of a key is the last on any node, for each direction.
func TestLastUses(t *testing.T) {
	s, database, _ := opened(t)
	ctx := t.Context()
	partner(t, s, "acme")
	made := keyFor(t, s, "acme")
	db, err := store.Open(ctx, database, store.Options{})
	must(t, err)
	defer db.Close()
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for node, at := range map[string]time.Time{"a": noon, "b": noon.Add(time.Hour), "c": noon.Add(-time.Hour)} {
		seen := func(d lanes.Direction, last time.Time) lanes.KeySeen {
			use := lanes.KeyUse{Key: made.KeyPair.ID, Partner: "acme", Direction: d}
			return lanes.KeySeen{KeyUse: use, Seen: lanes.Seen{First: last, Last: last, Count: 1}}
		}
		must(t, db.UsedKeys(ctx, lanes.KeyUses{Node: node, Process: "p", Batch: 1,
			Seen: []lanes.KeySeen{seen(lanes.In, at), seen(lanes.Out, at.Add(time.Minute))}}))
	}
	status, err := operation.PartnerStatus.Do(ctx, s, operation.ID{ID: "acme"})
	must(t, err)
	if len(status.Certificates) != 1 {
		t.Fatalf("%+v", status)
	}
	want := operation.LastUse{In: noon.Add(time.Hour), Out: noon.Add(time.Hour + time.Minute)}
	if got := status.Certificates[0].LastUse; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A registry is opened where there is one, and founded once: its root key is not made again.
func TestFoundedOnce(t *testing.T) {
	folder := t.TempDir()
	root := filepath.Join(folder, "rootkey")
	config := operation.Config{Database: filepath.Join(folder, "registry.db"), RootKey: "file:" + root}
	if _, err := operation.Open(t.Context(), config); !errors.Is(err, operation.ErrNoRegistry) {
		t.Errorf("%v", err)
	}
	person := operation.Person{ID: "anna", Roles: []registry.Role{registry.Operator}}
	founded, err := operation.Init(t.Context(), config, person)
	must(t, err)
	must(t, os.Rename(root, root+".kept"))
	if _, err := operation.Init(t.Context(), config, person); err == nil {
		t.Error("it is founded again")
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another root key is made: %v", err)
	}
	s := sessionOf(t, config.Database, founded.Token)
	partner(t, s, "acme")
	_, err = operation.CreateKey.Do(t.Context(), s, operation.NewPair{Partner: "acme", Environment: "SANDBOX"})
	if !errors.Is(err, operation.ErrRootElsewhere) {
		t.Errorf("%v", err)
	}
	must(t, os.Rename(root+".kept", root))
	must(t, os.Chmod(root, 0o644))
	_, err = operation.CreateKey.Do(t.Context(), s, operation.NewPair{Partner: "acme", Environment: "SANDBOX"})
	if err == nil || errors.Is(err, operation.ErrRootElsewhere) {
		t.Errorf("a root key that everybody reads: %v", err)
	}
}
