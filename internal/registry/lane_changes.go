package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/lanes"
)

// LaneChanges returns the lanes that a record of the audit log concerns. A record has the rows that
// its change stored. One without rows is of a change that stored none, or of an older program: then
// it concerns the partner that it names, or all.
func LaneChanges(r audit.Record) (c lanes.Changes) {
	rows := recordedRows(r).Rows
	if len(rows) == 0 && slices.Contains(withoutRows, Action(r.Action)) {
		return lanes.Changes{}
	}
	if len(rows) == 0 {
		if r.Partner == "" {
			return lanes.Changes{All: true, Why: fmt.Sprintf("record %d (%s) names no partner", r.Seq, r.Action)}
		}
		return lanes.Changes{Partners: []string{r.Partner}}
	}
	for name, form := range rows {
		c.Add(rowChanges(r.Seq, string(name), form))
	}
	return c
}

// withoutRows are the actions that never change a row of which a lane is made.
var withoutRows = []Action{ActionBackup, ActionNodeRemove}

// withoutLanes are the kinds of rows that no lane is made of.
var withoutLanes = []string{"blocked", "person", "renewal", "request", "setting"}

// rowChanges returns the lanes that a row concerns.
func rowChanges(seq int64, name string, form json.RawMessage) lanes.Changes {
	kind, id, _ := strings.Cut(name, "/")
	unknown := lanes.Changes{All: true, Why: fmt.Sprintf("record %d has the row %s", seq, name)}
	switch kind {
	case "partner":
		return lanes.Changes{Partners: []string{id}}
	case "environment":
		partner, _, _ := strings.Cut(id, "/")
		return lanes.Changes{Partners: []string{partner}}
	case "offer":
		_, partner, _ := strings.Cut(id, "/")
		return lanes.Changes{Partners: []string{partner}}
	case "setting":
		if id == SettingHashKey {
			return lanes.Changes{All: true, Why: fmt.Sprintf("record %d has the key of API keys", seq)}
		}
	case "profile":
		return lanes.Changes{Profiles: true}
	case "apikey", "key", "certificate":
		var row struct {
			Partner string `json:"partner"`
		}
		switch err := json.Unmarshal(form, &row); {
		case err != nil || string(form) == "null":
			return unknown
		case row.Partner != "":
			return lanes.Changes{Partners: []string{row.Partner}}
		}
		return lanes.Changes{Shared: true}
	}
	if slices.Contains(withoutLanes, kind) {
		return lanes.Changes{}
	}
	return unknown
}
