package operation_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
)

// opened returns a session of a new registry with anchors, its database, and the warnings.
func opened(t *testing.T, anchors ...string) (s *operation.Session, database string, warnings *[]error) {
	t.Helper()
	folder := t.TempDir()
	database = filepath.Join(folder, "registry.db")
	warnings = new([]error)
	config := operation.Config{
		Database: database, RootKey: "file:" + filepath.Join(folder, "rootkey"),
		Warn: func(err error) { *warnings = append(*warnings, err) },
	}
	founded, err := operation.Init(t.Context(), config, operation.Person{
		ID: "anna", Roles: []registry.Role{registry.Operator, registry.Approver},
	})
	must(t, err)
	config.Anchors = anchors
	r, err := operation.Open(t.Context(), config)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	s, err = r.Login(t.Context(), founded.Token, "a test of records")
	must(t, err)
	return s, database, warnings
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A database that can't take a record, because its disk is full, is backed up all the same, with a
// warning.
func TestBackupWithoutRecord(t *testing.T) {
	s, database, warnings := opened(t)
	db, err := sql.Open("sqlite", database)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON audit
		BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
	must(t, err)
	file := filepath.Join(t.TempDir(), "elsewhere.backup")
	made, err := operation.MakeBackup.Do(t.Context(), s, operation.BackupFile{File: file})
	must(t, err)
	if len(*warnings) != 1 || !strings.Contains((*warnings)[0].Error(), "no record of this backup") {
		t.Errorf("warnings: %v", *warnings)
	}
	read, err := operation.CheckBackup(t.Context(), file)
	must(t, err)
	if read != made || made.Rows == 0 {
		t.Errorf("%+v, %+v", made, read)
	}
}

// backups returns how many records of backups there are.
func backups(t *testing.T, s *operation.Session) int {
	t.Helper()
	page, err := operation.ListAudit.Do(t.Context(), s, operation.AuditQuery{Action: registry.ActionBackup, Limit: 10})
	must(t, err)
	return len(page.Records)
}

// Each record of a backup has a file: one that can't be written is not recorded.
func TestBackupThatCannotBeWritten(t *testing.T) {
	s, _, _ := opened(t)
	folder := t.TempDir()
	for _, missing := range []string{filepath.Join(folder, "none", "a.backup"), filepath.Join(folder, "\x00")} {
		if _, err := operation.MakeBackup.Do(t.Context(), s, operation.BackupFile{File: missing}); err == nil {
			t.Errorf("%q is written", missing)
		}
		if n := backups(t, s); n != 0 {
			t.Errorf("%q: %d records", missing, n)
		}
	}
	file := filepath.Join(folder, "a.backup")
	_, err := operation.MakeBackup.Do(t.Context(), s, operation.BackupFile{File: file})
	must(t, err)
	if n := backups(t, s); n != 1 {
		t.Errorf("%d records", n)
	}
	_, err = operation.MakeBackup.Do(t.Context(), s, operation.BackupFile{File: file})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 || backups(t, s) != 1 {
		t.Errorf("files: %v, %v; %d records", files, err, backups(t, s))
	}
}

// A backup whose name was taken while it was written is whole, and the error says where it is. The
// name is taken by an anchor, which is written with the record.
func TestBackupWhoseNameIsTaken(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "a.backup")
	s, _, _ := opened(t, "file:"+file)
	_, err := operation.MakeBackup.Do(t.Context(), s, operation.BackupFile{File: file})
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "whole and recorded, and is in "+file+".") {
		t.Fatalf("%v", err)
	}
	left, err := filepath.Glob(file + ".*.tmp")
	must(t, err)
	if len(left) != 1 {
		t.Fatalf("left: %v", left)
	}
	sum, err := operation.CheckBackup(t.Context(), left[0])
	if err != nil || sum.Rows == 0 || backups(t, s) != 1 {
		t.Errorf("%+v, %v; %d records", sum, err, backups(t, s))
	}
}

// The records about a key pair include the export of a lane with it.
func TestRecordsOfALaneExport(t *testing.T) {
	s, _, _ := opened(t)
	ctx := t.Context()
	must(t, s.AddPartner(ctx, registry.Partner{ID: "acme", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide}))
	must(t, s.AddEnvironment(ctx, registry.Environment{Partner: "acme", Name: "SANDBOX",
		Sealing: sealane.SealingRequired}))
	made, err := operation.CreateKey.Do(ctx, s, operation.NewPair{Profile: "riskos", Partner: "acme",
		Environment: "SANDBOX", Subject: cert.Template{CommonName: "keys.example", Validity: 2}})
	must(t, err)
	_, err = operation.ExportLane.Do(ctx, s, operation.LaneExport{
		Lane: lanes.Name{Partner: "acme", Environment: "SANDBOX"}, Passphrase: []byte("a long passphrase"),
		Deliver: func(sealane.Config) error { return nil },
	})
	must(t, err)
	page, err := operation.ListAudit.Do(ctx, s, operation.AuditQuery{Identity: made.KeyPair.ID, Limit: 100})
	must(t, err)
	exports := 0
	for _, r := range page.Records {
		if r.Action == string(registry.ActionKeyExport) {
			exports++
		}
	}
	if exports != 1 {
		t.Errorf("%d of %d records are of the export", exports, len(page.Records))
	}
}

