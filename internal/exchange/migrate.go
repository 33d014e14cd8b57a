package exchange

import (
	"context"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// Migration approves certificates that another system has exchanged, as of its record.
type Migration struct {
	Certificates []string `json:"certificates"`
	Record       string   `json:"record"` // what the other system's record is, and where it is kept
}

// MaxMigrated is how many certificates one migration approves.
const MaxMigrated = 5000

// Migrate approves certificates that have come in, all or none, as of the record of another
// system. Two people decide on it together: it is a request of one, which another approves. It is
// for lanes that never had a certificate in use: nobody calls the partner back.
func (e Exchange) Migrate(ctx context.Context, m Migration) error {
	switch n := len(m.Certificates); {
	case n == 0:
		return registry.Refuse("no certificate is waiting that came with a table for a lane without any")
	case n > MaxMigrated:
		return registry.Refuse("%d certificates are too many for one migration: approve %d at most", n, MaxMigrated)
	case len(strings.TrimSpace(m.Record)) < 10:
		return registry.Refuse("say which record of the other system it is, and where it is kept")
	}
	if err := e.session.May(registry.ActionExchangeMigrate); err != nil {
		return err
	}
	shown, err := e.migrated(ctx, m)
	if err != nil {
		return err
	}
	entry := registry.Entry{
		Action: registry.ActionExchangeMigrate, Reason: m.Record, After: shown,
		Subject: fmt.Sprintf("certificates/%d from %s", len(m.Certificates), m.Certificates[0]),
	}
	left := m.Certificates
	return e.session.ChangeInParts(ctx, entry, func(tx registry.Tx, entry *registry.Entry) (more bool, err error) {
		if len(left) < len(m.Certificates) {
			entry.After = nil // the first record has all
		}
		some := left[:min(len(left), migratedAtOnce)]
		for _, id := range some {
			if err := e.migrate(tx, id, m.Record); err != nil {
				return false, err
			}
		}
		left = left[len(some):]
		return len(left) > 0, nil
	})
}

// migratedAtOnce is how many certificates one record has. Their rows may be long, as those of
// certificates that came with many files.
const migratedAtOnce = 25

// migrated is what a migration shows to the approver.
type migrated struct {
	Record       string   `json:"record"`
	Certificates []string `json:"certificates"` // each with its partner, name, state and checksum
}

func (e Exchange) migrated(ctx context.Context, m Migration) (shown migrated, err error) {
	shown.Record = m.Record
	err = e.session.View(ctx, func(tx registry.Reader) error {
		for _, id := range m.Certificates {
			c, err := theirs(tx, id)
			if err != nil {
				return err
			}
			shown.Certificates = append(shown.Certificates, fmt.Sprintf("%s: %s in %s, %s, %s, SHA-256 %.16x",
				c.ID, c.Partner, c.Environment, cut(c.CommonName, 60), c.State, c.SHA256))
		}
		return nil
	})
	return shown, err
}

func (e Exchange) migrate(tx registry.Tx, id, record string) error {
	c, err := theirs(tx, id)
	if err != nil {
		return err
	}
	if err := c.NotBlocked(tx); err != nil {
		return fmt.Errorf("certificate %s: %w", id, err)
	}
	if err := MayMigrate(tx, c); err != nil {
		return err
	}
	me, approver := e.session.Person().ID, e.session.Approver()
	p := &c.Provenance
	if approver != me && (approver == p.ReceivedBy || approver == p.MatchedBy) { // the one who asks may have
		return registry.Refuse("%s has received or matched certificate %s: somebody else must approve it", approver,
			id)
	}
	as := "as of " + cut(record, 200)
	if c.State == registry.Received {
		p.MatchedBy, p.Matched, p.MatchedAs = me, e.session.Time(), as
		if err := e.session.MoveCertificate(tx, &c, registry.Matched); err != nil {
			return err
		}
	}
	p.ApprovedBy, p.Change = approver, as
	return e.session.MoveCertificate(tx, &c, registry.Approved)
}

// MayMigrate returns a refusal where a certificate must be approved by itself, and not with a
// migration.
func MayMigrate(tx registry.Reader, c registry.Certificate) error {
	switch p := c.Provenance; {
	case !p.Imported:
		return registry.Refuse("certificate %s did not come in with a table: approve it by itself", c.ID)
	case len(p.Waivers) > 0 || len(p.Mismatches) > 0:
		return registry.Refuse("certificate %s has waivers or mismatches: approve it by itself", c.ID)
	}
	others, damaged, err := registry.Readable(tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: c.Partner, Environment: c.Environment, Page: all,
	}))
	if err != nil {
		return err
	}
	if len(damaged) > 0 {
		return registry.Refuse("certificate %s: it is not known whether %s had another in %s: approve it by itself: "+
			"%w", c.ID, c.Partner, c.Environment, damaged)
	}
	for _, o := range others {
		if wasUsed(o) {
			return registry.Refuse("certificate %s is not of a migration, because %s had %s in %s, which is %s: "+
				"approve it by itself", c.ID, c.Partner, o.ID, c.Environment, o.State)
		}
	}
	return nil
}

// wasUsed reports whether a certificate is or was in use. One that was approved and compromised may
// have been.
func wasUsed(c registry.Certificate) bool {
	switch c.State {
	case registry.Retired, registry.Expired:
		return true
	case registry.Compromised:
		return c.Provenance.ApprovedBy != ""
	}
	return c.State.InUse()
}
