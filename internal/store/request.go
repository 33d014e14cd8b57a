package store

import (
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

var requestTable = &table[registry.Request]{
	name: "request",
	row:  func(r *registry.Request) string { return fmt.Sprintf("request %q", r.ID) },
	key: []column[registry.Request]{
		text("id", func(r *registry.Request) *string { return &r.ID }),
	},
	columns: []column[registry.Request]{
		text("state", func(r *registry.Request) *registry.RequestState { return &r.State }),
		text("person", func(r *registry.Request) *string { return &r.By }),
	},
	version: func(r *registry.Request) *int64 { return &r.Version },
	body:    true,
}

func (t *tx) Request(id string) (registry.Request, error) {
	return find(t, requestTable, registry.Request{ID: id})
}

func (t *tx) Requests(q registry.RequestQuery) ([]registry.Request, error) {
	conditions, args := []string{"id > ?"}, []any{q.After}
	if len(q.States) > 0 {
		conditions = append(conditions, "state IN (?"+strings.Repeat(", ?", len(q.States)-1)+")")
		for _, state := range q.States {
			args = append(args, string(state))
		}
	}
	if q.By != "" {
		conditions, args = append(conditions, "person = ?"), append(args, q.By)
	}
	where := " WHERE " + strings.Join(conditions, " AND ") + " ORDER BY id" + upTo
	return list(t, "requests", requestTable.listed(), where, append(args, limit(q.Page))...)
}

func (t *tx) PutRequest(r *registry.Request) error { return put(t, requestTable, r) }
