package operation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
)

// Report is the result of verifying the audit log.
type Report = audit.Report

// Heads are heads of the audit log that were stored elsewhere.
type Heads struct {
	Heads []audit.Head `json:"heads"`
	// Since is the end of an earlier verification. The records before it are not read again.
	Since *audit.Head `json:"since,omitempty"`
}

// Operations on the audit log.
var (
	// VerifyAudit looks for records that were edited, deleted or moved.
	VerifyAudit = reading("VerifyAudit",
		func(ctx context.Context, v *registry.Viewer, in Heads) (r Report, err error) {
			err = v.View(ctx, func(tx registry.Reader) error {
				if in.Since != nil {
					r, err = audit.VerifySince(ctx, tx, *in.Since, in.Heads)
					return err
				}
				r, err = audit.Verify(ctx, tx, in.Heads)
				return err
			})
			return r, err
		})

	// ExportAudit writes the whole audit log as JSON lines.
	ExportAudit = reading("ExportAudit", func(ctx context.Context, v *registry.Viewer, to io.Writer) (None, error) {
		return None{}, v.View(ctx, func(tx registry.Reader) error { return audit.Export(ctx, tx, to) })
	})

	// AnchorAudit writes the head of the audit log to all anchors.
	AnchorAudit = changing("AnchorAudit", registry.ActionAuditAnchor,
		func(ctx context.Context, s *Session, _ None) (audit.Head, error) {
			r := s.registry
			if r.anchorer == nil {
				return audit.Head{}, ErrNoAnchor
			}
			head, err := r.registry.Anchor(ctx, r.anchorer)
			return head, errors.Join(append(r.unopened, err)...)
		})
)

// ErrNoAnchor means that no anchor is named.
var ErrNoAnchor = errors.New("no anchor is named")

// ReadHeads reads a file of heads, as an anchor file:PATH writes it. The remarks describe lines
// that it ignores.
func ReadHeads(file string) (heads Heads, remarks []string, err error) {
	list, remarks, err := audit.ReadAnchors(file)
	if err == nil && len(list) == 0 {
		err = registry.Refuse("%s holds no head, so nothing confirms the record from outside", file)
	}
	return Heads{Heads: list}, remarks, err
}

// VerifyExport verifies an exported audit log.
func VerifyExport(in io.Reader, against Heads) (Report, error) {
	return audit.VerifyExport(in, against.Heads)
}

// HexSums is [registry.HexSums], for what is written as JSON.
func HexSums(form []byte) []byte { return registry.HexSums(form) }

// RowsReport is the result of comparing rows with the audit log.
type RowsReport = registry.RowsReport

// RowNames names rows as the audit log does, such as "certificate/c-1".
type RowNames struct {
	Rows []string `json:"rows"`
	// Findings is the Checksum of the report in which they were found. Rows that were found otherwise
	// since are not accepted.
	Findings string `json:"findings"`
}

// AnchorAddresses are the addresses of the registry's anchors.
type AnchorAddresses struct {
	Anchors []string `json:"anchors"`
}

// Operations on rows and anchors.
var (
	// VerifyRows compares every row with its last record, and every record with the rows.
	VerifyRows = trying(reading("VerifyRows",
		func(ctx context.Context, v *registry.Viewer, _ None) (RowsReport, error) { return v.VerifyRows(ctx) }))

	// AcceptRows records rows as they are now, after somebody has looked into each.
	AcceptRows = trying(repeatable("AcceptRows", registry.ActionRowsAccept, acceptRows))

	// ListAnchors returns the anchors that every program writes to.
	ListAnchors = reading("ListAnchors",
		func(ctx context.Context, v *registry.Viewer, _ None) (out AnchorAddresses, err error) {
			out.Anchors, err = v.Anchors(ctx)
			return out, err
		})

	// SetAnchors sets them, in place of those that the registry has. Addresses may have secrets.
	SetAnchors = secretly(changing("SetAnchors", registry.ActionAnchorsSet,
		func(ctx context.Context, s *Session, in AnchorAddresses) (AnchorAddresses, error) {
			return in, s.Session.SetAnchors(ctx, in.Anchors)
		}))
)

func acceptRows(ctx context.Context, s *Session, in RowNames) (RowNames, error) {
	report, err := s.Viewer.VerifyRows(ctx)
	if err != nil {
		return in, err
	}
	if in.Findings != report.Checksum {
		return in, registry.Refuse("the findings are not those with checksum %q any more: verify the rows again, "+
			"and look into each finding", in.Findings)
	}
	var found []registry.RowFinding
	for _, name := range in.Rows {
		i := slices.IndexFunc(report.Findings, func(f registry.RowFinding) bool { return f.Row == name })
		if i < 0 {
			return in, registry.Refuse("row %q is as its last record has it, or is not there", name)
		}
		found = append(found, report.Findings[i])
	}
	return in, s.Session.AcceptRows(ctx, found, report.Checksum)
}

