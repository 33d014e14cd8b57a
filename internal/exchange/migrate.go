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
// system. Two people decide on it together: it is a request of one, which another approves.
func (e Exchange) Migrate(ctx context.Context, m Migration) error {
	switch n := len(m.Certificates); {
	case n == 0:
		return registry.Refuse("no certificate is waiting")
	case n > MaxMigrated:
		return registry.Refuse("%d certificates are too many for one migration: approve %d at most", n, MaxMigrated)
	case len(strings.TrimSpace(m.Record)) < 10:
		return registry.Refuse("say which record of the other system it is, and where it is kept")
	}
	entry := registry.Entry{
		Action: registry.ActionExchangeMigrate, Reason: m.Record, After: m,
		Subject: fmt.Sprintf("certificate/%s and %d more", m.Certificates[0], len(m.Certificates)-1),
	}
	return e.session.Change(ctx, entry, func(tx registry.Tx, _ *registry.Entry) error {
		for _, id := range m.Certificates {
			if err := e.migrate(tx, id, m.Record); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e Exchange) migrate(tx registry.Tx, id, record string) error {
	c, err := theirs(tx, id)
	if err != nil {
		return err
	}
	if err := c.NotBlocked(tx); err != nil {
		return fmt.Errorf("certificate %s: %w", id, err)
	}
	if n := len(c.Provenance.Waivers); n > 0 {
		return registry.Refuse("certificate %s asks for %d waivers: approve it by itself", id, n)
	}
	me, as := e.session.Person().ID, "as of "+cut(record, 200)
	p := &c.Provenance
	if c.State == registry.Received {
		p.MatchedBy, p.MatchedAs = me, as
		if err := e.session.MoveCertificate(tx, &c, registry.Matched); err != nil {
			return err
		}
	}
	p.ApprovedBy, p.Change = e.session.Approver(), as
	return e.session.MoveCertificate(tx, &c, registry.Approved)
}