// The records about a key pair, its certificate and a block include the block of their key, whose
// record has another subject.
func TestRecordsOfABlockedKey(t *testing.T) {
	s, _, _ := opened(t)
	ctx := t.Context()
	must(t, s.AddPartner(ctx, registry.Partner{ID: "acme", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide}))
	must(t, s.AddEnvironment(ctx, registry.Environment{Partner: "acme", Name: "SANDBOX",
		Sealing: sealane.SealingRequired}))
	made, err := operation.CreateKey.Do(ctx, s, operation.NewPair{Profile: "riskos", Partner: "acme",
		Environment: "SANDBOX", Subject: cert.Template{CommonName: "keys.example", Validity: 2}})
	must(t, err)
	pair := made.KeyPair
	_, err = operation.BlockKeys.Do(ctx, s, operation.Block{SHA256: [][]byte{pair.SPKISHA256}})
	must(t, err)
	for _, identity := range []string{pair.ID, pair.Certificate} {
		page, err := operation.ListAudit.Do(ctx, s, operation.AuditQuery{Identity: identity, Limit: 100})
		must(t, err)
		blocks := 0
		for _, r := range page.Records {
			if r.Action == string(registry.ActionKeyBlock) {
				blocks++
			}
		}
		if blocks != 1 {
			t.Errorf("%s: %d of %d records are of the block", identity, blocks, len(page.Records))
		}
	}
}

// secondPerson adds an approver, and returns their session in another program.
func secondPerson(t *testing.T, s *operation.Session, database string) *operation.Session {
	t.Helper()
	added, err := operation.AddPerson.Do(t.Context(), s, operation.Person{
		ID: "ben", Roles: []registry.Role{registry.Approver},
	})
	must(t, err)
	r, err := operation.Open(t.Context(), operation.Config{
		Database: database, RootKey: "file:" + filepath.Join(filepath.Dir(database), "rootkey"),
	})
	must(t, err)
	t.Cleanup(func() { r.Close() })
	ben, err := r.Login(t.Context(), added.Token, "looked into it")
	must(t, err)
	return ben
}

// pending returns the request that an act waits for.
func pending(t *testing.T, err error) operation.Request {
	t.Helper()
	waits, is := errors.AsType[*operation.PendingError](err)
	if !is {
		t.Fatalf("%v, want a request", err)
	}
	return waits.Request
}

// Rows that differ from their records are accepted by two people. The approval accepts those that
// were shown.
func TestRowsAreAcceptedByTwo(t *testing.T) {
	s, database, _ := opened(t)
	ctx := t.Context()
	_, err := operation.AddPartner.Do(ctx, s, operation.NewPartner{Partner: registry.Partner{
		ID: "acme", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide,
	}})
	must(t, err)
	ben := secondPerson(t, s, database)
	meddle(t, database, "UPDATE partner SET name = 'Evil' WHERE id = 'acme'")
	report, err := operation.VerifyRows.Do(ctx, s, operation.None{})
	must(t, err)
	accept := operation.RowNames{Rows: []string{"partner/acme"}, Findings: report.Checksum}
	_, err = operation.AcceptRows.Do(ctx, s, accept)
	r := pending(t, err)
	if report, err := operation.VerifyRows.Do(ctx, s, operation.None{}); err != nil || report.Holds {
		t.Errorf("one person has accepted it: %v, %s", err, report)
	}
	r, err = operation.ApproveRequest.Do(ctx, ben, operation.RequestApproval{Request: r.ID})
	if err != nil || r.State != registry.RequestDone {
		t.Errorf("the request is %s: %v", r.State, err)
	}
	if report, err := operation.VerifyRows.Do(ctx, s, operation.None{}); err != nil || !report.Holds {
		t.Errorf("%v, %s", err, report)
	}
}

// meddle changes a database as somebody does who does not use the program.
func meddle(t *testing.T, database, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", database)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	must(t, err)
}

// An anchor is added by one person, and removed or replaced by two. No row and no record has the
// addresses.
func TestAnchorsAreRemovedByTwo(t *testing.T) {
	s, database, _ := opened(t)
	ben := secondPerson(t, s, database)
	ctx := t.Context()
	const hook, other = "http://localhost:9/hook-hunter2", "http://localhost:9/hook-other3"
	file := "file:" + filepath.Join(t.TempDir(), "heads")
	set := func(addresses ...string) error {
		_, err := operation.SetAnchors.Do(ctx, s, operation.AnchorAddresses{Anchors: addresses})
		return err
	}
	must(t, set(hook))
	must(t, set(hook, file))
	for _, addresses := range [][]string{{}, {file}, {hook}, {other, file}} {
		r := pending(t, set(addresses...))
		if len(r.Input) > 0 || !strings.Contains(r.Why, "no longer written to") {
			t.Errorf("%q: %s, %s", addresses, r.Input, r.Why)
		}
	}
	r := pending(t, set(file))
	r, err := operation.ApproveRequest.Do(ctx, ben, operation.RequestApproval{Request: r.ID})
	if err != nil || r.State != registry.RequestGranted {
		t.Errorf("the request is %s: %v", r.State, err)
	}
	pending(t, set(other, file)) // another than was granted
	must(t, set(file))
	pending(t, set())
	var log strings.Builder
	_, err = operation.ExportAudit.Do(ctx, s, &log)
	must(t, err)
	if !strings.Contains(log.String(), "http://localhost:9") || strings.Contains(log.String(), "hook-") {
		t.Error("the audit log lacks the name of an anchor, or has its address")
	}
}
