package store

import (
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// search finds identities by an index. The first condition whose index is named
// decides which; conditions come in the order of what they leave over, the
// fewest rows first.
type search struct {
	table, index string
	conditions   []string
	args         []any

	// What an index of states finds is in order for one state, and one owner, at a
	// time: there is a part for each, and the parts are merged.
	states, owners []string
	merge          bool
}

func (s *search) where(wanted bool, index, condition string, args ...any) {
	if !wanted {
		return
	}
	if s.index == "" {
		s.index = index
	}
	s.conditions = append(s.conditions, condition)
	s.args = append(s.args, args...)
}

// whereState asks for one of several states. owners are those to look at one
// after the other, where the index begins with the owner and any will do.
func (s *search) whereState(states []registry.State, index string, owners []string) {
	if len(states) == 0 {
		return
	}
	s.merge = s.index == "" || s.index == "certificate_due"
	if s.index == "" {
		s.index = index
	}
	for _, state := range states {
		if !slices.Contains(s.states, string(state)) {
			s.states = append(s.states, string(state))
		}
	}
	if s.merge {
		s.owners = owners
	}
}

// ids gives the statement that finds a page of identities.
func (s *search) ids(d *dialect, page registry.Page) (written string, args []any) {
	part := func(more []string, with ...any) string {
		all := append(append([]string{}, s.conditions...), more...)
		args = append(args, s.args...)
		args = append(args, with...)
		if page.After != "" {
			all = append(all, "id > ?")
			args = append(args, page.After)
		}
		text := "SELECT id FROM " + d.indexed(s.table, s.index)
		if len(all) > 0 {
			text += " WHERE " + strings.Join(all, " AND ")
		}
		args = append(args, limit(page))
		return text + " ORDER BY id LIMIT ?"
	}
	switch {
	case len(s.states) == 0:
		return part(nil), args
	case !s.merge:
		var with []any
		for _, state := range s.states {
			with = append(with, state)
		}
		in := "state IN (" + strings.Repeat("?, ", len(s.states)-1) + "?)"
		return part([]string{in}, with...), args
	}
	var parts []string
	for _, state := range s.states {
		if len(s.owners) == 0 {
			parts = append(parts, "SELECT id FROM ("+part([]string{"state = ?"}, state)+") AS part")
		}
		for _, owner := range s.owners {
			parts = append(parts, "SELECT id FROM ("+part([]string{"state = ?", "owner = ?"}, state, owner)+") AS part")
		}
	}
	args = append(args, limit(page))
	return "SELECT id FROM (" + strings.Join(parts, " UNION ALL ") + ") AS found ORDER BY id LIMIT ?", args
}