// BackupFile names the file of a backup.
type BackupFile struct {
	File string `json:"file"`
}

// BackupSummary describes a backup.
type BackupSummary = store.Summary

// MakeBackup writes a backup into a new file, and reads it back. It is recorded when all of it is on
// the disk under another name, so that each record has a file: the backup is without its own record.
// A database that can't take the record, because its disk is full, is backed up nevertheless, with a
// warning.
var MakeBackup = changing("MakeBackup", registry.ActionBackup,
	func(ctx context.Context, s *Session, in BackupFile) (sum BackupSummary, err error) {
		if err := newfile.Check(in.File); err != nil {
			return sum, err
		}
		unnamed := in.File + "." + strings.ToLower(rand.Text()[:8]) + ".tmp"
		if err := s.registry.db.Backup(ctx, unnamed); err != nil {
			return sum, err
		}
		e := registry.Entry{Action: registry.ActionBackup, Subject: "backup/" + filepath.Base(in.File)}
		err = s.Change(ctx, e, func(registry.Tx, *registry.Entry) error { return nil })
		recorded := "recorded"
		switch {
		case errors.Is(err, registry.ErrStore):
			recorded = "not recorded"
			s.registry.config.Warn(fmt.Errorf("the registry has no record of this backup: %w", err))
		case err != nil:
			return sum, errors.Join(err, os.Remove(unnamed))
		}
		if err := newfile.Rename(unnamed, in.File); err != nil {
			return sum, fmt.Errorf("the backup is whole and %s, and is in %s, because it could not be renamed: %w",
				recorded, unnamed, err)
		}
		return store.CheckBackup(ctx, in.File)
	})

// CheckBackup reads a backup to its end.
func CheckBackup(ctx context.Context, file string) (BackupSummary, error) {
	sum, err := store.CheckBackup(ctx, file)
	var broken *fs.PathError
	if err != nil && !errors.As(err, &broken) {
		err = registry.Judged(err)
	}
	return sum, err
}

// Restored is a backup that was restored.
type Restored struct {
	BackupSummary
	Changes int64 `json:"changes"` // valid records of its audit log
}

// Restore reads a backup into an empty database, and verifies its audit log.
func Restore(ctx context.Context, c Config, file string) (out Restored, err error) {
	if out.BackupSummary, err = store.Restore(ctx, c.Database, file, store.Options{}); err != nil {
		return out, err
	}
	r, err := Open(ctx, c)
	if err != nil {
		return out, err
	}
	defer r.Close()
	var report Report
	err = r.registry.Store.View(ctx, func(tx registry.Reader) error {
		report, err = audit.Verify(ctx, tx, nil)
		return err
	})
	if err == nil && !report.Holds {
		err = registry.Refuse("the backup is restored as it is, but its audit log does not hold: %s", report)
	}
	out.Changes = report.Records
	return out, err
}

// NewRootKey makes a root key in a new file, and returns its ID.
func NewRootKey(file string) (id string, err error) {
	key, err := rootkey.Create(file)
	if err != nil {
		return "", err
	}
	return key.ID(), nil
}

// RootKeyRotation names the next root key.
type RootKeyRotation struct {
	To string `json:"to"` // file:PATH, env:NAME or passphrase:NAME
}

// RootKeyRotated holds the number of private keys under the next root key.
type RootKeyRotated struct {
	RootKey string `json:"root_key"`
	Sealed  int    `json:"sealed"`
}

// RotateRootKey encrypts all private keys under another root key.
var RotateRootKey = changing("RotateRootKey", registry.ActionRootKeyRotate, rotateRootKey)

func rotateRootKey(ctx context.Context, s *Session, in RootKeyRotation) (out RootKeyRotated, err error) {
	if err := s.openKeys(ctx); err != nil {
		// A rotation may have been interrupted after its last step.
		key, _, failed := s.registry.loadRoot(ctx, in.To, nil)
		if failed == nil && s.registry.registry.UseRoot(ctx, key) == nil {
			return RootKeyRotated{RootKey: key.ID()}, nil
		}
		return out, err
	}
	next, parameters, err := s.registry.loadRoot(ctx, in.To, s)
	if err != nil {
		return out, err
	}
	out.RootKey = next.ID()
	out.Sealed, err = s.RotateRoot(ctx, next, parameters)
	return out, err
}
