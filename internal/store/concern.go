package store

import (
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// concern is how the rows of a concern are found. Conditions of indexes must be in the words of the
// migration that has made them.
type concern struct {
	of          concerned
	from, where string
	order       string
}

// concerned are the columns that say which row it is.
type concerned struct{ id, partner, environment string }

var (
	aRow  = concerned{"id", "partner", "environment"}
	aLane = concerned{"''", "e.partner", "e.name"}
)

const (
	lanesOfAll = "environment e"
	inOrder    = "e.partner, e.name"

	notArchivedOwner = " AND (SELECT w.archived FROM partner w WHERE w.id = e.partner) < 0"
)

var concerns = map[registry.Concern]concern{
	registry.ConcernEnds: {aRow, "certificate", "(ends > 0 OR noted <> version) AND ends < ?", "ends, id"},
	registry.ConcernIncoming: {aRow, "certificate", `(came > 0 OR noted <> version)
		AND NOT EXISTS (SELECT 1 FROM renewal n WHERE n.successor = certificate.id AND n.closed < 0)`, "came, id"},
	registry.ConcernOurAlarm:   {aRow, "key_pair", "(alarmed > 0 OR noted <> version)", "alarmed, id"},
	registry.ConcernTheirAlarm: {aRow, "certificate", "(alarmed > 0 OR noted <> version)", "alarmed, id"},
	registry.ConcernMismatch:   {aRow, "certificate", "(mismatched > 0 OR noted <> version)", "mismatched, id"},
	registry.ConcernWaiver:     {aRow, "certificate", "(waived > 0 OR noted <> version)", "waived, id"},
	registry.ConcernNoOurs: {aLane, lanesOfAll, `NOT EXISTS (SELECT 1 FROM key_pair k
			WHERE k.state = 'active' AND k.partner = e.partner AND k.environment = e.name)
		AND NOT EXISTS (SELECT 1 FROM offer o JOIN key_pair k ON k.id = o.key_pair
			WHERE o.partner = e.partner AND o.confirmed > 0
			AND k.state = 'active' AND k.environment = e.name AND k.partner IS NULL)`, inOrder},
	registry.ConcernNoTheirs: {aLane, lanesOfAll, `NOT EXISTS (SELECT 1 FROM certificate c
		WHERE c.state = 'active' AND c.partner = e.partner AND c.environment = e.name AND c.owner = 'theirs')`,
		inOrder},
	registry.ConcernNoContact: {aLane, lanesOfAll, "(contacts = 0 OR noted <> version)" + notArchivedOwner, inOrder},
	registry.ConcernOptional:  {aLane, lanesOfAll, "sealing = 'optional'" + notArchivedOwner, inOrder},
	registry.ConcernUnauthenticated: {
		aLane, lanesOfAll, "caller = 'unauthenticated'" + notArchivedOwner, inOrder,
	},
	registry.ConcernSHA1: {aLane, lanesOfAll, "accept_rsa_oaep <> ''" + notArchivedOwner, inOrder},
	registry.ConcernOffer: {
		concerned{"key_pair", "partner", "(SELECT environment FROM key_pair k WHERE k.id = key_pair)"}, "offer",
		`at > 0 AND confirmed <= 0 AND EXISTS (SELECT 1 FROM key_pair k
			WHERE k.id = offer.key_pair AND k.state IN ('staged', 'active', 'retiring'))
		AND EXISTS (SELECT 1 FROM partner w WHERE w.id = offer.partner AND w.archived < 0)`, "at, key_pair, partner",
	},
	registry.ConcernRenewal: {aRow, "renewal", "(due > 0 OR noted <> version) AND step = ?", "due, id"},
}

// Concerned counts the rows only where there are more than it returns.
func (t *tx) Concerned(q registry.ConcernQuery) (rows []registry.Concerned, all int, err error) {
	what := "rows of concern " + string(q.Concern)
	statement, count, args, err := concernedRows(q)
	if err != nil {
		return nil, 0, err
	}
	read := func(row scan) (c registry.Concerned, err error) {
		err = row(&c.ID, textInto[string]{&c.Partner}, &c.Environment)
		return c, err
	}
	limited := append(append([]any{}, args...), q.Limit+1)
	rows, err = list(t, what, selection[registry.Concerned]{statement, read}, " LIMIT ?", limited...)
	if err != nil || len(rows) <= q.Limit {
		return rows, len(rows), err
	}
	number := func(row scan) (n int, err error) {
		err = row(&n)
		return n, err
	}
	all, err = one(t, what, selection[int]{count, number}, "", args...)
	return rows[:q.Limit], all, err
}

// concernedRows returns the statement of the rows, without their limit, and that of their number.
func concernedRows(q registry.ConcernQuery) (rows, count string, args []any, err error) {
	c, known := concerns[q.Concern]
	if !known {
		return "", "", nil, fmt.Errorf("store: concern %q is not known", q.Concern)
	}
	where := c.where
	switch q.Concern {
	case registry.ConcernEnds:
		args = append(args, q.Before.UnixMicro())
	case registry.ConcernRenewal:
		args = append(args, string(q.Step))
	case registry.ConcernNoOurs, registry.ConcernNoTheirs:
		sides := []string{"1 = 0"}
		for _, s := range q.Needing {
			sides, args = append(sides, "w.profile = ? AND w.side = ?"), append(args, s.Profile, string(s.Side))
		}
		where += " AND EXISTS (SELECT 1 FROM partner w WHERE w.id = e.partner AND w.archived < 0 AND (" +
			strings.Join(sides, " OR ") + "))"
	}
	if q.Partner != "" {
		where, args = where+" AND "+c.of.partner+" = ?", append(args, q.Partner)
	}
	from := " FROM " + c.from + " WHERE " + where
	rows = "SELECT " + c.of.id + ", " + c.of.partner + ", " + c.of.environment + from + " ORDER BY " + c.order
	return rows, "SELECT CAST(COUNT(*) AS BIGINT)" + from, args, nil
}
