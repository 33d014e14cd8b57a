package store

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

var noticeTable = &table[registry.Notice]{
	name: "notice",
	row: func(n *registry.Notice) string {
		return fmt.Sprintf("notice %s of %q to %q", n.Kind, n.Certificate, n.To)
	},
	key: []column[registry.Notice]{
		text("certificate", func(n *registry.Notice) *string { return &n.Certificate }),
		text("kind", func(n *registry.Notice) *registry.NoticeKind { return &n.Kind }),
		number("days", func(n *registry.Notice) *int { return &n.Days }),
		text("recipient", func(n *registry.Notice) *string { return &n.To }),
		number("round", func(n *registry.Notice) *int { return &n.Round }),
	},
	columns: []column[registry.Notice]{
		text("renewal", func(n *registry.Notice) *string { return &n.Renewal }),
		text("partner", func(n *registry.Notice) *string { return &n.Partner }),
		text("environment", func(n *registry.Notice) *string { return &n.Environment }),
		text("mail", func(n *registry.Notice) *string { return &n.Mail }),
		instant("planned", func(n *registry.Notice) *time.Time { return &n.Planned }),
		text("outcome", func(n *registry.Notice) *registry.Outcome { return &n.Outcome }),
		text("why", func(n *registry.Notice) *string { return &n.Why }),
	},
}

// longestLook is within which time each row is looked at again: somebody may have changed it who does not know of
// looks. A later time comes from a clock that was wrong, and does not count.
const longestLook = 25 * time.Hour

func (t *tx) RenewalsToLook(now time.Time, p registry.Page) ([]registry.Renewal, error) {
	return list(t, "renewals", renewalTable.listed(), ` WHERE closed < 0 AND id > ?
		AND NOT EXISTS (SELECT 1 FROM notice_look l WHERE l.about = renewal.id AND l.at > ? AND l.at < ?)
		ORDER BY id LIMIT ?`, p.After, now.UnixMicro(), now.Add(longestLook).UnixMicro(), limit(p))
}

func (t *tx) CertificatesToLook(now time.Time, p registry.Page) ([]registry.Certificate, error) {
	condition, args := certificatesToLook(now, p)
	return listUpTo(t, limit(p), "certificates", briefCertificates(), condition, args...)
}

// certificatesToLook finds certificates that end soon, those of environments that begin to look for a successor
// early, and those of pairs that partners share, of which each may do so. CROSS JOIN tells SQLite the order.
func certificatesToLook(now time.Time, p registry.Page) (condition string, args []any) {
	soon := now.AddDate(0, 0, registry.ContactsAsked+1)
	return ` WHERE id IN (
			SELECT id FROM certificate WHERE (ends > 0 OR noted <> version) AND ends < ?
			UNION ALL SELECT c.id FROM environment e CROSS JOIN certificate c WHERE c.partner = e.partner
				AND c.environment = e.name AND (e.lead > 120 OR e.noted <> e.version) AND c.state = 'active'
			UNION ALL SELECT id FROM certificate WHERE state = 'active' AND partner IS NULL AND environment > '')
		AND state || '' = 'active' AND id > ?
		AND NOT EXISTS (SELECT 1 FROM notice_look l WHERE l.about = certificate.id AND l.at > ? AND l.at < ?)
		AND NOT EXISTS (SELECT 1 FROM renewal n WHERE n.owner = certificate.owner
			AND n.partner = COALESCE(certificate.partner, '') AND n.profile = certificate.profile
			AND n.environment = certificate.environment AND n.closed < 0
			AND n.replaces IN (certificate.id, certificate.key_pair))
		ORDER BY id` + upTo, []any{
			soon.UnixMicro(), p.After, now.UnixMicro(), now.Add(longestLook).UnixMicro(), limit(p),
		}
}

func (t *tx) Looked(all []registry.Look) error {
	for some := range slices.Chunk(all, rowsInStatement) {
		args := make([]any, 0, 2*len(some))
		for _, l := range some {
			args = append(args, l.About, l.At.UnixMicro())
		}
		_, err := t.exec("looks", "INSERT INTO notice_look (about, at) VALUES (?, ?)"+
			strings.Repeat(", (?, ?)", len(some)-1)+" ON CONFLICT (about) DO UPDATE SET at = excluded.at", args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsInStatement is how many rows one statement stores or asks for.
const rowsInStatement = 50

// ofEach lists the rows in which a column has one of some values.
func ofEach[T any](t *tx, what string, from selection[T], condition string, values []string) ([]T, error) {
	var all []T
	var damaged registry.DamagedRows
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	for some := range slices.Chunk(values, rowsInStatement) {
		args := make([]any, len(some))
		for i, v := range some {
			args[i] = v
		}
		found, bad, err := registry.Readable(list(t, what, from, fmt.Sprintf(condition, placeholders(len(some))),
			args...))
		if err != nil {
			return nil, err
		}
		all, damaged = append(all, found...), append(damaged, bad...)
	}
	if damaged != nil {
		return all, damaged
	}
	return all, nil
}

func (t *tx) EnvironmentsOf(partners []string) ([]registry.Environment, error) {
	return ofEach(t, "environments", environmentTable.listed(), " WHERE partner IN (%s) ORDER BY partner, name",
		partners)
}

func (t *tx) PartnersOf(ids []string) ([]registry.Partner, error) {
	return ofEach(t, "partners", partnerTable.listed(), " WHERE id IN (%s) ORDER BY id", ids)
}

func (t *tx) Notices(certificates []string) ([]registry.Notice, error) {
	return ofEach(t, "notices", noticeTable.whole(), " WHERE certificate IN (%s)", certificates)
}

func (t *tx) NoticesOf(mail string) ([]registry.Notice, error) {
	return list(t, "notices", noticeTable.whole(), " WHERE mail = ?"+noticeTable.inOrder(), mail)
}

func (t *tx) NoticesTo(partner, recipient string, n int) ([]registry.Notice, error) {
	var q query
	q.where(partner != "", "partner = ?", partner)
	q.where(recipient != "", "recipient = ?", recipient)
	return list(t, "notices", noticeTable.whole(), q.conditionsOnly()+" ORDER BY planned DESC LIMIT ?",
		append(q.args, n)...)
}

func (t *tx) PutNotices(all []registry.Notice) error {
	columns := noticeTable.all()
	names, keys := namesOf(columns), namesOf(noticeTable.key)
	var sets []string
	for _, name := range namesOf(noticeTable.columns) {
		sets = append(sets, name+" = excluded."+name)
	}
	for some := range slices.Chunk(all, rowsInStatement) {
		var args []any
		for i := range some {
			args = append(args, values(columns, &some[i])...)
		}
		row := ", (" + placeholders(len(columns)) + ")"
		_, err := t.exec("notices", insertInto("notice", names)+strings.Repeat(row, len(some)-1)+
			" ON CONFLICT ("+strings.Join(keys, ", ")+") DO UPDATE SET "+strings.Join(sets, ", "), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) Installation() (string, error) {
	ids, err := texts(t, "installation", "SELECT id FROM installation")
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return ids[0], nil
}

func (t *tx) SetInstallation(id string, since time.Time) error {
	if _, err := t.exec("installation", "DELETE FROM installation"); err != nil || id == "" {
		return err
	}
	_, err := t.exec("installation", "INSERT INTO installation (id, since) VALUES (?, ?)", id, since.UnixMicro())
	return err
}
