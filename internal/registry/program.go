package registry

import (
	"slices"

	"github.com/sealane/sealane/internal/registry/internal/guard"
)

// program is what a session is of that no person has: a program that does what people have ordered.
type program struct{ actions []Action }

// programs are what each program may do. None may approve, match, waive, prolong or revoke anything.
var programs = map[string]program{
	"program:renewal": {[]Action{ActionRenewalBegin, ActionRenewalAdvance, ActionNoticeSend, ActionNoticeBounce}},
}

// RenewalProgram is the name of the program that advances renewals, as records have it.
const RenewalProgram = "program:renewal"

// Program returns the session of the program that advances renewals. It may begin a renewal that is
// due, and do the steps of one that people have ordered. What needs a second person is refused.
func (r *Registry) Program() *Session {
	p := programs[RenewalProgram]
	return &Session{
		Viewer:  Viewer{registry: r, person: Person{ID: RenewalProgram, Name: "the program for renewals"}},
		program: &p,
	}
}

// may returns an error if the program may not do an action.
func (p *program) may(a Action) error {
	if slices.Contains(p.actions, a) || guard.Out(guard.Rights) {
		return nil
	}
	return Refuse("%w: a program may not %s: a person must", ErrForbidden, a)
}
