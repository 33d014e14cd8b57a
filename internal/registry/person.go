package registry

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
)

// Role is a set of actions that a person may do.
type Role string

// The roles.
const (
	Administrator Role = "administrator" // adds people, rotates the root key
	Operator      Role = "operator"      // everything but approving and people
	Approver      Role = "approver"      // approves, rejects, grants waivers
	Auditor       Role = "auditor"       // reads
	Backup        Role = "backup"        // makes backups, and does not even read: a role of programs
)

var roles = []Role{Administrator, Operator, Approver, Auditor, Backup}

// Person is somebody who may log in. The token is shown once; what is stored is its SHA-256.
type Person struct {
	ID        string    `json:"id"` // short name
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Telephone string    `json:"telephone,omitempty"` // for the partners' questions
	Roles     []Role    `json:"roles"`
	Prefix    string    `json:"prefix"`
	SHA256    []byte    `json:"-"`
	Created   time.Time `json:"created"`
	Revoked   time.Time `json:"revoked,omitzero"`
	Version   int64     `json:"-"`
}

// ErrFounded means that the registry has people already.
var ErrFounded = errors.New("there are people in this registry already; an administrator adds others")

// Found adds the first person of a registry, as administrator, and returns their token.
func (r *Registry) Found(ctx context.Context, p Person) (token string, err error) {
	if !slices.Contains(p.Roles, Administrator) {
		p.Roles = append(p.Roles, Administrator)
	}
	err = r.change(ctx, "program:founding", Entry{Action: ActionPersonAdd}, func(tx Tx, entry *Entry) error {
		people, err := tx.People()
		if err != nil {
			return err
		}
		if len(people) > 0 {
			return ErrFounded
		}
		if err := isNew(tx); err != nil {
			return err
		}
		token, err = r.addPerson(tx, entry, p)
		return err
	})
	return token, err
}

// isNew refuses to found a registry that has rows or records already: its people were deleted from the
// database, and nobody becomes its administrator by that.
func isNew(tx Reader) error {
	head, err := tx.AuditHead()
	if err != nil {
		return err
	}
	used := head.Seq > 0
	for _, err := range tx.Rows() {
		if _, damaged := errors.AsType[*DamagedRow](err); err != nil && !damaged {
			return err
		}
		used = true
		break
	}
	if used {
		return Refuse("this registry has no people, and it is not new: they were deleted from the database; " +
			"restore it from a backup")
	}
	return nil
}

// AddPerson adds somebody, and returns their token.
func (s *Session) AddPerson(ctx context.Context, p Person) (token string, err error) {
	err = s.Change(ctx, Entry{Action: ActionPersonAdd}, func(tx Tx, entry *Entry) error {
		token, err = s.registry.addPerson(tx, entry, p)
		return err
	})
	return token, err
}

func (r *Registry) addPerson(tx Tx, entry *Entry, p Person) (token string, err error) {
	if err := checkName("person", p.ID); err != nil {
		return "", err
	}
	if p.Email != "" {
		if err := cert.CheckEmail(p.Email); err != nil {
			return "", Judged(err)
		}
	}
	if p.Telephone, err = telephone(p.Telephone); err != nil {
		return "", err
	}
	if err := checkRoles(p.ID, p.Roles); err != nil {
		return "", err
	}
	if err := oneToken(tx, p); err != nil {
		return "", err
	}
	p.Created = r.now()
	token, p.Prefix, p.SHA256 = newToken("person")
	entry.Subject, entry.After = "person/"+p.ID, p
	return token, tx.PutPerson(&p)
}

// telephoneForm is a number as people write it, perhaps with an extension.
var telephoneForm = regexp.MustCompile(`^\+?[0-9 ()./-]{5,32}(?: ?(?:ext\.?|x|-) ?[0-9]{1,8})?$`)

// telephone returns a telephone number without blanks around it, or an error if it is none. There may
// be no number.
func telephone(number string) (string, error) {
	number = strings.TrimSpace(number)
	if number != "" && !telephoneForm.MatchString(number) {
		return "", Refuse("%q is no telephone number: write it with its country, such as +34 91 555 0100", number)
	}
	return number, nil
}

// oneToken refuses a second token for one mail address.
func oneToken(tx Tx, p Person) error {
	people, _, err := Readable(tx.People())
	if err != nil {
		return err
	}
	for _, o := range people {
		if o.ID != p.ID && p.Email != "" && strings.EqualFold(o.Email, p.Email) && o.Revoked.IsZero() {
			return Refuse("%s has the address %s already: one person, one token", o.ID, p.Email)
		}
	}
	return nil
}

func checkRoles(id string, of []Role) error {
	if len(of) == 0 {
		return Refuse("person %s has no role; give one or several of %s", id, alternatives(roles))
	}
	for _, role := range of {
		if !slices.Contains(roles, role) {
			return Refuse("role %q is not known; use %s", role, alternatives(roles))
		}
		if role == Backup && len(of) > 1 {
			return Refuse("person %s has the role %s, and no other with it: its token is in a file of a program",
				id, Backup)
		}
	}
	return nil
}

