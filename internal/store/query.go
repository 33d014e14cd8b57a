package store

import (
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// query collects the conditions of a page of rows. The database chooses the index; the
// indexes are such that SQLite chooses well without statistics, as TestPlans shows.
type query struct {
	conditions []string
	args       []any
}

// where adds a condition, if it is wanted.
func (q *query) where(wanted bool, condition string, args ...any) {
	if wanted {
		q.conditions = append(q.conditions, condition)
		q.args = append(q.args, args...)
	}
}

// oneOf adds the condition that a column has one of some values, if there are any.
func oneOf[S ~string](q *query, column string, values []S) {
	var args []any
	for _, v := range values {
		args = append(args, string(v))
	}
	q.where(len(args) > 0, column+" IN ("+placeholders(len(args))+")", args...)
}

// page returns the end of a statement, from its conditions on.
func (q *query) page(page registry.Page) (written string, args []any) {
	q.where(page.After != "", "id > ?", page.After)
	return q.conditionsOnly() + " ORDER BY id" + upTo, append(q.args, limit(page))
}

// conditionsOnly returns the conditions as a part of a statement.
func (q *query) conditionsOnly() string {
	if len(q.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(q.conditions, " AND ")
}

// upTo ends a statement after a number of rows. SQLite prepares "LIMIT ?" again for each value, because it
// would plan by the value; it does not look into an expression.
const upTo = " LIMIT CAST(? AS BIGINT)"

func limit(page registry.Page) int {
	switch {
	case page.Limit <= 0:
		return 100
	case page.Limit > 1000:
		return 1000
	}
	return page.Limit
}

// placeholders returns those of n arguments.
func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
