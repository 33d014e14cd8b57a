package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// revokedCounts is how long an approver counts as one after their token was revoked, where somebody
// is to get a role or a token. So others have time to see that they were revoked.
const revokedCounts = 7 * 24 * time.Hour

// ifOthers returns what is asked, if somebody else is or was an approver: a company of one has
// nobody. Those whose token was revoked count, so that nobody becomes alone by revoking the others;
// so do those whose row can't be read, so that nobody becomes alone by damaging rows.
func (s *Session) ifOthers(tx Reader, asked *second) (*second, error) {
	people, damaged, err := Readable(tx.People())
	if err != nil || len(damaged) == 0 && !slices.ContainsFunc(people, s.isOther) {
		return nil, err
	}
	return asked, nil
}

// isOther reports whether somebody else is or was an approver.
func (s *Session) isOther(p Person) bool {
	return p.ID != s.person.ID && slices.Contains(p.Roles, Approver)
}

// changesPerson judges a person who becomes an operator, approver or administrator, and a new token
// for one: anyone who gets the token is that person, and could receive as one and approve as
// another. It also judges who ceases to be an approver or administrator. Revoking a token never
// waits.
func (s *Session) changesPerson(tx Reader, entry *Entry) (*second, error) {
	after, is := entry.After.(Person)
	if !is {
		return nil, nil
	}
	before, _ := entry.Before.(Person)
	why, taken := s.whyPerson(entry.Action, before, after)
	if why == "" {
		return nil, nil
	}
	people, damaged, err := Readable(tx.People())
	if err != nil {
		return nil, err
	}
	// The first approver is added by one person, and so is what the only other approver becomes. One in
	// place of the last is added so when nobody has been an approver for some time. A role is not taken
	// so: all who were approvers count, revoked or not, so that nobody becomes alone by revoking the
	// others and then taking their roles.
	others, alone := len(damaged) > 0, time.Time{} // see ifOthers
	for _, p := range people {
		if p.ID == after.ID {
			if !taken && entry.Action != ActionPersonToken {
				continue
			}
			p = before
		}
		switch ends := p.Revoked.Add(revokedCounts); {
		case !s.isOther(p):
		case p.Revoked.IsZero() || taken:
			others = true
		case ends.After(alone):
			alone = ends
		}
	}
	switch {
	case others:
	case s.registry.now().Before(alone):
		why += "; the token of another approver was revoked a short time ago: one person alone may do it from " +
			alone.UTC().Format("2006-01-02 15:04 MST") + " on"
	default:
		return nil, nil
	}
	return &second{why: why, what: after.ID, about: after.ID}, nil
}

// whyPerson says why a change of a person needs a second one. It is empty if it does not. taken
// reports that a role is taken.
func (s *Session) whyPerson(action Action, before, after Person) (why string, taken bool) {
	var all []string
	for _, role := range []Role{Approver, Administrator, Operator} {
		was, becomes := slices.Contains(before.Roles, role), slices.Contains(after.Roles, role)
		switch {
		case becomes && !was:
			all = append(all, fmt.Sprintf("%s becomes %s", after.ID, role))
		case was && !becomes && role == Operator: // it only stops something
		case was && !becomes:
			all, taken = append(all, fmt.Sprintf("%s is no longer %s", after.ID, role)), true
		case was && action == ActionPersonToken && after.ID != s.person.ID:
			all = append(all, fmt.Sprintf("somebody gets the token of %s, who is %s", after.ID, role))
		}
	}
	return strings.Join(all, "; "), taken
}