// RevokePerson ends the use of somebody's token, but not that of the last administrator.
func (s *Session) RevokePerson(ctx context.Context, id string) error {
	return s.revokePerson(ctx, ActionPersonRevoke, id)
}

// RenewOwnToken replaces one's own token, so that nobody has it who has seen the one before, such as
// the administrator who has issued that. It calls keep with the new token before that is stored: if
// keep fails, nothing changes. After the error [ErrUncertain] either of the two may be valid.
func (s *Session) RenewOwnToken(ctx context.Context, keep func(token string) error) error {
	return s.changePerson(ctx, ActionTokenRenew, s.person.ID, func(_ Tx, p *Person) error {
		var token string
		token, p.Prefix, p.SHA256 = newToken("person")
		return keep(token)
	})
}

// EndToken ends the use of one's own token: anybody may, but not the last administrator.
func (s *Session) EndToken(ctx context.Context) error {
	return s.revokePerson(ctx, ActionTokenEnd, s.person.ID)
}

func (s *Session) revokePerson(ctx context.Context, action Action, id string) error {
	return s.Change(ctx, Entry{Action: action, Subject: "person/" + id}, func(tx Tx, entry *Entry) error {
		people, _, err := Readable(tx.People()) // one that can't be read is no administrator who helps
		if err != nil {
			return err
		}
		administrators := 0
		for _, p := range people {
			if p.Revoked.IsZero() && p.ID != id && slices.Contains(p.Roles, Administrator) {
				administrators++
			}
		}
		if administrators == 0 {
			return Refuse("person %s is the last administrator; add another before", id)
		}
		p, err := tx.Person(id)
		if damaged, is := errors.AsType[*DamagedRow](err); is {
			p, err = recordedPerson(tx, id, damaged)
		}
		if err != nil {
			return err
		}
		if !p.Revoked.IsZero() {
			return Refuse("the token of %s was revoked on %s", id, p.Revoked.Format(time.DateOnly))
		}
		entry.Before = p
		p.Revoked = s.registry.now()
		entry.After = p
		return tx.PutPerson(&p)
	})
}

// recordedPerson returns a person whose row can't be read as the last record has them, without the
// token.
func recordedPerson(tx Reader, id string, damaged *DamagedRow) (p Person, err error) {
	name := nameOf("person", id)
	records, err := tx.FindAudit(AuditQuery{Subjects: []string{string(name)}, Limit: 1})
	if err != nil {
		return p, err
	}
	for _, r := range records {
		if form := recordedRows(r).Rows[name]; json.Unmarshal(form, &p) == nil && p.ID == id {
			p.Version = damaged.Version
			return p, nil
		}
	}
	return p, damaged
}

// RenewToken returns a new token for somebody whose token was lost or revoked. The old one is
// no longer valid.
func (s *Session) RenewToken(ctx context.Context, id string) (token string, err error) {
	err = s.changePerson(ctx, ActionPersonToken, id, func(tx Tx, p *Person) error {
		if err := oneToken(tx, *p); err != nil {
			return err
		}
		token, p.Prefix, p.SHA256 = newToken("person")
		p.Revoked = time.Time{}
		return nil
	})
	return token, err
}

// PersonChange says what becomes of a person's facts. Nil leaves one as it is.
type PersonChange struct {
	Name      *string `json:"name,omitempty"`
	Email     *string `json:"email,omitempty"`
	Telephone *string `json:"telephone,omitempty"`
}

// ChangePerson changes somebody's name, mail address or telephone number.
func (s *Session) ChangePerson(ctx context.Context, id string, to PersonChange) error {
	return s.changePerson(ctx, ActionPersonChange, id, func(tx Tx, p *Person) (err error) {
		if to.Name != nil {
			p.Name = strings.TrimSpace(*to.Name)
		}
		if to.Telephone != nil {
			if p.Telephone, err = telephone(*to.Telephone); err != nil {
				return err
			}
		}
		if to.Email == nil {
			return nil
		}
		if p.Email = *to.Email; p.Email != "" {
			if err := cert.CheckEmail(p.Email); err != nil {
				return Judged(err)
			}
		}
		return oneToken(tx, *p)
	})
}

// SetRoles changes somebody's roles.
func (s *Session) SetRoles(ctx context.Context, id string, to []Role) error {
	return s.changePerson(ctx, ActionPersonRoles, id, func(_ Tx, p *Person) error {
		if id == s.person.ID && !slices.Contains(to, Administrator) {
			return Refuse("nobody takes the role of administrator from themselves: another administrator does")
		}
		p.Roles = to
		return checkRoles(id, to)
	})
}

func (s *Session) changePerson(ctx context.Context, action Action, id string, change func(Tx, *Person) error) error {
	return s.Change(ctx, Entry{Action: action, Subject: "person/" + id}, func(tx Tx, entry *Entry) error {
		p, err := tx.Person(id)
		if err != nil {
			return err
		}
		entry.Before = p
		if err := change(tx, &p); err != nil {
			return err
		}
		entry.After = p
		return tx.PutPerson(&p)
	})
}
