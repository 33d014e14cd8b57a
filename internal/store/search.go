package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
)

// names is the column with the texts of a row that people search by. It is only written.
func names[T any](texts func(T) []string) column[T] {
	return computed("names", func(row *T) any { return folded(texts(*row)) })
}

func folded(texts []string) string { return registry.Fold(strings.Join(texts, "\n")) }

// containing adds the condition that the names of a row contain a text.
func (q *query) containing(text string) {
	q.where(text != "", `names LIKE ? ESCAPE '\'`, "%"+likely.Replace(registry.Fold(text))+"%")
}

// likely escapes what LIKE would take for a pattern.
var likely = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

func (t *tx) PartnersLike(q registry.PartnerQuery) ([]registry.Partner, error) {
	found, args := partnersLike(q)
	return list(t, "partners", partnerTable.listed(), found, args...)
}

func partnersLike(q registry.PartnerQuery) (condition string, args []any) {
	var found query
	found.containing(q.Containing)
	found.where(q.Profile != "", "profile = ?", q.Profile)
	found.where(q.NotArchived, "archived < 0")
	page, args := found.page(q.Page)
	return " WHERE id IN (SELECT id FROM partner" + page + ") ORDER BY id", args
}

func (t *tx) EnvironmentsLike(containing string, n int) ([]registry.Environment, error) {
	found, args := environmentsLike(containing, n)
	return list(t, "environments", environmentTable.listed(), found, args...)
}

func environmentsLike(containing string, n int) (condition string, args []any) {
	var found query
	found.containing(containing)
	return " WHERE (partner, name) IN (SELECT partner, name FROM environment" + found.conditionsOnly() +
		" ORDER BY partner, name" + upTo + ") ORDER BY partner, name", append(found.args, n)
}

func (t *tx) APIKeysLike(containing string, n int) ([]registry.APIKey, error) {
	found, args := apiKeysLike(containing, n)
	return list(t, "API keys", apiKeyTable.listed(), found, args...)
}

func apiKeysLike(containing string, n int) (condition string, args []any) {
	var found query
	found.containing(containing)
	page, args := found.page(registry.Page{Limit: n})
	return " WHERE id IN (SELECT id FROM api_key" + page + ") ORDER BY id", args
}

func (t *tx) Profiles() ([]registry.ProfileSource, error) {
	rows, err := list(t, "profiles", settingTable.listed(), " WHERE name > ? AND name < ? ORDER BY name",
		profilePrefix, strings.TrimSuffix(profilePrefix, "/")+"0") // 0 follows the slash
	var profiles []registry.ProfileSource
	for _, row := range rows {
		if p, is := settingRow(row).(registry.ProfileSource); is && len(p.Source) > 0 {
			profiles = append(profiles, p)
		}
	}
	return profiles, err
}

// FindAudit begins with the newest record or with the oldest, and returns records in their order.
func (t *tx) FindAudit(q registry.AuditQuery) ([]audit.Record, error) {
	from, to, err := t.between(q.Since, q.Until)
	if err != nil || from > to {
		return nil, err
	}
	q.After = max(q.After, from-1)
	if q.Before == 0 || q.Before > to+1 {
		q.Before = to + 1
	}
	found, args := auditLike(q)
	records, err := list(t, "audit log", auditTable.listed(), found, args...)
	if !q.Oldest {
		for i, j := 0, len(records)-1; i < j; i, j = i+1, j-1 {
			records[i], records[j] = records[j], records[i]
		}
	}
	return records, err
}

func auditLike(q registry.AuditQuery) (condition string, args []any) {
	var found query
	found.where(q.Partner != "", "partner = ?", q.Partner)
	found.where(q.Environment != "", "environment = ?", q.Environment)
	found.where(q.Who != "", "actor = ?", q.Who)
	found.where(q.Action != "", "action = ?", string(q.Action))
	if len(q.Records) == 0 {
		oneOf(&found, "subject", q.Subjects)
	} else {
		var args []any
		for _, subject := range q.Subjects {
			args = append(args, subject)
		}
		for _, seq := range q.Records {
			args = append(args, seq)
		}
		found.where(true, "(subject IN ("+placeholders(len(q.Subjects))+") OR seq IN ("+
			placeholders(len(q.Records))+"))", args...)
	}
	found.where(!q.Since.IsZero(), "time >= ?", auditTime(q.Since))
	found.where(!q.Until.IsZero(), "time < ?", auditTime(q.Until))
	found.where(q.After > 0, "seq > ?", q.After)
	found.where(q.Before > 0, "seq < ?", q.Before)
	order := " DESC"
	if q.Oldest {
		order = ""
	}
	return found.conditionsOnly() + " ORDER BY seq" + order + upTo, append(found.args, max(q.Limit, 0))
}

// auditTime returns a time as the column has it, without the part of a second: that of a record
// comes after it in the order of texts.
func auditTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05") }

// between returns the first and the last record of a stretch of time. They bound what is read: the
// times of records need not rise.
func (t *tx) between(since, until time.Time) (from, to int64, err error) {
	head, err := t.AuditHead()
	if err != nil {
		return 0, 0, err
	}
	from, to = 1, head.Seq
	bound := func(which, condition string, at time.Time, none int64) (int64, error) {
		statement := "SELECT " + which + " FROM audit WHERE " + numbered + " AND " + condition
		return one(t, "audit log", selection[int64]{statement, func(row scan) (int64, error) {
			var n any
			if err := row(&n); err != nil || n == nil {
				return none, err
			}
			return placeOf(n), nil
		}}, "", auditTime(at))
	}
	if !since.IsZero() {
		if from, err = bound("MIN(seq)", "time >= ?", since, head.Seq+1); err != nil {
			return 0, 0, err
		}
	}
	if !until.IsZero() {
		to, err = bound("MAX(seq)", "time < ?", until, 0)
	}
	return from, to, err
}

// remove deletes the row that has the key and version of row.
func remove[T any](t *tx, d *table[T], row T) error {
	n, err := t.exec(d.row(&row), "DELETE FROM "+d.name+d.byKey()+" AND version = ?",
		append(values(d.key, &row), *d.version(&row))...)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", d.row(&row), registry.ErrConflict)
	}
	return err
}

func (t *tx) DeletePartner(p registry.Partner) error { return remove(t, partnerTable, p) }

func (t *tx) DeleteEnvironment(e registry.Environment) error { return remove(t, environmentTable, e) }

// DeleteProfile leaves an empty row: where the program may not delete the registry's settings, it
// need not be able to.
func (t *tx) DeleteProfile(name string) error { return t.PutProfile(name, nil) }
