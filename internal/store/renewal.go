package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

var renewalTable = &table[registry.Renewal]{
	name: "renewal",
	row:  func(n *registry.Renewal) string { return fmt.Sprintf("renewal %q", n.ID) },
	key: []column[registry.Renewal]{
		text("id", func(n *registry.Renewal) *string { return &n.ID }),
	},
	columns: append([]column[registry.Renewal]{
		text("owner", func(n *registry.Renewal) *registry.Owner { return &n.Owner }),
		text("partner", func(n *registry.Renewal) *string { return &n.Partner }),
		text("profile", func(n *registry.Renewal) *string { return &n.Profile }),
		text("environment", func(n *registry.Renewal) *string { return &n.Environment }),
		text("replaces", func(n *registry.Renewal) *string { return &n.Replaces }),
		text("successor", func(n *registry.Renewal) *string { return &n.Successor }),
		text("campaign", func(n *registry.Renewal) *string { return &n.Campaign }),
		text("step", func(n *registry.Renewal) *registry.RenewalStep { return &n.Step }),
		instant("closed", func(n *registry.Renewal) *time.Time { return &n.Closed }),
	}, noted(func(n *registry.Renewal) *int64 { return &n.Version }, renewalDue)...),
	version: func(n *registry.Renewal) *int64 { return &n.Version },
	body:    true,
}

func (t *tx) Renewal(id string) (registry.Renewal, error) {
	return find(t, renewalTable, registry.Renewal{ID: id})
}

func (t *tx) OpenRenewal(leg registry.Leg) (registry.Renewal, error) {
	return one(t, "renewal of "+leg.String(), renewalTable.whole(),
		" WHERE owner = ? AND partner = ? AND profile = ? AND environment = ? AND closed < 0",
		string(leg.Owner), leg.Partner, leg.Profile, leg.Environment)
}

func (t *tx) Renewals(q registry.RenewalQuery) ([]registry.Renewal, error) {
	conditions, args := []string{"id > ?"}, []any{q.After}
	add := func(condition string, more ...any) {
		conditions, args = append(conditions, condition), append(args, more...)
	}
	if q.Open {
		add("closed < 0")
	}
	if q.Shared {
		add("owner = ? AND partner = ''", string(registry.Ours))
	}
	for _, of := range []struct{ column, value string }{
		{"owner", string(q.Owner)}, {"partner", q.Partner}, {"environment", q.Environment}, {"profile", q.Profile},
		{"campaign", q.Campaign},
	} {
		if of.value != "" {
			add(of.column+" = ?", of.value)
		}
	}
	if q.Key != "" {
		add("(replaces = ? OR successor = ?)", q.Key, q.Key)
	}
	if len(q.Steps) > 0 {
		var steps []any
		for _, s := range q.Steps {
			steps = append(steps, string(s))
		}
		add("step IN ("+placeholders(len(steps))+")", steps...)
	}
	where := " WHERE " + strings.Join(conditions, " AND ") + " ORDER BY id" + upTo
	return list(t, "renewals", renewalTable.listed(), where, append(args, limit(q.Page))...)
}

// PutRenewal searches for another open renewal of the leg first, because a violation of the
// database's constraint would end a transaction of PostgreSQL.
func (t *tx) PutRenewal(n *registry.Renewal) error {
	if n.Closed.IsZero() {
		other, err := list(t, renewalTable.row(n), renewalTable.listed(),
			" WHERE owner = ? AND partner = ? AND profile = ? AND environment = ? AND closed < 0 AND id <> ?",
			string(n.Owner), n.Partner, n.Profile, n.Environment, n.ID)
		if err != nil {
			return err
		}
		if len(other) > 0 {
			return fmt.Errorf("renewal %q is open for %s: %w", other[0].ID, n.Leg, registry.ErrExists)
		}
	}
	if err := put(t, renewalTable, n); err != nil {
		return err
	}
	_, err := t.exec("look at "+n.ID, "DELETE FROM notice_look WHERE about = ?", n.ID)
	return err
}

const day = 24 * time.Hour

func (t *tx) Observe(at time.Time, watched time.Duration) error {
	of := at.UTC().Truncate(day).UnixMicro()
	_, err := t.exec("observed", `INSERT INTO observed (day, watched, until) VALUES (?, ?, ?)
		ON CONFLICT (day) DO UPDATE SET until = excluded.until,
		watched = CASE WHEN observed.watched + excluded.watched > ? THEN ?
			ELSE observed.watched + excluded.watched END`,
		of, watched.Microseconds(), at.UnixMicro(), day.Microseconds(), day.Microseconds())
	return err
}

func (t *tx) Observed(since time.Time) ([]registry.ObservedDay, error) {
	read := func(row scan) (d registry.ObservedDay, err error) {
		var micros int64
		err = row(instantInto{&d.Day}, &micros, instantInto{&d.Until})
		d.Watched = time.Duration(micros) * time.Microsecond
		return d, err
	}
	return list(t, "observed days", selection[registry.ObservedDay]{"SELECT day, watched, until FROM observed", read},
		" WHERE day >= ? ORDER BY day LIMIT 4000", since.UTC().Truncate(day).UnixMicro())
}

func (t *tx) Claimed(task string) (until time.Time, err error) {
	read := func(row scan) (at time.Time, err error) {
		err = row(instantInto{&at})
		return at, err
	}
	from := selection[time.Time]{"SELECT until FROM claim", read}
	all, err := list(t, "claim of "+task, from, " WHERE task = ?", task)
	if err != nil || len(all) == 0 {
		return until, err
	}
	return all[0], nil
}

// Claim takes a task that nobody holds, or that its holder has had for too long. A time that is more
// than an hour ahead is of a clock that was wrong, and does not count.
func (t *tx) Claim(task, holder string, now, until time.Time) (bool, error) {
	n, err := t.exec("claim of "+task, `INSERT INTO claim (task, holder, until) VALUES (?, ?, ?)
		ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE claim.holder = excluded.holder OR claim.until <= ? OR claim.until > ?`,
		task, holder, until.UnixMicro(), now.UnixMicro(), now.Add(time.Hour).UnixMicro())
	return n > 0, err
}
